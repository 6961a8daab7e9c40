// The sandbox: opens cases, calls the service, and acts as the EHR around it.
import { STOP, capital, inLanguage, inWords, keepEnglish, language, numberOf } from "../language.js";
import { cardOf, overriddenOf, textsOf, verdictOf } from "./cards.js";
import { checkedOf, detailsOf, differences, pointAt } from "./details.js";
import { $, copy, el, say, show } from "./dom.js";
import { announce, excerpt, offsetOf } from "./forms.js";
import { connectForm } from "./connect.js";
import { call, feedback, get, post, Refused } from "./service.js";
import { factsOf, marksOf, timelineOf } from "./timeline.js";

const state = {
  sample: "", title: "", notes: [],
  request: null, service: "", origin: null,        // the case, the service it is sent to, and the case before the hook was changed
  answer: null, signed: null, explained: null, queries: [],
  overridden: new Map(),                           // reasons of overridden cards, by finding
  log: [],                                         // the user's changes, each with the state before it
};
let opening = ""; // the sample that was chosen last; one that loads more slowly does not replace it
let latest = 0; // number of the latest call; answers of earlier ones are discarded

// --- opening a case -------------------------------------------------------------------------------------------------

async function openSample(name, push = true) {
  const link = document.querySelector(`.picker a[data-sample="${CSS.escape(name)}"]`);
  markCurrent(name);
  try {
    const built = await get(inLanguage(`/sandbox/samples/${name.split("/").map(encodeURIComponent).join("/")}`));
    if (opening !== name) return;
    if (push) history.pushState({ sample: name }, "", `?sample=${name}`);
    const title = link?.dataset.about ?? name;
    if (link?.querySelector(".untranslated")?.textContent === title) keepEnglish([title]);
    await open(built, { sample: name, title });
  } catch (error) {
    if (opening === name) showError(error);
  }
}

function markCurrent(name) {
  opening = name;
  for (const each of document.querySelectorAll("[data-sample]")) {
    const isCurrent = each.dataset.sample === name;
    each.toggleAttribute("aria-current", isCurrent);
    if (isCurrent) each.setAttribute("aria-current", "true");
    if (isCurrent && each.closest("details")) each.closest("details").open = true;
  }
}

async function open(built, about) {
  Object.assign(state, { sample: "", queries: built.queries ?? [], notes: built.notes, request: built.request, service: built.service, origin: built, overridden: new Map(), log: [] }, about);
  $("done").hidden = true;
  await review();
}

/** Call the service and the explanation of the case, then show both. */
async function review({ keepTimeline = false } = {}) {
  const number = ++latest;
  $("stage").setAttribute("aria-busy", "true");
  try {
    const [{ answer, signed }, explained] = await Promise.all([call(`/cds-services/${state.service}`, state.request), post(inLanguage("/sandbox/explain"), state.request)]);
    if (number !== latest) return;
    Object.assign(state, { answer, signed, explained });
    keepEnglishCards();
    draw(keepTimeline);
  } catch (error) {
    if (number === latest) showError(error);
    if (!(error instanceof Refused)) throw error;
  } finally {
    if (number === latest) $("stage").setAttribute("aria-busy", "false");
  }
}

/** Tell cards apart that the service has in English only: their summary is not that of the finding in the language. */
function keepEnglishCards() {
  if (language === "en") return;
  const isSaid = (card) => findingOf(card)?.summary === card.summary && !state.explained.untranslated.includes(card.summary);
  for (const card of state.answer.cards) if (!isSaid(card)) keepEnglish(textsOf(card));
}

function showError(error) {
  $("stage").setAttribute("aria-busy", "false");
  $("case-title").textContent = state.title || inWords("No case is open");
  show($("verdict"), el("div", { class: "verdict refused" }, el("p", { class: "head" }, error.status === 404 ? inWords("Case not found") : inWords("The service rejected this request")),
    el("p", {}, error.message, error.status >= 400 ? ` (HTTP ${error.status})` : "")));
  for (const id of ["cards", "timeline", "checked", "details"]) show($(id));
  announce(error);
}

// --- drawing --------------------------------------------------------------------------------------------------------

const findingOf = (card) => state.explained.findings.find((each) => Object.values(card.extension ?? {}).some((extension) => extension.finding === each.id));

function draw(keepTimeline) {
  const { answer, explained } = state;
  const cards = answer.cards;
  show($("case-title"), state.title);
  $("case-facts").textContent = factsOf(explained.timeline);
  show($("notes"), state.notes.map((each) => el("li", {}, capital(each), STOP)));
  drawHook();
  $("copy-link").hidden = !state.sample;
  $("again").hidden = !state.log.length;
  show($("verdict"), verdictOf(cards, explained));
  show($("cards"), cards.map((card, at) => {
    const finding = findingOf(card);
    const reason = finding && state.overridden.get(finding.id);
    return reason ? overriddenOf(card, reason.words, () => restore(finding.id)) : cardOf(card, at + 1, finding, actions);
  }));
  if (!keepTimeline) show($("timeline"), timelineOf(explained.timeline, marksOf(cards, findingOf), actions));
  show($("checked"), checkedOf(explained));
  const unfolded = [...document.querySelectorAll(".fold[open]")].map((each) => each.id);
  show($("details"), detailsOf(state, actions));
  for (const id of unfolded) if ($(id)) { $(id).open = true; $(id).fill(); }
}

function drawHook() {
  const hook = state.request.hook.split(".").pop();
  for (const each of document.querySelectorAll("[name=hook]")) {
    each.checked = each.value === hook;
    if (each.checked) show($("hook-about"), each.closest("label").title, " ", inWords("Hook: {hook}.", { hook: state.request.hook }));
  }
}

/** Show the last action with an Undo button and its differences. */
function showDone(action, changes = []) {
  $("done").hidden = false;
  show($("done"), el("p", {}, el("b", {}, action), " ", el("button", { type: "button", id: "undo", onclick: undo }, inWords("Undo"))),
    changes.length ? el("details", {}, el("summary", {}, numberOf(changes.length, "Changes: {count} resource", "Changes: {count} resources")), differences(changes)) : null);
}

// --- the user's actions ---------------------------------------------------------------------------------------------

function remember(action, before, changes = []) {
  state.log.push({ action, differences: changes, before, service: state.service, overridden: new Map(state.overridden) });
  state.origin = { request: state.request, service: state.service, notes: [] };
}

async function undo() {
  const last = state.log.pop();
  if (!last) return;
  Object.assign(state, { request: last.before, service: last.service, overridden: last.overridden });
  state.origin = { request: last.before, service: state.service, notes: [] };
  $("done").hidden = true;
  await review();
  say(inWords("Undone. Feedback that was sent cannot be withdrawn."));
  $("verdict").focus();
}

const verdictNow = () => (state.answer.cards.length ? numberOf(state.answer.cards.length, "{count} card", "{count} cards") : inWords("no cards"));

const actions = {
  request: () => state.request,
  point: (seen) => pointAt(seen.location),

  async accept(card, suggestion) {
    try {
      const before = state.request;
      const changed = await post(inLanguage("/sandbox/accept"), { request: before, actions: suggestion.actions ?? [] });
      await feedback(state.service, card.uuid, "accepted", { acceptedSuggestions: [{ id: suggestion.uuid }] });
      state.request = changed.request;
      remember(inWords("Accepted: {fix}", { fix: suggestion.label }), before, changed.differences);
      await review();
      showDone(inWords("Accepted: {fix}. Feedback sent.", { fix: suggestion.label }), changed.differences);
      say(inWords("Accepted. Feedback sent; now {cards}.", { cards: verdictNow() }));
    } catch (error) {
      showDone(inWords("Not accepted: {fault}", { fault: error.message }));
    }
    $("verdict").focus();
  },

  async override(card, reason, comment) {
    const overrideReason = { ...(reason ? { reason: { code: reason.code, system: reason.system } } : {}), ...(comment ? { userComment: comment } : {}) };
    try {
      await feedback(state.service, card.uuid, "overridden", Object.keys(overrideReason).length ? { overrideReason } : {});
    } catch (error) {
      showDone(inWords("Not overridden: {fault}", { fault: error.message }));
      return;
    }
    const finding = findingOf(card);
    remember(inWords("Overridden: {card}", { card: card.summary }), state.request);
    if (finding) state.overridden.set(finding.id, { words: reason?.display ?? inWords("no reason") });
    draw(false);
    showDone(inWords("Overridden. Feedback sent."));
    say(inWords("Overridden. Feedback sent."));
    $("verdict").focus();
  },

  /** Review a change while it is typed; the form stays open. */
  async edit(before, content) {
    const changed = await post(inLanguage("/sandbox/edit"), { request: before, edit: content });
    state.request = changed.request;
    state.lastChanges = changed.differences;
    await review({ keepTimeline: true });
  },
  saved(before, action) {
    remember(action, before, state.lastChanges);
    draw(false);
    showDone([action, STOP], state.lastChanges);
    say(inWords("{action}; now {cards}.", { action, cards: verdictNow() }));
    $("verdict").focus();
  },
  async cancel(before) {
    state.request = before;
    await review();
    $("timeline-title").scrollIntoView({ block: "nearest" });
  },
};

function restore(id) {
  state.overridden.delete(id);
  draw(false);
  $("verdict").focus();
}

async function changeHook(hook) {
  try {
    const built = await post(inLanguage(`/sandbox/request?hook=${encodeURIComponent(hook)}`), state.origin.request);
    Object.assign(state, { request: built.request, service: built.service, notes: built.notes });
    await review();
    say(inWords("Called on another hook; now {cards}.", { cards: verdictNow() }));
  } catch (error) {
    drawHook();
    show($("notes"), el("li", { class: "fault" }, inWords("Not possible with this case:"), " ", error.message, STOP));
    announce(error);
  }
}

// --- exporting the case ---------------------------------------------------------------------------------------------

/** The request without the access token for the FHIR server. */
function withoutToken() {
  const { fhirAuthorization, ...rest } = state.request;
  return rest;
}

function curl() {
  return `curl -s -H 'Content-Type: application/json' --data-binary @- ${location.origin}/cds-services/${state.service} <<'CASE'\n${JSON.stringify(withoutToken(), null, 2)}\nCASE\n`;
}

function download() {
  const name = `${state.answer?.cards.length ? "flags" : "passes"}-${(state.sample.split("/")[1] ?? "my-case").replace(/^(flags|passes)-/, "")}.json`;
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(withoutToken(), null, 2)}\n`], { type: "application/json" }));
  const link = el("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  say(inWords("Downloaded as {file}.", { file: name }));
}

async function copied(button, text) {
  const words = button.textContent;
  button.textContent = (await copy(text)) ? inWords("Copied") : inWords("Could not copy");
  say(button.textContent);
  setTimeout(() => { button.textContent = words; }, 1500);
}

// --- the user's own case --------------------------------------------------------------------------------------------

async function openText(text, title, hook = "") {
  const built = await post(inLanguage(`/sandbox/request${hook ? `?hook=${encodeURIComponent(hook)}` : ""}`), text);
  history.pushState({}, "", location.pathname);
  markCurrent("");
  await open(built, { title });
}

function showTextError(error, text) {
  const found = excerpt(text, error.message);
  const place = error.expression && !error.message.includes(error.expression) ? ` (${error.expression})` : "";
  show($("own-fault"), el("div", { class: "fault" }, el("p", {}, inWords("Could not be parsed:"), " ", error.message, place, STOP), found?.node));
  if (found && $("own-text").value === text) {
    const at = offsetOf(text, found.line, found.column);
    $("own-text").focus();
    $("own-text").setSelectionRange(at, at + 1);
  }
}

async function submitText(text, title) {
  show($("own-fault"));
  if (!text.trim()) {
    show($("own-fault"), el("p", { class: "fault" }, inWords("Paste a case or choose a file.")));
    return;
  }
  try {
    await openText(text, title, $("own-hook").value);
    $("own").close();
    $("case-title").focus();
  } catch (error) {
    if (!$("own").open) $("own").showModal();
    showTextError(error, text);
  }
}

async function submitFile(file) {
  if (!file) return;
  const text = await file.text();
  $("own-text").value = text.length < 2e6 ? text : "";
  await submitText(text, file.name);
}

// --- listeners ------------------------------------------------------------------------------------------------------

function find(event) {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const group of document.querySelectorAll(".group")) {
    let any = false;
    for (const link of group.querySelectorAll("a[data-sample]")) {
      const text = `${link.textContent} ${link.dataset.sample} ${group.firstElementChild.textContent}`.toLowerCase();
      const fits = words.every((word) => text.includes(word));
      link.closest("li").hidden = !fits;
      any ||= fits;
      count += fits;
    }
    group.hidden = !any;
    group.open = words.length > 0 && any;
  }
  $("found").textContent = words.length ? (count ? numberOf(count, "{count} case", "{count} cases") : inWords("No case matches all of these words.")) : "";
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sample]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  openSample(link.dataset.sample).then(() => {
    if (link.closest(".picker")) $("picker-toggle").setAttribute("aria-expanded", "false");
    say(`${state.title} ${state.answer ? verdictNow() : ""}`);
    if (link.closest(".picker")) $("case-title").focus();
  });
});
window.addEventListener("popstate", () => start(false));
$("picker-toggle").addEventListener("click", (event) => {
  const button = event.currentTarget;
  button.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
});
$("find").addEventListener("input", find);
for (const each of document.querySelectorAll("[name=hook]")) each.addEventListener("change", () => changeHook(each.value));
$("copy-link").addEventListener("click", (event) => copied(event.currentTarget, `${location.origin}${location.pathname}?sample=${state.sample}`));
$("copy-notation").addEventListener("click", (event) => copied(event.currentTarget, state.explained?.notation.text ?? ""));
$("copy-curl").addEventListener("click", (event) => copied(event.currentTarget, curl()));
$("download").addEventListener("click", download);
$("print").addEventListener("click", () => window.print());
$("again").addEventListener("click", async () => {
  const first = state.log[0];
  Object.assign(state, { request: first.before, service: first.service, log: [], overridden: new Map(), origin: { request: first.before, service: first.service, notes: [] } });
  $("done").hidden = true;
  await review();
  $("case-title").focus();
});
const hooks = [...document.querySelectorAll("[name=hook]")].map((each) => ({ hook: each.value, name: each.closest("label").textContent.trim() }));
connectForm(hooks, async (built, title) => {
  $("connect").close();
  history.pushState({}, "", location.pathname);
  markCurrent("");
  await open(built, { title });
  $("case-title").focus();
});
$("open-connect").addEventListener("click", () => $("connect").showModal());
$("open-own").addEventListener("click", () => $("own").showModal());
$("own-form").addEventListener("submit", (event) => { event.preventDefault(); submitText($("own-text").value, inWords("Your own case")); });
$("own-file").addEventListener("change", (event) => submitFile(event.target.files[0]));
window.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
window.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  submitFile(event.dataTransfer.files[0]);
});

/** The case in the address, as the claim page links to it: billers' notation after `#case=`. */
function caseInAddress() {
  try {
    return location.hash.startsWith("#case=") ? decodeURIComponent(location.hash.slice("#case=".length)) : "";
  } catch {
    return "";
  }
}

function start(isFirst = true) {
  const typed = caseInAddress();
  if (typed) return openText(typed, inWords("Your own case")).catch((error) => { state.title = inWords("Your own case"); showError(error); });
  const wanted = new URLSearchParams(location.search).get("sample");
  const first = document.querySelector("a[data-sample]")?.dataset.sample;
  if (wanted || first) return openSample(wanted ?? first, false);
  $("stage").setAttribute("aria-busy", "false");
  $("case-title").textContent = inWords("Open your own case");
  return isFirst ? $("own").showModal() : null;
}

start();
