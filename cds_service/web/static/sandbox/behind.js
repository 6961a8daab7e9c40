// What was checked, and behind the scenes: validation, request and response with the evidence marked.
import { el, many } from "./dom.js";

const LONGEST = 20000; // lines of JSON that a page can show at ease

/** Every rule's verdict: what it found, why it could not decide, or that it passed. */
export function checkedOf(explained) {
  const { findings, notChecked, passed } = explained;
  const found = new Set(findings.map((each) => each.rule));
  return [
    el("p", { class: "tally" }, tally(found.size, "found something", "flagged"), tally(new Set(notChecked.map((each) => each.rule)).size, "could not decide", "open"), tally(passed.length, "passed", "passed")),
    findings.length ? list("Found something", "flagged", findings.map((each) => [each.rule, each.summary])) : null,
    notChecked.length ? list("Could not decide. That is not a pass", "open", notChecked.map((each) => [each.rule, each.reason])) : null,
    passed.length ? el("details", { class: "passed" }, el("summary", {}, `Passed: ${many(passed.length, "rule")}`), rules(passed.map((each) => [each.rule, each.title]))) : null,
  ];
}

const tally = (number, words, name) => el("span", { class: number ? `count ${name}` : "count" }, el("b", {}, number), ` ${words}`);
const list = (title, name, pairs) => el("div", { class: name }, el("h3", {}, title), rules(pairs));
const rules = (pairs) => el("ul", { class: "rules" }, pairs.map(([rule, words]) => el("li", {}, el("a", { href: `/rules/${rule}` }, rule), " ", el("span", {}, words))));

/** The rest, folded until somebody asks. */
export function behindOf(state, doing) {
  const { explained, request, answer, service, log } = state;
  const { faults, warnings, fetched } = explained;
  return [
    fold("validation", faults.length ? `FHIR validation: ${many(faults.length, "fault")}` : "FHIR validation: no faults", () =>
      faults.length ? el("ul", { class: "faults" }, faults.map((each) => el("li", {}, el("button", { type: "button", class: "ref", onclick: () => doing.point(each) }, each.location), ` ${each.message}`)))
        : el("p", {}, "Every resource is valid FHIR R4, held against the models of fhir.resources.")),
    warnings.length ? fold("left-out", `Left out: ${warnings.length}`, () => el("ul", {}, warnings.map((each) => el("li", {}, el("code", {}, each.location), ` ${each.message}`))), true) : null,
    fetched.length ? fold("fetched", `Fetched from the FHIR server: ${many(fetched.length, "query", "queries")}`, () => el("ul", {}, fetched.map((each) => el("li", {}, el("code", {}, each.query))))) : null,
    state.asked.length ? fold("asked", `Asked of the FHIR server: ${many(state.asked.length, "query", "queries")}`, () => el("ul", {}, state.asked.map((each) => el("li", {}, el("code", {}, `GET ${each.query}`), each.fault ? ` ${each.fault}` : ` ${many(each.found, "resource")}`)))) : null,
    fold("token", "Token: signed for this call", () => el("div", {}, el("p", { class: "about" }, "An EHR signs each call with its own key. In development the service does not look at it; in production it checks it against the key that was registered for the client. The public key of this page is at ", el("a", { href: "/sandbox/jwks.json" }, "/sandbox/jwks.json"), "."), json({ header: state.signed.header, claims: state.signed.claims }, "token", []))),
    fold("request", `Request: POST /cds-services/${service}`, () => json(hidden(request), "request", explained.findings.flatMap((each) => each.evidence.map((seen) => seen.location)))),
    fold("response", `Response: ${many(answer.cards.length, "card")}`, () => json(answer, "response", [])),
    log.length ? fold("log", `What you did: ${many(log.length, "step")}`, () => el("ol", { class: "log" }, log.map((each) => el("li", {}, each.what, ...differences(each.differences))))) : null,
  ];
}

/** The request without the token for somebody's FHIR server. */
const hidden = ({ fhirAuthorization, ...rest }) => (fhirAuthorization ? { ...rest, fhirAuthorization: { ...fhirAuthorization, access_token: "not shown" } } : rest);

function fold(id, title, content, isOpen = false) {
  const details = el("details", { id, class: "fold" }, el("summary", {}, title));
  const fill = () => { if (details.open && details.children.length === 1) details.append(content()); };
  details.addEventListener("toggle", fill);
  if (isOpen) { details.open = true; fill(); }
  details.fill = fill;
  return details;
}

/** What changed in each resource, as lines that came and went. */
export function differences(changes) {
  return (changes ?? []).map((each) => el("div", { class: "difference" }, el("p", {}, el("b", {}, `${each.reference} `), each.what),
    el("pre", { tabindex: "0", role: "region", "aria-label": `${each.reference}: ${each.what}` }, each.lines.map((line) => el("span", { class: line[0] === "+" ? "came" : line[0] === "-" ? "went" : "same" }, `${line}\n`)))));
}

// --- JSON -----------------------------------------------------------------------------------------------------------

function json(value, name, marked) {
  const lines = [...printed(value, "", "", "", "")];
  const short = lines.slice(0, LONGEST);
  const isMarked = (path) => marked.some((each) => path === each || path.startsWith(`${each}.`) || path.startsWith(`${each}[`));
  const region = el("pre", { class: "json", tabindex: "0", role: "region", "aria-label": `The ${name} as JSON` },
    short.map(({ path, text }) => el("span", { class: isMarked(path) ? "line evidence" : "line", "data-path": path }, `${text}\n`)));
  return el("div", {}, marked.length ? el("p", { class: "about" }, "Marked: what the cards rest on.") : null, region,
    lines.length > LONGEST ? el("p", { class: "about" }, `The first ${LONGEST} of ${lines.length} lines; download the case to see all.`) : null);
}

/** The lines of a value, each with the path of what stands on it. */
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

/** Open the request where a piece of evidence stands. */
export function pointAt(location) {
  const details = document.getElementById("request");
  if (!details) return;
  details.open = true;
  details.fill();
  const region = details.querySelector("pre");
  for (const line of region.querySelectorAll(".aimed")) line.classList.remove("aimed");
  const lines = [...region.querySelectorAll(".line")].filter(({ dataset: { path } }) => path === location || path.startsWith(`${location}.`) || path.startsWith(`${location}[`));
  lines.forEach((line) => line.classList.add("aimed"));
  details.scrollIntoView({ block: "start" });
  if (lines.length) region.scrollTop = lines[0].offsetTop - region.offsetTop - 40;
  region.focus({ preventScroll: true });
}
