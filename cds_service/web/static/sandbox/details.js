// The rules checked, and technical details: validation, request and response as JSON with the evidence marked.
import { el, many } from "./dom.js";

const LONGEST = 20000; // lines of JSON that a browser renders without delay

/** The result of every rule: findings, not checked with the reason, passed. */
export function checkedOf(explained) {
  const { findings, notChecked, passed } = explained;
  const flagged = new Set(findings.flatMap((each) => [each.rule, ...(each.alsoRules ?? [])]));
  if (explained.empty) return [el("p", { class: "tally" }, explained.emptySentence), notChecked.length ? list("Not checked (not a pass)", "undecided", notChecked.map((each) => [each.rule, each.reason])) : null];
  return [
    el("p", { class: "tally" }, tally(flagged.size, "with findings", "flagged"), tally(new Set(notChecked.map((each) => each.rule)).size, "not checked", "undecided"), tally(passed.length, "passed", "passed")),
    findings.length ? list("With findings", "flagged", findings.flatMap((each) => [each.rule, ...(each.alsoRules ?? [])].map((rule) => [rule, each.summary]))) : null,
    notChecked.length ? list("Not checked (not a pass)", "undecided", notChecked.map((each) => [each.rule, each.reason])) : null,
    passed.length ? el("details", { class: "passed" }, el("summary", {}, `Passed: ${many(passed.length, "rule")}`), rules(passed.map((each) => [each.rule, each.reason]))) : null,
  ];
}

const tally = (number, words, name) => el("span", { class: number ? `count ${name}` : "count" }, el("b", {}, number), ` ${words}`);
const list = (title, name, pairs) => el("div", { class: name }, el("h3", {}, title), rules(pairs));
const rules = (pairs) => el("ul", { class: "rules" }, pairs.map(([rule, words]) => el("li", {}, el("a", { href: `/rules/${rule}` }, rule), " ", el("span", {}, words))));

/** The technical details, each folded until it is opened. */
export function detailsOf(state, actions) {
  const { explained, request, answer, service, log } = state;
  const { faults, warnings, fetched } = explained;
  return [
    fold("notation", "In billers' notation", () => notation(explained.notation)),
    fold("validation", faults.length ? `FHIR validation: ${many(faults.length, "error")}` : "FHIR validation: no errors", () =>
      faults.length ? el("ul", { class: "faults" }, faults.map((each) => el("li", {}, el("button", { type: "button", class: "ref", onclick: () => actions.point(each) }, each.location), ` ${each.message}`)))
        : el("p", {}, "Every resource is valid FHIR R4 (checked with fhir.resources).")),
    warnings.length ? fold("skipped", `Skipped: ${warnings.length}`, () => el("ul", {}, warnings.map((each) => el("li", {}, el("code", {}, each.location), ` ${each.message}`))), true) : null,
    fetched.length ? fold("fetched", `Fetched by the service: ${many(fetched.length, "query", "queries")}`, () => el("ul", {}, fetched.map((each) => el("li", {}, el("code", {}, each.query))))) : null,
    state.queries.length ? fold("queries", `Queried from the FHIR server: ${many(state.queries.length, "query", "queries")}`, () => el("ul", {}, state.queries.map((each) => el("li", {}, el("code", {}, `GET ${each.query}`), each.fault ? ` ${each.fault}` : ` ${many(each.found, "resource")}`)))) : null,
    fold("token", "Token signed for this call", () => el("div", {}, el("p", { class: "about" }, "An EHR signs each call with its own private key. The service checks the signature in production, against the registered public key, and not in development. The public key of this page is at ", el("a", { href: "/sandbox/jwks.json" }, "/sandbox/jwks.json"), "."), json({ header: state.signed.header, claims: state.signed.claims }, "token", []))),
    fold("request", `Request: POST /cds-services/${service}`, () => json(withoutToken(request), "request", explained.findings.flatMap((each) => each.evidence.map((seen) => seen.location)))),
    fold("response", `Response: ${many(answer.cards.length, "card")}`, () => json(answer, "response", [])),
    log.length ? fold("log", `Your changes: ${many(log.length, "step")}`, () => el("ol", { class: "log" }, log.map((each) => el("li", {}, each.action, ...differences(each.differences))))) : null,
  ];
}

/** The case as coders type it, and what that leaves out. */
function notation({ text, leftOut }) {
  return el("div", {},
    el("p", { class: "about" }, "The same case as coders type it: ", el("a", { href: `/claim#${encodeURIComponent(text)}` }, "open it as a claim"), "."),
    el("pre", { class: "json", tabindex: "0", role: "region", "aria-label": "The case in billers' notation" }, text),
    leftOut.length ? el("div", {}, el("p", { class: "about" }, "It has no words for:"), el("ul", { class: "faults" }, leftOut.map((each) => el("li", {}, each)))) : null);
}

/** The request with the access token for the FHIR server hidden. */
const withoutToken = ({ fhirAuthorization, ...rest }) => (fhirAuthorization ? { ...rest, fhirAuthorization: { ...fhirAuthorization, access_token: "not shown" } } : rest);

function fold(id, title, content, isOpen = false) {
  const details = el("details", { id, class: "fold" }, el("summary", {}, title));
  const fill = () => { if (details.open && details.children.length === 1) details.append(content()); };
  details.addEventListener("toggle", fill);
  if (isOpen) { details.open = true; fill(); }
  details.fill = fill;
  return details;
}

/** The differences of each changed resource, as added and removed lines. */
export function differences(changes) {
  return (changes ?? []).map((each) => el("div", { class: "difference" }, el("p", {}, el("b", {}, `${each.reference} `), each.change),
    el("pre", { tabindex: "0", role: "region", "aria-label": `${each.reference}: ${each.change}` }, each.lines.map((line) => el("span", { class: line[0] === "+" ? "added" : line[0] === "-" ? "removed" : "same" }, `${line}\n`)))));
}

// --- JSON -----------------------------------------------------------------------------------------------------------

function json(value, name, marked) {
  const lines = [...printed(value, "", "", "", "")];
  const shown = lines.slice(0, LONGEST);
  const isMarked = (path) => marked.some((each) => isWithin(path, each));
  const region = el("pre", { class: "json", tabindex: "0", role: "region", "aria-label": `The ${name} as JSON` },
    shown.map(({ path, text }) => el("span", { class: isMarked(path) ? "line evidence" : "line", "data-path": path }, `${text}\n`)));
  return el("div", {}, marked.length ? el("p", { class: "about" }, "Highlighted: evidence of the cards.") : null, region,
    lines.length > LONGEST ? el("p", { class: "about" }, `First ${LONGEST} of ${lines.length} lines; download the case to see all.`) : null);
}

/** The lines of a value, each with its path. */
function* printed(value, path, indent, head, tail) {
  const isList = Array.isArray(value);
  if (value === null || typeof value !== "object" || !Object.keys(value).length) {
    yield { path, text: `${indent}${head}${JSON.stringify(value)}${tail}` };
    return;
  }
  yield { path, text: `${indent}${head}${isList ? "[" : "{"}` };
  const names = Object.keys(value);
  for (const [at, name] of names.entries()) {
    const inner = isList ? `${path}[${name}]` : path ? `${path}.${name}` : name;
    yield* printed(value[name], inner, `${indent}  `, isList ? "" : `${JSON.stringify(name)}: `, at + 1 < names.length ? "," : "");
  }
  yield { path, text: `${indent}${isList ? "]" : "}"}${tail}` };
}

const isWithin = (path, outer) => path === outer || path.startsWith(`${outer}.`) || path.startsWith(`${outer}[`);

/** Open the request and scroll to a path. */
export function pointAt(location) {
  const details = document.getElementById("request");
  if (!details) return;
  details.open = true;
  details.fill();
  const region = details.querySelector("pre");
  for (const line of region.querySelectorAll(".target")) line.classList.remove("target");
  const lines = [...region.querySelectorAll(".line")].filter((line) => isWithin(line.dataset.path, location));
  lines.forEach((line) => line.classList.add("target"));
  details.scrollIntoView({ block: "start" });
  if (lines.length) region.scrollTop = lines[0].offsetTop - region.offsetTop - 40;
  region.focus({ preventScroll: true });
}
