// A case in words: how it is understood, what is asked, and after the person's confirmation the proposed lines.
import { $, el, many, say, show } from "../sandbox/dom.js";
import { post, Refused } from "../sandbox/service.js";

const ANSWERS = "|"; // what stands behind it answers questions
let latest = 0; // number of the latest call; answers of earlier ones are discarded
let take = () => {};

/** Set up the box. `takeLines` puts a confirmed answer of the service into the form. */
export function startWords(takeLines) {
  take = takeLines;
  $("words-form").addEventListener("submit", (event) => { event.preventDefault(); read(false); });
  $("words").addEventListener("input", forget);
  for (const each of document.querySelectorAll("[data-description]")) {
    each.addEventListener("click", () => { $("words").value = each.dataset.description; read(false); });
  }
}

/** Nothing that was read before is of the text as it is now. */
function forget() {
  latest += 1;
  $("words-fault").hidden = true;
  $("words").removeAttribute("aria-invalid");
  show($("words-read"));
}

async function read(confirmed) {
  forget();
  const words = $("words").value.trim();
  if (!words) return $("words").focus();
  const number = latest;
  try {
    const answer = await post("/claim", confirmed ? { words, confirmed } : { words });
    if (number === latest) draw(answer, confirmed);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (number !== latest) return;
    $("words-fault").hidden = false;
    $("words-fault").textContent = error.message.replace(/`/g, "");
    $("words").setAttribute("aria-invalid", "true");
  }
}

function draw(answer, confirmed) {
  const { asked, proposed } = answer;
  const title = el("h2", { id: "words-title", tabindex: "-1" }, proposed ? "Proposed lines" : "How it is understood");
  show($("words-read"), title, el("p", { class: "marked" }, marked(answer)), listOf(answer), ...(proposed ? linesOf(answer) : stepOf(answer, confirmed)));
  title.focus({ preventScroll: true });
  say(proposed ? `${many(proposed.length, "line")} proposed.` : `${many(asked.length, "question")} to answer.`);
}

/** The text with its marks. The service counts characters, not UTF-16 units. */
function marked({ words, understood }) {
  const letters = [...words];
  const parts = [];
  let at = 0;
  for (const each of understood) {
    parts.push(letters.slice(at, each.start).join(""), mark(each));
    at = each.end;
  }
  return [...parts, letters.slice(at).join("")];
}

function mark(span) {
  const value = span.value.toLowerCase() === span.text.toLowerCase() ? "" : span.value;
  const label = [span.negated ? "not" : "", span.kind, value, span.unsure ? "not said to have happened" : "", span.corrected ? "spelling corrected" : ""];
  const kind = span.negated ? "negated" : span.unsure ? "unsure" : span.corrected ? "corrected" : "";
  return el("mark", { class: kind }, span.negated ? el("s", {}, span.text) : span.text, " ", el("small", {}, label.filter(Boolean).join(" ")));
}

const listOf = ({ notes }) => (notes.length ? el("ul", { class: "words-notes" }, notes.map((each) => el("li", {}, each))) : null);

/** The questions, or the button that confirms. */
function stepOf({ asked }, confirmed) {
  if (asked.length) return [el("p", { class: "about" }, "What decides and is not said is asked; lines are proposed once all is answered."), asked.map(questionOf)];
  if (confirmed) return [el("p", {}, "No line is proposed.")];
  return [el("p", { class: "answers" }, el("button", { type: "button", class: "main", id: "words-confirm", onclick: () => read(true) }, "This is right: propose lines"))];
}

function questionOf({ id, question, answers }) {
  return el("section", { class: "question", role: "group", "aria-label": question },
    el("p", { class: "ask" }, question),
    el("p", { class: "answers" }, answers.map((each, at) => (each.enter ? entryOf(each, `words-${id}-${at}`.replace(/[^\w-]/g, "-")) : el("button", { type: "button", onclick: () => (each.notation ? take(each) : add(each.words)) }, each.label)))));
}

/** A field for what a person has to enter, with the button that adds it. */
function entryOf(option, id) {
  const input = el("input", { id, type: option.enter === "date" ? "date" : "text", inputmode: option.enter === "number" ? "decimal" : null, size: 8, autocomplete: "off" });
  const enter = () => (input.value.trim() ? add(option.words.replace("{}", input.value.trim())) : input.focus());
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); enter(); } });
  return el("span", { class: "entry-field" }, el("label", { for: id }, option.label), " ", input, " ", el("button", { type: "button", onclick: enter }, "Add"));
}

/** Add an answer behind the text, where the person sees it. */
function add(words) {
  const text = $("words").value.trim();
  $("words").value = text.includes(ANSWERS) ? `${text}, ${words}` : `${text} ${ANSWERS} ${words}`;
  read(false);
}

function linesOf(answer) {
  return [
    el("ul", { class: "proposed" }, answer.proposed.map(lineOf)),
    el("p", { class: "answers" }, el("button", { type: "button", class: "main", id: "words-take", onclick: () => take(answer) }, "Take these lines")),
    el("p", { class: "about" }, "They go into the form below, where you can change them; the rules check them as any claim."),
  ];
}

function lineOf({ line, reason, source, verified_through: verified, link, confidence }) {
  const checked = verified ? `, verified through ${verified}` : "";
  const doubt = confidence && confidence !== "seen" ? `; ${confidence}: verify before use` : "";
  return el("li", {}, el("code", {}, line), ` ${reason}`, source ? el("span", { class: "about" }, ` ${source}${checked}${doubt}. `, link ? el("a", { href: link }, "More") : null) : null);
}
