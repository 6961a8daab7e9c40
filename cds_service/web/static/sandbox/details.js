// The rules checked, and technical details: validation, request and response as JSON with the evidence marked.
import { inWords, numberOf } from "../language.js";
import { el } from "./dom.js";

const LONGEST = 20000; // lines of JSON that a browser renders without delay

/** The result of every rule: findings, not checked with the reason, passed. */
export function checkedOf(explained) {
  const { findings, notChecked, passed } = explained;
  const flagged = new Set(findings.flatMap((each) => [each.rule, ...(each.alsoRules ?? [])]));
  if (explained.empty) return [el("p", { class: "tally" }, explained.emptySentence), notChecked.length ? list(inWords("Not checked (not a pass)"), "undecided", notChecked.map((each) => [each.rule, each.reason])) : null];
  return [
    el("p", { class: "tally" }, tally(flagged.size, inWords("with findings"), "flagged"), tally(new Set(notChecked.map((each) => each.rule)).size, inWords("not checked"), "undecided"), tally(passed.length, inWords("passed"), "passed")),
    findings.length ? list(inWords("With findings"), "flagged", findings.flatMap((each) => [each.rule, ...(each.alsoRules ?? [])].map((rule) => [rule, each.summary]))) : null,
    notChecked.length ? list(inWords("Not checked (not a pass)"), "undecided", notChecked.map((each) => [each.rule, each.reason])) : null,
    passed.length ? el("details", { class: "passed" }, el("summary", {}, numberOf(passed.length, "Passed: {count} rule", "Passed: {count} rules")), rules(passed.map((each) => [each.rule, each.reason]))) : null,
  ];
}

const tally = (number, words, name) => el("span", { class: number ? `count ${name}` : "count" }, el("b", {}, number), " ", words);
const list = (title, name, pairs) => el("div", { class: name }, el("h3", {}, title), rules(pairs));
const rules = (pairs) => el("ul", { class: "rules" }, pairs.map(([rule, words]) => el("li", {}, el("a", { href: `/rules/${rule}`, dir: "ltr", translate: "no" }, rule), " ", el("span", {}, words))));

/** The technical details, each folded until it is opened. */
export function detailsOf(state, actions) {
  const { explained, request, answer, service, log } = state;
  const { faults, warnings, fetched } = explained;
  return [
    fold("notation", inWords("In billers' notation"), () => notation(explained.notation)),
    fold("validation", faults.length ? numberOf(faults.length, "FHIR validation: {count} error", "FHIR validation: {count} errors") : inWords("FHIR validation: no errors"), () =>
      faults.length ? el("ul", { class: "faults" }, faults.map((each) => el("li", {}, el("button", { type: "button", class: "ref", onclick: () => actions.point(each) }, each.location), " ", each.message)))
        : el("p", {}, inWords("Every resource is valid FHIR R4 (checked with {library}).", { library: "fhir.resources" }))),
    warnings.length ? fold("skipped", inWords("Skipped: {count}", { count: warnings.length }), () => el("ul", {}, warnings.map((each) => el("li", {}, el("code", { dir: "ltr" }, each.location), " ", each.message))), true) : null,
    fetched.length ? fold("fetched", numberOf(fetched.length, "Fetched by the service: {count} query", "Fetched by the service: {count} queries"), () => el("ul", {}, fetched.map((each) => el("li", {}, el("code", {}, each.query))))) : null,
    state.queries.length ? fold("queries", numberOf(state.queries.length, "Queried from the FHIR server: {count} query", "Queried from the FHIR server: {count} queries"), () => el("ul", {}, state.queries.map((each) => el("li", {}, el("code", {}, `GET ${each.query}`), " ", each.fault || numberOf(each.found, "{count} resource", "{count} resources"))))) : null,
    fold("token", inWords("Token signed for this call"), () => el("div", {}, el("p", { class: "about" }, inWords("An EHR signs each call with its own private key. The service checks the signature in production, against the registered public key, and not in development."), " ", inWords("The public key of this page:"), " ", el("a", { href: "/sandbox/jwks.json", dir: "ltr", translate: "no" }, "/sandbox/jwks.json")), json({ header: state.signed.header, claims: state.signed.claims }, inWords("The token as JSON"), []))),
    fold("request", inWords("Request: {address}", { address: `POST /cds-services/${service}` }), () => json(withoutToken(request), inWords("The request as JSON"), explained.findings.flatMap((each) => each.evidence.map((seen) => seen.location)))),
    fold("response", numberOf(answer.cards.length, "Response: {count} card", "Response: {count} cards"), () => json(answer, inWords("The response as JSON"), [])),
    log.length ? fold("log", numberOf(log.length, "Your changes: {count} step", "Your changes: {count} steps"), () => el("ol", { class: "log" }, log.map((each) => el("li", {}, each.action, ...differences(each.differences))))) : null,
  ];
}

/** The case as coders type it, and what that leaves out. */
function notation({ text, leftOut }) {
  return el("div", {},
    el("p", { class: "about" }, inWords("The same case as coders type it."), " ", el("a", { href: `/claim#${encodeURIComponent(text)}` }, inWords("Open it as a claim"))),
    el("pre", { class: "json", dir: "ltr", translate: "no", tabindex: "0", role: "region", "aria-label": inWords("The case in billers' notation") }, text),
    leftOut.length ? el("div", {}, el("p", { class: "about" }, inWords("It has no words for:")), el("ul", { class: "faults" }, leftOut.map((each) => el("li", {}, each)))) : null);
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

const CHANGE = { added: inWords("added"), changed: inWords("changed"), removed: inWords("removed") };

/** The differences of each changed resource, as added and removed lines. */
export function differences(changes) {
  return (changes ?? []).map((each) => el("div", { class: "difference" }, el("p", {}, el("b", {}, each.reference), " ", CHANGE[each.change]),
    el("pre", { dir: "ltr", translate: "no", tabindex: "0", role: "region", "aria-label": `${each.reference}: ${CHANGE[each.change]}` }, each.lines.map((line) => el("span", { class: line[0] === "+" ? "added" : line[0] === "-" ? "removed" : "same" }, `${line}\n`)))));
}

// --- JSON -----------------------------------------------------------------------------------------------------------

function json(value, name, marked) {
  const lines = [...printed(value, "", "", "", "")];
  const shown = lines.slice(0, LONGEST);
  const isMarked = (path) => marked.some((each) => isWithin(path, each));
  const region = el("pre", { class: "json", dir: "ltr", translate: "no", tabindex: "0", role: "region", "aria-label": name },
    shown.map(({ path, text }) => el("span", { class: isMarked(path) ? "line evidence" : "line", "data-path": path }, `${text}\n`)));
  return el("div", {}, marked.length ? el("p", { class: "about" }, inWords("Highlighted: evidence of the cards.")) : null, region,
    lines.length > LONGEST ? el("p", { class: "about" }, inWords("First {shown} of {all} lines; download the case to see all.", { shown: LONGEST, all: lines.length })) : null);
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
