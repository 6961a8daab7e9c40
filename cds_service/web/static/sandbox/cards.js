// Cards as an EHR shows them: the problem, the reasons, the suggestions, and the form to override the card.
import { STOP, capital, inWords, language, numberOf } from "../language.js";
import { el, markup } from "./dom.js";

const INDICATOR = { info: inWords("For information"), warning: inWords("Warning"), critical: inWords("Critical") };
const ACTION = { create: inWords("Creates"), update: inWords("Changes"), delete: inWords("Removes") };

/** The texts of a card. */
export const textsOf = (card) => [card.summary, card.detail, ...(card.links ?? []).map((each) => each.label), ...(card.overrideReasons ?? []).map((each) => each.display),
  ...(card.suggestions ?? []).flatMap((each) => [each.label, ...(each.actions ?? []).map((action) => action.description)])].filter(Boolean);

/** A card. `finding` is the same finding as `/sandbox/explain` returns it, with evidence and the detail as HTML. */
export function cardOf(card, number, finding, actions) {
  const title = `card-${number}-title`;
  return el("article", { class: `advice ${card.indicator}`, id: `card-${number}`, "aria-labelledby": title },
    el("p", { class: "from" },
      el("span", { class: "number", "aria-hidden": "true" }, number),
      el("span", { class: `indicator ${card.indicator}` }, INDICATOR[card.indicator]),
      el("span", { class: "origin" }, card.source.url ? el("a", { href: card.source.url, rel: "noreferrer" }, card.source.label) : card.source.label)),
    el("h3", { id: title }, card.summary),
    suggestions(card, actions),
    el("div", { class: "detail" }, detail(card, finding, actions)),
    el("div", { class: "last" },
      (card.links ?? []).map((link) => el("a", { href: local(link.url) }, link.label)),
      overrideForm(card, number, actions)));
}

/** A link to the service's own pages, on the host of this page: a proxy may give the service another name. */
const local = (url) => { const at = url.indexOf("/rules/"); return at < 0 ? url : url.slice(at); };

function detail(card, finding, actions) {
  if (!finding) return el("p", {}, card.detail ?? "");
  const nodes = markup(finding.html);
  for (const node of nodes) {
    for (const code of node.querySelectorAll?.("code") ?? []) {
      const seen = finding.evidence.find((each) => each.reference === code.textContent);
      if (seen) code.replaceWith(el("button", { type: "button", class: "ref", title: inWords("Show in the request"), onclick: () => actions.point(seen) }, code.textContent));
    }
    for (const table of node.matches?.("table") ? [node] : []) {
      const heads = [...table.querySelectorAll("th")].map((each) => each.textContent);
      for (const row of table.querySelectorAll("tbody tr")) [...row.cells].forEach((cell, at) => { cell.dataset.label = heads[at] ?? ""; });
    }
  }
  return nodes;
}

function suggestions(card, actions) {
  const offered = card.suggestions ?? [];
  if (!offered.length) return el("p", { class: "about" }, inWords("No suggestion: this needs a decision or data that only a user can enter."));
  return el("div", { class: "offers" },
    offered.length > 1 ? el("p", { class: "about" }, numberOf(offered.length, "{count} alternative; accept at most one.", "{count} alternatives; accept at most one.")) : null,
    offered.map((each) => el("div", { class: "offer" },
      el("button", { type: "button", class: "main", "data-suggested": inWords("Suggested:"), onclick: () => actions.accept(card, each) }, each.label),
      each.isRecommended ? el("span", { class: "recommended" }, inWords("recommended: the record supports it")) : null,
      el("ul", {}, (each.actions ?? []).map(actionOf)))));
}

function actionOf(each) {
  const kind = each.resource?.resourceType ?? each.resourceId?.split("/")[0] ?? "";
  return el("li", {}, el("b", {}, ACTION[each.type], ` ${kind}`), ": ", language === "en" ? `${each.description[0].toLowerCase()}${each.description.slice(1)}` : each.description);
}

function overrideForm(card, number, actions) {
  const reasons = card.overrideReasons ?? [];
  const choice = el("select", { id: `reason-${number}` }, el("option", { value: "" }, inWords("No reason")), reasons.map((each) => el("option", { value: each.code }, each.display)));
  const comment = el("input", { id: `comment-${number}`, type: "text", maxlength: 500, autocomplete: "off" });
  const submit = (event) => {
    event.preventDefault();
    actions.override(card, reasons.find((each) => each.code === choice.value), comment.value.trim());
  };
  return el("details", { class: "override" }, el("summary", {}, inWords("Override…")),
    el("form", { onsubmit: submit },
      el("p", {}, el("label", { for: choice.id }, inWords("Reason")), " ", choice),
      el("p", {}, el("label", { for: comment.id }, inWords("Comment (no patient data)")), " ", comment),
      el("button", { type: "submit" }, inWords("Override"))));
}

/** A card that the user has overridden, in one line. */
export function overriddenOf(card, reason, restore) {
  return el("p", { class: "overridden" }, el("span", {}, inWords("Overridden:"), " "), card.summary, reason ? [" (", reason, ")"] : "", " ",
    el("button", { type: "button", onclick: restore }, inWords("Restore")));
}

/** The result of the review in one sentence. */
export function verdictOf(cards, explained) {
  const warnings = cards.filter((each) => each.indicator !== "info").length;
  const undecided = new Set(explained.notChecked.map((each) => each.rule)).size;
  const found = numberOf(cards.length, "{count} card", "{count} cards"), informs = cards.length - warnings;
  if (warnings) {
    return box("warning", found, inWords("If submitted unchanged, this may be denied or paid incorrectly."),
      informs ? [" ", numberOf(informs, "{count} card is for information.", "{count} cards are for information.")] : null);
  }
  if (cards.length) return box("info", found, inWords("No errors. For information only."));
  if (explained.empty) return box("info", inWords("No cards"), capital(explained.emptySentence), STOP);
  return box("pass", inWords("No cards"), undecided
    ? numberOf(undecided, "No findings; {count} rule was not checked (see below).", "No findings; {count} rules were not checked (see below).")
    : inWords("All rules passed; nothing to correct."));
}

const box = (kind, head, ...texts) => el("div", { class: `verdict ${kind}` }, el("p", { class: "head" }, head), el("p", {}, texts));
