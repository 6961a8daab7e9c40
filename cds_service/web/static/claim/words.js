// A case in words: how it is understood, what is asked, and after the person's confirmation the proposed lines.
import { STOP, dayOf, inARow, inLanguage, inWords, language, numberOf } from "../language.js";
import { $, el, say, show } from "../sandbox/dom.js";
import { post, Refused } from "../sandbox/service.js";

const KEPT = "claim words"; // while the page is read in another language
const DOUBT = { memory: inWords("memory: verify before use"), secondary: inWords("secondary: verify before use") };
const ANSWERS = "|"; // what stands behind it answers questions
let latest = 0; // number of the latest call; answers of earlier ones are discarded
let take = () => {};

/** Set up the box. `takeLines` puts a confirmed answer of the service into the form. */
export function startWords(takeLines) {
  take = takeLines;
  $("words-form").addEventListener("submit", (event) => { event.preventDefault(); read(false); });
  $("words").addEventListener("input", forget);
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  if (kept) {
    $("in-words").open = true;
    $("words").value = kept;
    read(false);
  }
  for (const each of document.querySelectorAll("[data-description]")) {
    each.addEventListener("click", () => { $("words").value = each.dataset.description; read(false); });
  }
}

/** Keep the text for the page in another language, which takes it away. */
export function keepWords() {
  if ($("words").value.trim()) sessionStorage.setItem(KEPT, $("words").value);
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
    const answer = await post(inLanguage("/claim"), confirmed ? { words, confirmed } : { words });
    if (number === latest) draw(answer, confirmed);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (number !== latest) return;
    $("words-fault").hidden = false;
    show($("words-fault"), error.message);
    $("words").setAttribute("aria-invalid", "true");
  }
}

function draw(answer, confirmed) {
  const { asked, proposed } = answer;
  const title = el("h2", { id: "words-title", tabindex: "-1" }, proposed ? inWords("Proposed lines") : inWords("How it is understood"));
  show($("words-read"), title, el("p", { class: "marked" }, marked(answer)), listOf(answer), ...(proposed ? linesOf(answer) : stepOf(answer, confirmed)));
  title.focus({ preventScroll: true });
  say(proposed
    ? numberOf(proposed.length, "{count} line proposed.", "{count} lines proposed.")
    : numberOf(asked.length, "{count} question to answer.", "{count} questions to answer."));
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
  const label = [span.negated ? inWords("not") : "", span.kind, value, span.unsure ? inWords("not said to have happened") : "", span.corrected ? inWords("spelling corrected") : ""];
  const kind = span.negated ? "negated" : span.unsure ? "unsure" : span.corrected ? "corrected" : "";
  return el("mark", { class: kind }, span.negated ? el("s", {}, span.text) : span.text, " ", el("small", {}, inARow(label.filter(Boolean), " ")));
}

const listOf = ({ notes }) => (notes.length ? el("ul", { class: "words-notes" }, notes.map((each) => el("li", {}, each))) : null);

/** The questions, or the button that confirms. */
function stepOf({ asked }, confirmed) {
  if (asked.length) return [el("p", { class: "about" }, inWords("What decides and is not said is asked; lines are proposed once all is answered.")), asked.map(questionOf)];
  if (confirmed) return [el("p", {}, inWords("No line is proposed."))];
  return [el("p", { class: "answers" }, el("button", { type: "button", class: "main", id: "words-confirm", onclick: () => read(true) }, inWords("This is right: propose lines")))];
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
  return el("span", { class: "entry-field" }, el("label", { for: id }, option.label), " ", input, " ", el("button", { type: "button", onclick: enter }, inWords("Add")));
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
    el("p", { class: "answers" }, el("button", { type: "button", class: "main", id: "words-take", onclick: () => take(answer) }, inWords("Take these lines"))),
    el("p", { class: "about" }, inWords("They go into the form below, where you can change them; the rules check them as any claim.")),
  ];
}

function lineOf({ line, reason, source, verified_through: verified, link, confidence }) {
  const cited = el("span", { dir: "ltr", translate: "no" }, source);
  const checked = verified ? [", ", inWords("verified through {day}", { day: language === "en" ? verified : dayOf(verified) })] : [];
  const doubt = DOUBT[confidence] ? ["; ", DOUBT[confidence]] : [];
  return el("li", {}, el("code", { dir: "ltr" }, line), " ", reason,
    source ? el("span", { class: "about" }, " ", cited, checked, doubt, `${STOP} `, link ? el("a", { href: link }, inWords("More")) : null) : null);
}
