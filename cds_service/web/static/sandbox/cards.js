// Cards as an EHR draws them: what is wrong, why, what a click would do, and how to set the advice aside.
import { el, many, markup } from "./dom.js";

const INDICATOR = { info: "For information", warning: "Warning", critical: "Critical" };
const DOES = { create: "Creates", update: "Changes", delete: "Removes" };

/** A card; `finding` is the same thing as a review says it, with the evidence and the detail as HTML. */
export function cardOf(card, number, finding, doing) {
  const title = `card-${number}-title`;
  return el("article", { class: `advice ${card.indicator}`, id: `card-${number}`, "aria-labelledby": title },
    el("p", { class: "from" },
      el("span", { class: "number", "aria-hidden": "true" }, number),
      el("span", { class: `indicator ${card.indicator}` }, INDICATOR[card.indicator]),
      el("span", { class: "origin" }, card.source.url ? el("a", { href: card.source.url, rel: "noreferrer" }, card.source.label) : card.source.label)),
    el("h3", { id: title }, card.summary),
    suggestions(card, doing),
    el("div", { class: "detail" }, detail(card, finding, doing)),
    el("div", { class: "last" },
      (card.links ?? []).map((link) => el("a", { href: here(link.url) }, link.label)),
      overrides(card, number, doing)));
}

/** The service's own pages are reached where this page was: in front of it may stand another name. */
const here = (url) => { const at = url.indexOf("/rules/"); return at < 0 ? url : url.slice(at); };

function detail(card, finding, doing) {
  if (!finding) return el("p", {}, card.detail ?? "");
  const nodes = markup(finding.html);
  for (const node of nodes) {
    for (const code of node.querySelectorAll?.("code") ?? []) {
      const seen = finding.evidence.find((each) => each.reference === code.textContent);
      if (seen) code.replaceWith(el("button", { type: "button", class: "ref", title: "Show it in the request", onclick: () => doing.point(seen) }, code.textContent));
    }
    for (const table of node.matches?.("table") ? [node] : []) {
      const heads = [...table.querySelectorAll("th")].map((each) => each.textContent);
      for (const row of table.querySelectorAll("tbody tr")) [...row.cells].forEach((cell, at) => { cell.dataset.label = heads[at] ?? ""; });
    }
  }
  return nodes;
}

function suggestions(card, doing) {
  const offered = card.suggestions ?? [];
  if (!offered.length) return el("p", { class: "about" }, "Nothing to accept: a person has to decide or to enter what is missing.");
  return el("div", { class: "offers" },
    offered.length > 1 ? el("p", { class: "about" }, `${many(offered.length, "way")} to mend it; at most one is taken.`) : null,
    offered.map((each) => el("div", { class: "offer" },
      el("button", { type: "button", class: "main", onclick: () => doing.accept(card, each) }, each.label),
      each.isRecommended ? el("span", { class: "recommended" }, "the record decides for it") : null,
      el("ul", {}, (each.actions ?? []).map(action)))));
}

function action(each) {
  const kind = each.resource?.resourceType ?? each.resourceId?.split("/")[0] ?? "";
  return el("li", {}, el("b", {}, `${DOES[each.type]} ${kind}`), `: ${each.description[0].toLowerCase()}${each.description.slice(1)}`);
}

function overrides(card, number, doing) {
  const reasons = card.overrideReasons ?? [];
  const choice = el("select", { id: `reason-${number}` }, el("option", { value: "" }, "No reason"), reasons.map((each) => el("option", { value: each.code }, each.display)));
  const comment = el("input", { id: `comment-${number}`, type: "text", maxlength: 500, autocomplete: "off" });
  const aside = (event) => {
    event.preventDefault();
    doing.setAside(card, reasons.find((each) => each.code === choice.value), comment.value.trim());
  };
  return el("details", { class: "override" }, el("summary", {}, "Set aside…"),
    el("form", { onsubmit: aside },
      el("p", {}, el("label", { for: choice.id }, "Why?"), " ", choice),
      el("p", {}, el("label", { for: comment.id }, "In your words (not about the patient)"), " ", comment),
      el("button", { type: "submit" }, "Set aside")));
}

/** A card that the user has set aside. */
export function asideOf(card, reason, back) {
  return el("p", { class: "aside" }, el("span", {}, "Set aside: "), card.summary, reason ? ` (${reason})` : "", " ",
    el("button", { type: "button", onclick: back }, "Take back"));
}

/** In one sentence: what the service says of the case. */
export function verdictOf(cards, explained) {
  const warned = cards.filter((each) => each.indicator !== "info").length;
  const open = new Set(explained.notChecked.map((each) => each.rule)).size;
  if (warned) {
    return el("div", { class: "verdict warning" }, el("p", { class: "head" }, many(cards.length, "card")),
      el("p", {}, `Left as it is, this may be denied or paid wrongly.${warned < cards.length ? ` ${many(cards.length - warned, "card is", "cards are")} for information.` : ""}`));
  }
  if (cards.length) return el("div", { class: "verdict info" }, el("p", { class: "head" }, many(cards.length, "card")), el("p", {}, "Nothing is wrong. There is something to know."));
  const rest = open ? `, and ${many(open, "rule")} could not decide (see below).` : ".";
  return el("div", { class: "verdict pass" }, el("p", { class: "head" }, "Silence"), el("p", {}, `No card: the service found nothing wrong${rest} In the EHR nobody is interrupted.`));
}
