// The sandbox: opens cases, asks the service what it says of them, and plays the EHR around it.
import { asideOf, cardOf, verdictOf } from "./cards.js";
import { behindOf, checkedOf, differences, pointAt } from "./behind.js";
import { $, copy, el, many, say, show } from "./dom.js";
import { excerpt, offsetOf, spoken } from "./forms.js";
import { connectForm } from "./connect.js";
import { call, feedback, get, post, Refused } from "./service.js";
import { factsOf, marksOf, storyOf } from "./story.js";

const state = {
  sample: "", title: "", notes: [],
  request: null, service: "", origin: null,      // the case, who answers it, and the case before the moment was changed
  answer: null, signed: null, explained: null, asked: [],
  aside: new Map(),                               // what was set aside, by finding
  log: [],                                        // what was done, each with the way back
};
let asked = 0; // only the newest question's answer is shown

// --- opening a case -------------------------------------------------------------------------------------------------

async function openSample(name, push = true) {
  const link = document.querySelector(`.picker a[data-sample="${CSS.escape(name)}"]`);
  try {
    const framed = await get(`/sandbox/samples/${name.split("/").map(encodeURIComponent).join("/")}`);
    if (push) history.pushState({ sample: name }, "", `?sample=${name}`);
    await open(framed, { sample: name, title: link?.dataset.about ?? name });
  } catch (error) {
    failed(error);
  }
  current(name);
}

function current(name) {
  for (const each of document.querySelectorAll("[data-sample]")) {
    const here = each.dataset.sample === name;
    each.toggleAttribute("aria-current", here);
    if (here) each.setAttribute("aria-current", "true");
    if (here && each.closest("details")) each.closest("details").open = true;
  }
}

async function open(framed, about) {
  Object.assign(state, { sample: "", asked: framed.asked ?? [], notes: framed.notes, request: framed.request, service: framed.service, origin: framed, aside: new Map(), log: [] }, about);
  $("done").hidden = true;
  await ask();
}

/** Ask the service, and what it read; then show both. */
async function ask({ keepStory = false } = {}) {
  const number = ++asked;
  $("stage").setAttribute("aria-busy", "true");
  try {
    const [{ answer, signed }, explained] = await Promise.all([call(`/cds-services/${state.service}`, state.request), post("/sandbox/explain", state.request)]);
    if (number !== asked) return;
    Object.assign(state, { answer, signed, explained });
    draw(keepStory);
  } catch (error) {
    if (number === asked) failed(error);
    if (!(error instanceof Refused)) throw error;
  } finally {
    if (number === asked) $("stage").setAttribute("aria-busy", "false");
  }
}

function failed(error) {
  $("stage").setAttribute("aria-busy", "false");
  $("case-title").textContent = state.title || "No case is open";
  show($("verdict"), el("div", { class: "verdict refused" }, el("p", { class: "head" }, error.status === 404 ? "There is no such case" : "The service did not take this request"),
    el("p", {}, `${error.message.replace(/`/g, "")}${error.status >= 400 ? ` (HTTP ${error.status})` : ""}`)));
  for (const id of ["cards", "story", "checked", "behind"]) show($(id));
  spoken(error);
}

// --- drawing --------------------------------------------------------------------------------------------------------

const findingOf = (card) => state.explained.findings.find((each) => Object.values(card.extension ?? {}).some((extension) => extension.finding === each.id));

function draw(keepStory) {
  const { answer, explained } = state;
  const cards = answer.cards;
  $("case-title").textContent = state.title;
  $("case-facts").textContent = factsOf(explained.story);
  show($("notes"), state.notes.map((each) => el("li", {}, `${each[0].toUpperCase()}${each.slice(1)}.`)));
  drawMoment();
  $("copy-link").hidden = !state.sample;
  $("again").hidden = !state.log.length;
  show($("verdict"), verdictOf(cards, explained));
  show($("cards"), cards.map((card, at) => {
    const finding = findingOf(card);
    const reason = finding && state.aside.get(finding.id);
    return reason ? asideOf(card, reason.words, () => takeBack(finding.id)) : cardOf(card, at + 1, finding, doing);
  }));
  if (!keepStory) show($("story"), storyOf(explained.story, marksOf(cards, findingOf), doing));
  show($("checked"), checkedOf(explained));
  const unfolded = [...document.querySelectorAll(".fold[open]")].map((each) => each.id);
  show($("behind"), behindOf(state, doing));
  for (const id of unfolded) if ($(id)) { $(id).open = true; $(id).fill(); }
}

function drawMoment() {
  const hook = state.request.hook.split(".").pop();
  for (const each of document.querySelectorAll("[name=moment]")) {
    each.checked = each.value === hook;
    if (each.checked) $("moment-about").textContent = `${each.closest("label").title} The hook is called ${state.request.hook}.`;
  }
}

/** What was just done, with the way back. */
function done(what, changes = []) {
  $("done").hidden = false;
  show($("done"), el("p", {}, el("b", {}, what), " ", el("button", { type: "button", id: "undo", onclick: undo }, "Undo")),
    changes.length ? el("details", {}, el("summary", {}, `What changed in the case: ${many(changes.length, "resource")}`), differences(changes)) : null);
}

// --- what the user does ---------------------------------------------------------------------------------------------

function remember(what, before, changes = []) {
  state.log.push({ what, differences: changes, before, service: state.service, aside: new Map(state.aside) });
  state.origin = { request: state.request, service: state.service, notes: [] };
}

async function undo() {
  const last = state.log.pop();
  if (!last) return;
  Object.assign(state, { request: last.before, service: last.service, aside: last.aside });
  state.origin = { request: last.before, service: state.service, notes: [] };
  $("done").hidden = true;
  await ask();
  say("Undone. The case is as it was before; feedback that was sent stays sent.");
  $("verdict").focus();
}

const verdictNow = () => (state.answer.cards.length ? `the service now has ${many(state.answer.cards.length, "card")}` : "the service has nothing more to say");

const doing = {
  request: () => state.request,
  point: (seen) => pointAt(seen.location),

  async accept(card, suggestion) {
    try {
      const before = state.request;
      const changed = await post("/sandbox/accept", { request: before, actions: suggestion.actions ?? [] });
      await feedback(state.service, card.uuid, "accepted", { acceptedSuggestions: [{ id: suggestion.uuid }] });
      state.request = changed.request;
      remember(`Accepted: ${suggestion.label}`, before, changed.differences);
      await ask();
      done(`Accepted: ${suggestion.label}. Feedback was sent.`, changed.differences);
      say(`Accepted. Feedback was sent, and ${verdictNow()}.`);
    } catch (error) {
      done(`Not accepted: ${error.message}`);
    }
    $("verdict").focus();
  },

  async setAside(card, reason, comment) {
    const overrideReason = { ...(reason ? { reason: { code: reason.code, system: reason.system } } : {}), ...(comment ? { userComment: comment } : {}) };
    try {
      await feedback(state.service, card.uuid, "overridden", Object.keys(overrideReason).length ? { overrideReason } : {});
    } catch (error) {
      done(`Not set aside: ${error.message}`);
      return;
    }
    const finding = findingOf(card);
    remember(`Set aside: ${card.summary}`, state.request);
    if (finding) state.aside.set(finding.id, { words: reason?.display ?? "no reason" });
    draw(false);
    done("Set aside. Feedback was sent.");
    say("Set aside. Feedback was sent.");
    $("verdict").focus();
  },

  /** Try a change while it is being written; the form that it is written into stays. */
  async edit(before, content) {
    const changed = await post("/sandbox/edit", { request: before, edit: content });
    state.request = changed.request;
    state.lastChanges = changed.differences;
    await ask({ keepStory: true });
  },
  settled(before, what) {
    remember(what, before, state.lastChanges);
    draw(false);
    done(`${what}.`, state.lastChanges);
    say(`${what}; ${verdictNow()}.`);
    $("verdict").focus();
  },
  async cancel(before) {
    state.request = before;
    await ask();
    $("story-title").scrollIntoView({ block: "nearest" });
  },
};

function takeBack(id) {
  state.aside.delete(id);
  draw(false);
  $("verdict").focus();
}

async function moveTo(hook) {
  try {
    const framed = await post(`/sandbox/request?hook=${encodeURIComponent(hook)}`, state.origin.request);
    Object.assign(state, { request: framed.request, service: framed.service, notes: framed.notes });
    await ask();
    say(`Asked at another moment: ${verdictNow()}.`);
  } catch (error) {
    drawMoment();
    show($("notes"), el("li", { class: "fault" }, `Not possible with this case: ${error.message.replace(/`/g, "")}.`));
    spoken(error);
  }
}

// --- taking it along ------------------------------------------------------------------------------------------------

/** The request without the token that opens somebody's FHIR server. */
function bare() {
  const { fhirAuthorization, ...rest } = state.request;
  return rest;
}

function curl() {
  return `curl -s -H 'Content-Type: application/json' --data-binary @- ${location.origin}/cds-services/${state.service} <<'CASE'\n${JSON.stringify(bare(), null, 2)}\nCASE\n`;
}

function download() {
  const name = `${state.answer?.cards.length ? "flags" : "passes"}-${(state.sample.split("/")[1] ?? "my-case").replace(/^(flags|passes)-/, "")}.json`;
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(bare(), null, 2)}\n`], { type: "application/json" }));
  const link = el("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  say(`Downloaded as ${name}.`);
}

async function copied(button, text) {
  const words = button.textContent;
  button.textContent = (await copy(text)) ? "Copied" : "Could not copy";
  say(button.textContent);
  setTimeout(() => { button.textContent = words; }, 1500);
}

// --- one's own case -------------------------------------------------------------------------------------------------

async function openText(text, title, hook = "") {
  const framed = await post(`/sandbox/request${hook ? `?hook=${encodeURIComponent(hook)}` : ""}`, text);
  history.pushState({}, "", location.pathname);
  current("");
  await open(framed, { title });
}

function refusedText(error, text) {
  const found = excerpt(text, error.message);
  const place = error.expression && !error.message.includes(error.expression) ? ` (${error.expression})` : "";
  show($("own-fault"), el("div", { class: "fault" }, el("p", {}, `This could not be read: ${error.message.replace(/`/g, "")}${place}.`), found?.node));
  if (found && $("own-text").value === text) {
    const at = offsetOf(text, found.line, found.column);
    $("own-text").focus();
    $("own-text").setSelectionRange(at, at + 1);
  }
}

async function take(text, title) {
  show($("own-fault"));
  if (!text.trim()) {
    show($("own-fault"), el("p", { class: "fault" }, "There is nothing here yet: paste a case, or choose a file."));
    return;
  }
  try {
    await openText(text, title, $("own-hook").value);
    $("own").close();
    $("case-title").focus();
  } catch (error) {
    if (!$("own").open) $("own").showModal();
    refusedText(error, text);
  }
}

async function takeFile(file) {
  if (!file) return;
  const text = await file.text();
  $("own-text").value = text.length < 2e6 ? text : "";
  await take(text, file.name);
}

// --- what is clicked ------------------------------------------------------------------------------------------------

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
  $("found").textContent = words.length ? (count ? many(count, "case") : "No case has all of these words.") : "";
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
for (const each of document.querySelectorAll("[name=moment]")) each.addEventListener("change", () => moveTo(each.value));
$("copy-link").addEventListener("click", (event) => copied(event.currentTarget, `${location.origin}${location.pathname}?sample=${state.sample}`));
$("copy-curl").addEventListener("click", (event) => copied(event.currentTarget, curl()));
$("download").addEventListener("click", download);
$("print").addEventListener("click", () => window.print());
$("again").addEventListener("click", async () => {
  const first = state.log[0];
  Object.assign(state, { request: first.before, service: first.service, log: [], aside: new Map(), origin: { request: first.before, service: first.service, notes: [] } });
  $("done").hidden = true;
  await ask();
  $("case-title").focus();
});
const moments = [...document.querySelectorAll("[name=moment]")].map((each) => ({ hook: each.value, name: each.closest("label").textContent.trim() }));
connectForm(moments, async (framed, title) => {
  $("connect").close();
  history.pushState({}, "", location.pathname);
  current("");
  await open(framed, { title });
  $("case-title").focus();
});
$("open-connect").addEventListener("click", () => $("connect").showModal());
$("open-own").addEventListener("click", () => $("own").showModal());
$("own-form").addEventListener("submit", (event) => { event.preventDefault(); take($("own-text").value, "Your own case"); });
$("own-file").addEventListener("change", (event) => takeFile(event.target.files[0]));
window.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
window.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
window.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  takeFile(event.dataTransfer.files[0]);
});

function start(isFirst = true) {
  const wanted = new URLSearchParams(location.search).get("sample");
  const first = document.querySelector("a[data-sample]")?.dataset.sample;
  if (wanted || first) return openSample(wanted ?? first, false);
  $("stage").setAttribute("aria-busy", "false");
  $("case-title").textContent = "Open a case of your own";
  return isFirst ? $("own").showModal() : null;
}

start();
