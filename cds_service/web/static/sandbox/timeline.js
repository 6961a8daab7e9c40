// The record and the charges of each study: ordered, done, given, charged, with cards marked and gaps shown.
import { inARow, inWords, language, numberOf } from "../language.js";
import { dayOf, el, genderOf } from "./dom.js";
import { editForm } from "./forms.js";

// The steps of a study. `key` is the prefetch key that must be complete before an empty step means "none".
const STEPS = [
  { name: inWords("Ordered"), kinds: ["ordered"], key: null },
  { name: inWords("Done"), kinds: ["done", "not done"], key: "procedures" },
  { name: inWords("Given"), kinds: ["given", "not given", "unclear"], key: "medicationAdministrations" },
  { name: inWords("Charged"), kinds: ["charged"], key: "chargeItems" },
];

const KIND = { "not done": inWords("not done"), "not given": inWords("not given"), unclear: inWords("unclear") };

const isEcho = (study) => study.isEcho;

/** The timeline of a case. `marks` are the numbers of the cards by the path of their evidence. */
export function timelineOf(timeline, marks, actions) {
  const { studies } = timeline;
  return [
    facts(timeline),
    studies.length ? null : el("p", { class: "empty" }, inWords("This case has no echo orders, procedures, contrast or charges.")),
    studies.map((study) => el("div", { class: "study" },
      el("h3", {}, study.title, study.day ? el("span", { class: "when" }, " ", dayOf(study.day)) : null),
      el("ol", { class: "steps" }, STEPS.map((step) => stepOf(step, study, timeline, marks, actions))))),
    el("p", { class: "add" }, el("button", { type: "button", onclick: (event) => openForm(event.target, { path: "", editable: { code: "", units: "1", modifiers: [], day: "" } }, actions) }, inWords("Add a charge…"))),
    (timeline.otherRecords ?? []).map((each) => el("details", { class: "other-records" }, el("summary", {}, inWords("Also in the record: {number} {kind}", { number: each.items.length, kind: each.kind })), el("ul", {}, each.items.map((item) => el("li", {}, item))))),
  ];
}

function facts({ payers, setting }) {
  const rows = [[inWords("Payer"), payers.length ? inARow(payers, "; ") : inWords("unknown")], [inWords("Claim type"), setting || inWords("charges, not on a claim yet")]];
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
  return step.key && !timeline.complete.includes(step.key) ? inWords("unknown: the record is incomplete") : inWords("none");
}

function entryOf(entry, study, marks, actions) {
  const path = pathOf(entry);
  const numbers = marks.get(path) ?? [];
  const isNegative = entry.kind.startsWith("not ") || entry.kind === "unclear";
  const title = entry.code && entry.code !== entry.title && !entry.title.startsWith(entry.code) ? `${entry.code} · ${entry.title}` : entry.title;
  const canChange = entry.editable && !entry.path.startsWith("fhirServer");
  return el("li", { class: numbers.length ? "entry cited" : "entry", "data-path": path },
    el("p", { class: "title" }, isNegative ? el("span", { class: "not" }, KIND[entry.kind], " ") : null, title,
      numbers.map((number) => [" ", el("a", { class: "number", href: `#card-${number}`, "aria-label": inWords("evidence of card {number}", { number }) }, number)])),
    el("p", { class: "detail" }, inARow([entry.detail, entry.day && entry.day !== study.day ? dayOf(entry.day) : null].filter(Boolean), " · ")),
    el("p", { class: "where" },
      el("button", { type: "button", class: "ref", title: inWords("Show in the request"), onclick: () => actions.point({ location: path, reference: entry.reference }) }, entry.reference),
      canChange ? el("button", { type: "button", class: "change", "aria-label": inWords("Change {charge}", { charge: entry.title }), onclick: (event) => openForm(event.target, entry, actions) }, inWords("Change")) : null));
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

// A year or a month alone may be known.
const bornOn = (day) => (language !== "en" && day.length === 10 ? dayOf(day) : day);

/** The patient and the date of the study, in one line. */
export function factsOf({ patient, studies }) {
  const echo = studies.filter(isEcho);
  const when = echo.length > 1 ? numberOf(echo.length, "{count} study", "{count} studies") : echo[0]?.day ? dayOf(echo[0].day) : "";
  return [patient.name, genderOf(patient.gender), patient.born ? inWords("born {day}", { day: bornOn(patient.born) }) : "", when].filter(Boolean).join(" · ");
}
