// What was read: ordered, done, given, charged, one under the other, so that what is missing is seen.
import { dayOf, el, many } from "./dom.js";
import { editForm } from "./forms.js";

const STATIONS = [
  { name: "Ordered", kinds: ["ordered"], key: null },
  { name: "Done", kinds: ["done", "not done"], key: "procedures" },
  { name: "Given", kinds: ["given", "not given", "unclear"], key: "medicationAdministrations" },
  { name: "Charged", kinds: ["charged"], key: "chargeItems" },
];

/** The story of a case. `marks` are the numbers of the cards that rest on a place. */
export function storyOf(story, marks, doing) {
  const many_studies = story.chapters.length > 1;
  return [
    facts(story),
    story.chapters.length ? null : el("p", { class: "empty" }, "No orders, procedures, contrast or charges of an echo were found in this case."),
    story.chapters.map((chapter) => el("div", { class: "chapter" },
      el("h3", {}, chapter.title, chapter.day ? el("span", { class: "when" }, ` ${dayOf(chapter.day)}`) : null),
      el("ol", { class: "stations" }, STATIONS.map((station) => stationOf(station, chapter, story, marks, doing, many_studies))))),
    el("p", { class: "add" }, el("button", { type: "button", onclick: (event) => open(event.target, { place: "", editable: { code: "", units: "1", modifiers: [], day: "" } }, doing) }, "Add a charge…")),
    (story.also ?? []).map((each) => el("details", { class: "also" }, el("summary", {}, `Also read: ${each.items.length} ${each.kind}`), el("ul", {}, each.items.map((item) => el("li", {}, item))))),
  ];
}

function facts(story) {
  const { payers, setting } = story;
  const rows = [["Who pays", payers.join("; ") || "not known"], ["Billed on", setting || "charges, on no claim yet"]];
  return el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function stationOf(station, chapter, story, marks, doing, several) {
  const found = chapter.told.filter((each) => station.kinds.includes(each.kind));
  if (!found.length && several && !chapter.title.endsWith("echo")) return null;
  return el("li", { class: found.length ? "station" : "station none" }, el("h4", {}, station.name),
    found.length ? el("ul", {}, found.map((each) => itemOf(each, chapter, marks, doing))) : el("p", {}, absence(station, story)));
}

/** Nothing on record is one thing, not to know is another. */
function absence(station, story) {
  if (station.key && !story.complete.includes(station.key)) return "not known: the record did not come whole";
  return "nothing";
}

function itemOf(told, chapter, marks, doing) {
  const place = placeOf(told);
  const numbers = marks.get(place) ?? [];
  const missing = told.kind.startsWith("not ") || told.kind === "unclear";
  const shown = told.code && told.code !== told.what && !told.what.startsWith(told.code) ? `${told.code} · ${told.what}` : told.what;
  const canChange = told.editable && !told.place.startsWith("fhirServer");
  return el("li", { class: numbers.length ? "told cited" : "told", "data-place": place },
    el("p", { class: "what" }, missing ? el("span", { class: "not" }, `${told.kind} `) : null, shown,
      numbers.map((number) => [" ", el("a", { class: "number", href: `#card-${number}`, "aria-label": `card ${number} rests on this` }, number)])),
    el("p", { class: "how" }, [told.detail, told.day && told.day !== chapter.day ? dayOf(told.day) : null].filter(Boolean).join(" · ")),
    el("p", { class: "where" },
      el("button", { type: "button", class: "ref", title: "Show it in the request", onclick: () => doing.point({ location: place, reference: told.reference }) }, told.reference),
      canChange ? el("button", { type: "button", class: "change", "aria-label": `Change ${told.what}`, onclick: (event) => open(event.target, told, doing) }, "Change") : null));
}

export const placeOf = (told) => (told.within ? `${told.place}.${told.within}` : told.place);

function open(button, told, doing) {
  const holder = button.closest(".told, .add");
  if (holder.querySelector("form")) return;
  holder.append(editForm(told, doing));
  holder.querySelector("input").focus();
}

/** Which cards rest on which places. */
export function marksOf(cards, findingOf) {
  const marks = new Map();
  cards.forEach((card, at) => {
    for (const seen of findingOf(card)?.evidence ?? []) {
      marks.set(seen.location, [...new Set([...(marks.get(seen.location) ?? []), at + 1])]);
    }
  });
  return marks;
}

/** Who the case is about, in one line. */
export function factsOf(story) {
  const { name, gender, born } = story.patient;
  const echo = story.chapters.filter((each) => each.title.endsWith("echo"));
  const when = echo.length > 1 ? many(echo.length, "study", "studies") : echo[0]?.day ? dayOf(echo[0].day) : "";
  return [name, gender, born ? `born ${born}` : "", when].filter(Boolean).join(" · ");
}
