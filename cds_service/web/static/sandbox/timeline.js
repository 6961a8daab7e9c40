// The record and the charges of each study: ordered, done, given, charged, with cards marked and gaps shown.
import { dayOf, el, many } from "./dom.js";
import { editForm } from "./forms.js";

// The steps of a study. `key` is the prefetch key that must be complete before an empty step means "none".
const STEPS = [
  { name: "Ordered", kinds: ["ordered"], key: null },
  { name: "Done", kinds: ["done", "not done"], key: "procedures" },
  { name: "Given", kinds: ["given", "not given", "unclear"], key: "medicationAdministrations" },
  { name: "Charged", kinds: ["charged"], key: "chargeItems" },
];

const isEcho = (study) => study.title.endsWith("echo");

/** The timeline of a case. `marks` are the numbers of the cards by the path of their evidence. */
export function timelineOf(timeline, marks, actions) {
  const { studies } = timeline;
  return [
    facts(timeline),
    studies.length ? null : el("p", { class: "empty" }, "This case has no echo orders, procedures, contrast or charges."),
    studies.map((study) => el("div", { class: "study" },
      el("h3", {}, study.title, study.day ? el("span", { class: "when" }, ` ${dayOf(study.day)}`) : null),
      el("ol", { class: "steps" }, STEPS.map((step) => stepOf(step, study, timeline, marks, actions))))),
    el("p", { class: "add" }, el("button", { type: "button", onclick: (event) => openForm(event.target, { path: "", editable: { code: "", units: "1", modifiers: [], day: "" } }, actions) }, "Add a charge…")),
    (timeline.otherRecords ?? []).map((each) => el("details", { class: "other-records" }, el("summary", {}, `Also in the record: ${each.items.length} ${each.kind}`), el("ul", {}, each.items.map((item) => el("li", {}, item))))),
  ];
}

function facts({ payers, setting }) {
  const rows = [["Payer", payers.join("; ") || "unknown"], ["Claim type", setting || "charges, not on a claim yet"]];
  return el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function stepOf(step, study, timeline, marks, actions) {
  const entries = study.entries.filter((each) => step.kinds.includes(each.kind));
  if (!entries.length && timeline.studies.length > 1 && !isEcho(study)) return null;
  return el("li", { class: entries.length ? "step" : "step none" }, el("h4", {}, step.name),
    entries.length ? el("ul", {}, entries.map((each) => entryOf(each, study, marks, actions))) : el("p", {}, absence(step, timeline)));
}

/** The text of an empty step: "none" only if that part of the record is complete. */
function absence(step, timeline) {
  return step.key && !timeline.complete.includes(step.key) ? "unknown: the record is incomplete" : "none";
}

function entryOf(entry, study, marks, actions) {
  const path = pathOf(entry);
  const numbers = marks.get(path) ?? [];
  const isNegative = entry.kind.startsWith("not ") || entry.kind === "unclear";
  const title = entry.code && entry.code !== entry.title && !entry.title.startsWith(entry.code) ? `${entry.code} · ${entry.title}` : entry.title;
  const canChange = entry.editable && !entry.path.startsWith("fhirServer");
  return el("li", { class: numbers.length ? "entry cited" : "entry", "data-path": path },
    el("p", { class: "title" }, isNegative ? el("span", { class: "not" }, `${entry.kind} `) : null, title,
      numbers.map((number) => [" ", el("a", { class: "number", href: `#card-${number}`, "aria-label": `evidence of card ${number}` }, number)])),
    el("p", { class: "detail" }, [entry.detail, entry.day && entry.day !== study.day ? dayOf(entry.day) : null].filter(Boolean).join(" · ")),
    el("p", { class: "where" },
      el("button", { type: "button", class: "ref", title: "Show in the request", onclick: () => actions.point({ location: path, reference: entry.reference }) }, entry.reference),
      canChange ? el("button", { type: "button", class: "change", "aria-label": `Change ${entry.title}`, onclick: (event) => openForm(event.target, entry, actions) }, "Change") : null));
}

const pathOf = (entry) => (entry.within ? `${entry.path}.${entry.within}` : entry.path);

function openForm(button, entry, actions) {
  const holder = button.closest(".entry, .add");
  if (holder.querySelector("form")) return;
  holder.append(editForm(entry, actions));
  holder.querySelector("input").focus();
}

/** The numbers of the cards by the path of their evidence. */
export function marksOf(cards, findingOf) {
  const marks = new Map();
  cards.forEach((card, at) => {
    for (const seen of findingOf(card)?.evidence ?? []) {
      marks.set(seen.location, [...new Set([...(marks.get(seen.location) ?? []), at + 1])]);
    }
  });
  return marks;
}

/** The patient and the date of the study, in one line. */
export function factsOf({ patient, studies }) {
  const echo = studies.filter(isEcho);
  const when = echo.length > 1 ? many(echo.length, "study", "studies") : echo[0]?.day ? dayOf(echo[0].day) : "";
  return [patient.name, patient.gender, patient.born ? `born ${patient.born}` : "", when].filter(Boolean).join(" · ");
}
