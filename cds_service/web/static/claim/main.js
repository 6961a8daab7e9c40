// The claim page: the form and the text follow each other, and the verdict follows both.
import { inLanguage, inWords, numberOf } from "../language.js";
import { $, copy, el, say, show } from "../sandbox/dom.js";
import { post, Refused } from "../sandbox/service.js";
import { addRow, drawForm, fieldOf, fieldsOf, fillFrom, linesPasted, markCited, markFault, showParts } from "./form.js";
import { findingOf, headOf, passedOf, undecidedOf } from "./verdict.js";
import { keepWords, startWords } from "./words.js";

const PAUSE = 300; // milliseconds after the last key before the claim is reviewed
const state = { fields: {}, text: "", answer: null, undo: [] };
let latest = 0; // number of the latest call; answers of earlier ones are discarded
let timer = 0;

// --- reviewing ------------------------------------------------------------------------------------------------------

/** Review a case; `from` is where it was typed, which is not written over: `form`, `text`, or empty for neither. */
async function review(content, from) {
  const number = ++latest;
  clearTimeout(timer);
  $("stage").setAttribute("aria-busy", "true");
  try {
    const answer = await post(inLanguage("/claim"), content);
    if (number !== latest) return false;
    accept(answer, from);
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (number === latest) refuse(error);
    return false;
  } finally {
    if (number === latest) $("stage").setAttribute("aria-busy", "false");
  }
}

function accept(answer, from) {
  Object.assign(state, { answer, fields: answer.case, text: answer.notation });
  if (from !== "text") $("text").value = answer.notation;
  if (from !== "form") drawForm(answer.case, answer.form);
  history.replaceState(null, "", `#${encodeURIComponent(answer.notation)}`);
  $("fault").hidden = true;
  markFault("");
  markExample();
  draw();
}

function refuse(error) {
  $("fault").hidden = false;
  show($("fault"), error.message);
  markFault(error.expression, error.message);
  if (!state.answer) show($("verdict"));
}

function draw() {
  const { findings, notChecked, passed, warnings } = state.answer;
  show($("verdict"), headOf(state.answer));
  show($("findings"), findings.map((each, at) => findingOf(each, at + 1, acceptFix, answerQuestion)),
    warnings.length ? el("ul", { class: "warnings" }, warnings.map((each) => el("li", {}, each.message))) : null);
  const undecided = undecidedOf(notChecked, answerQuestion);
  $("undecided-part").hidden = !undecided.length;
  show($("undecided"), undecided);
  $("passed-part").hidden = !passed.length;
  show($("passed"), passedOf(passed, notChecked));
  markCited(findings);
  $("printed").textContent = state.text;
  $("jump").hidden = false;
  show($("jump"), verdictNow());
  const sandbox = $("to-sandbox");
  if (sandbox) sandbox.href = `${sandbox.pathname}#case=${encodeURIComponent(state.text)}`;
}

function verdictNow() {
  const { findings, empty } = state.answer;
  if (findings.length) return numberOf(findings.length, "{count} finding", "{count} findings");
  return empty ? inWords("Nothing to check") : inWords("No findings");
}

// --- fixes and answers ----------------------------------------------------------------------------------------------

/** Change the claim; `done` are texts that say what was done. */
async function change(content, ...done) {
  const before = state.text;
  if (!(await review(content, ""))) return;
  state.undo.push(before);
  showDone(...done);
  say(inWords("{done}. Now: {verdict}.", { done: done.join(" "), verdict: verdictNow() }));
  $("verdict").focus();
}

const acceptFix = (fix) => change({ text: fix.notation }, inWords("Accepted: {fix}", { fix: fix.label }));

/** Put an answer into the claim. What a person has to enter (null) is left to the field, which gets the focus. */
async function answerQuestion(option, question) {
  const fields = { ...state.fields };
  const chosen = Object.entries(option.set ?? {});
  const given = chosen.filter(([, value]) => value !== null);
  if (given.some(([key]) => ["professional", "institutional"].includes(key))) for (const key of ["claim_type", "lines", "charged"]) delete fields[key];
  for (const [key, value] of given) fields[key] = value;
  if (given.length) await change(fields, question, option.label);
  const [missing] = chosen.find(([, value]) => value === null) ?? [];
  if (missing) fieldOf(missing)?.focus();
}

function showDone(...done) {
  $("done-box").hidden = false;
  const back = el("button", { type: "button", id: "undo", onclick: undo }, inWords("Undo"));
  show($("done-box"), el("p", {}, done.map((each) => [each, " "]), back));
}

async function undo() {
  const before = state.undo.pop();
  if (before === undefined) return;
  if (!before) {
    history.replaceState(null, "", location.pathname);
    start();
  } else if (!(await review({ text: before }, ""))) return;
  $("done-box").hidden = true;
  say(before ? inWords("Undone. Now: {verdict}.", { verdict: verdictNow() }) : inWords("Undone. The claim is empty."));
  $("verdict").focus();
}

// --- typing ---------------------------------------------------------------------------------------------------------

const hasContent = (fields) => Object.keys(fields).some((key) => !["claim_type", "place", "payer", "day", "bill", "diagnoses"].includes(key));

function typed(from) {
  clearTimeout(timer);
  $("done-box").hidden = true;
  timer = setTimeout(() => {
    if (from === "text") return $("text").value.trim() ? review({ text: $("text").value }, "text") : undefined;
    const fields = fieldsOf(state.fields);
    return hasContent(fields) ? review(fields, "form") : undefined;
  }, PAUSE);
}

$("claim").addEventListener("input", () => { showParts(); typed("form"); });
$("claim").addEventListener("submit", (event) => event.preventDefault());
$("text").addEventListener("input", () => typed("text"));
$("claim").addEventListener("keydown", (event) => {
  const holder = event.target.closest("tbody tr");
  if (event.key !== "Enter" || !holder || event.target.tagName !== "INPUT") return;
  event.preventDefault();
  const next = holder.nextElementSibling?.querySelector("input") ?? addRow(holder.closest("table").id);
  next.focus();
});
$("claim").addEventListener("click", (event) => {
  const button = event.target.closest("button.remove");
  if (!button) return;
  const table = button.closest("table");
  button.closest("tr").remove();
  (table.tBodies[0].rows[0]?.querySelector("input") ?? addRow(table.id)).focus();
  typed("form");
});
$("lines").addEventListener("paste", (event) => {
  const lines = event.target.classList.contains("code-cell") ? linesPasted(event.clipboardData.getData("text")) : null;
  if (!lines) return;
  event.preventDefault();
  fillFrom(event.target.closest("tr"), lines).focus();
  say(numberOf(lines.length, "Pasted {count} line.", "Pasted {count} lines."));
  typed("form");
});
$("add-line").addEventListener("click", () => addRow("lines").focus());
$("add-given").addEventListener("click", () => addRow("given").focus());
$("jump").addEventListener("click", () => { $("answer-title").scrollIntoView({ block: "start" }); $("answer-title").focus({ preventScroll: true }); });

new IntersectionObserver(([entry]) => $("jump").classList.toggle("seen", entry.isIntersecting)).observe($("verdict"));

// --- the claim as a whole -------------------------------------------------------------------------------------------

async function copied(button, text) {
  const before = [...button.childNodes];
  const done = (await copy(text)) ? inWords("Copied") : inWords("Could not copy");
  show(button, done);
  say(done);
  setTimeout(() => button.replaceChildren(...before), 1500);
}

function download() {
  if (!state.answer) return;
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(state.answer.bundle, null, 2)}\n`], { type: "application/fhir+json" }));
  el("a", { href: address, download: "claim.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  say(inWords("Downloaded as {file}.", { file: "claim.json" }));
}

$("copy-link").addEventListener("click", (event) => copied(event.currentTarget, location.href));
$("copy-text").addEventListener("click", (event) => copied(event.currentTarget, $("text").value));
$("download").addEventListener("click", download);
$("print").addEventListener("click", () => window.print());
$("for-patient").addEventListener("submit", () => { $("patient-text").value = $("text").value; });
$("new").addEventListener("click", () => { history.pushState(null, "", location.pathname); start(); $("lines").querySelector("input").focus(); });

function markExample() {
  for (const each of document.querySelectorAll("[data-example]")) {
    if (decodeURIComponent(each.hash.slice(1)).trim() === state.text.trim()) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
}

const today = () => { const now = new Date(); return new Date(now - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10); };

/** Open the claim in the address, or an empty one of today. */
function start() {
  const written = textInAddress();
  if (written) {
    $("text").value = written;
    review({ text: written }, "").then((isRead) => { if (!isRead) drawForm({}, { lines: [], given: [] }); });
    return;
  }
  Object.assign(state, { fields: {}, text: "", answer: null, undo: [] });
  latest += 1;
  drawForm({ claim_type: "professional", day: today() }, { lines: [], given: [] });
  $("text").value = "";
  $("fault").hidden = $("done-box").hidden = $("undecided-part").hidden = $("passed-part").hidden = $("jump").hidden = true;
  show($("findings"));
  show($("verdict"), el("p", { class: "about" }, inWords("Type the first code, or open an example.")));
}

function textInAddress() {
  try {
    const text = decodeURIComponent(location.hash.slice(1));
    return document.getElementById(text) ? "" : text;
  } catch {
    return "";
  }
}

startWords((answer) => change({ text: answer.notation }, inWords("Taken from your words")));

// The claim as it is typed stays when the page is read in another language.
document.addEventListener("click", (event) => {
  const link = event.target.closest("nav.languages a, .unchecked a");
  if (!link) return;
  link.hash = $("text").value.trim() ? encodeURIComponent($("text").value) : "";
  keepWords();
});
window.addEventListener("hashchange", () => { if (textInAddress() !== state.text) start(); });
start();
