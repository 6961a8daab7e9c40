// The verdict on a claim: findings with their fixes, questions that are open, and the rules that passed.
import { STOP, capital, inARow, inWords, numberOf } from "../language.js";
import { el, markup } from "../sandbox/dom.js";

const INDICATOR = { info: inWords("For information"), warning: inWords("Warning"), critical: inWords("Critical") };

/** The result in one sentence. */
export function headOf(answer) {
  const { findings, notChecked, empty, sentence } = answer;
  const warnings = findings.filter((each) => each.indicator !== "info").length;
  const open = new Set(notChecked.filter(isOpen).map((each) => each.rule)).size;
  const undecided = open ? [" ", numberOf(open, "{count} rule could not decide; see below.", "{count} rules could not decide; see below.")] : [];
  const found = numberOf(findings.length, "{count} finding", "{count} findings");
  if (warnings) return box("warning", found, inWords("If submitted unchanged, this may be denied or paid incorrectly."), ...undecided);
  if (findings.length) return box("info", found, inWords("No errors; for information."), ...undecided);
  if (empty) return box("info", inWords("Nothing to check"), capital(sentence), STOP);
  return open ? box("info", inWords("No findings"), ...undecided.slice(1)) : box("pass", inWords("No findings"), inWords("All rules passed; nothing to correct."));
}

/** True for a question of this claim; a rule that this site has not set up, or switched off, asks none. */
const isOpen = (each) => each.why !== "site";

const box = (kind, head, ...texts) => el("div", { class: `verdict ${kind}` }, el("p", { class: "head" }, head), el("p", {}, texts));

/** A finding, its fix first. */
export function findingOf(finding, number, accept, answerWith) {
  const title = `finding-${number}`;
  return el("article", { class: `advice ${finding.indicator}`, "aria-labelledby": title },
    el("p", { class: "from" }, el("span", { class: `indicator ${finding.indicator}` }, INDICATOR[finding.indicator]), ruleLink(finding.rule, "origin")),
    el("h3", { id: title }, finding.summary),
    finding.question ? ask(finding.question, answerWith) : fixes(finding.remedies ?? [], accept),
    el("details", { class: "why" }, el("summary", {}, inWords("Why")), el("div", { class: "detail" }, detail(finding.html))));
}

/** The detail; cells of its tables name their column, for narrow screens. */
function detail(html) {
  const nodes = markup(html);
  for (const table of nodes.filter((each) => each.matches?.("table"))) {
    const heads = [...table.querySelectorAll("th")].map((each) => each.textContent);
    for (const line of table.querySelectorAll("tbody tr")) [...line.cells].forEach((cell, at) => { cell.dataset.label = heads[at] ?? ""; });
  }
  return nodes;
}

function fixes(offered, accept) {
  if (!offered.length) return el("p", { class: "about" }, inWords("No fix: this needs a decision, or data that only a person can enter."));
  const main = offered.find((each) => each.recommended) ?? (offered.length === 1 ? offered[0] : null);
  return el("div", { class: "offers" }, offered.map((each) => el("div", { class: "offer" },
    each.notation
      ? el("button", { type: "button", class: each === main ? "main" : "", onclick: () => accept(each) }, each.label)
      : el("span", {}, each.label),
    each.recommended ? el("span", { class: "recommended" }, inWords("the record supports it")) : null,
    changesOf(each))));
}

/** The changes of a fix, unless its label says the same. */
function changesOf(fix) {
  const changes = fix.changes.map((each, at) => (at ? each : capital(each)));
  return changes.join("; ") === fix.label ? null : el("p", { class: "about" }, inARow(changes, "; "), STOP);
}

/** The name of a rule, which no language translates. */
const ruleLink = (rule, kind = null) => el("a", { class: kind, href: `/rules/${rule}`, dir: "ltr", translate: "no" }, rule);

/** A question with a button for each answer; `reasons` say what it would decide. */
const ask = (question, answerWith, reasons = []) => el("div", { class: "question", role: "group", "aria-label": question.text },
  el("p", { class: "ask" }, question.text),
  el("p", { class: "answers" }, question.answers.map((option) => el("button", { type: "button", onclick: () => answerWith(option, question.text) }, option.label))),
  reasons);

/** The questions that are open, with buttons where an answer decides them; empty if there is none. */
export function undecidedOf(notChecked, answerWith) {
  const open = notChecked.filter(isOpen);
  const rest = open.filter((each) => !each.question);
  const asked = new Map(open.filter((each) => each.question).map((each) => [JSON.stringify(each.question), each.question]));
  return [...[...asked.entries()].map(([key, question]) => ask(question, answerWith,
    open.filter((each) => JSON.stringify(each.question) === key).map((each) => el("p", { class: "about" }, capital(each.reason), `${STOP} `, ruleLink(each.rule))))),
  ...(rest.length ? [el("ul", { class: "rules" }, rest.map((each) => ruleOf(each.rule, each.reason)))] : [])];
}

/** The rules that passed, each with its reason, and those that this site does not use. */
export function passedOf(passed, notChecked) {
  const off = notChecked.filter((each) => !isOpen(each));
  return [
    fold(numberOf(passed.length, "{count} rule passed: reasons", "{count} rules passed: reasons"), passed.map((each) => ruleOf(each.rule, each.reason ?? each.title)), passed.length < 4),
    off.length ? fold(numberOf(off.length, "{count} rule not used at this site", "{count} rules not used at this site"), off.map((each) => ruleOf(each.rule, each.reason))) : null,
  ];
}

const fold = (title, rules, open = false) => el("details", { class: "passed", open }, el("summary", {}, title), el("ul", { class: "rules" }, rules));
const ruleOf = (rule, text) => el("li", {}, el("span", {}, capital(text), " "), ruleLink(rule));
