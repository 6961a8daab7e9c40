// The form to change a charge or an administration; each change is reviewed while it is typed.
import { inWords } from "../language.js";
import { el, say, show } from "./dom.js";

const FIELDS = {
  code: { label: inWords("Code"), size: 7, spelling: "characters" },
  units: { label: inWords("Units"), size: 4, mode: "decimal" },
  modifiers: { label: inWords("Modifiers, separated by commas"), size: 8 },
  day: { label: inWords("Date"), type: "date" },
  ml: { label: inWords("mL given"), size: 5, mode: "decimal" },
};
const PAUSE = 350; // milliseconds after the last key before a change is reviewed

/** The form for an entry of the timeline; an entry without a path is a new charge. */
export function editForm(entry, actions) {
  const before = actions.request();
  const current = entry.editable;
  const inputs = Object.keys(FIELDS).filter((name) => current[name] !== undefined).map((name) => [name, input(name, current[name])]);
  const fault = el("p", { class: "fault", role: "alert", hidden: true });
  const target = { path: entry.path, within: entry.within ?? "" };
  const label = entry.path ? inWords("Change {charge}", { charge: entry.title }) : inWords("Add a charge");
  let timer = 0;

  const edit = () => ({ ...target, ...Object.fromEntries(inputs.map(([name, { field }]) => [name, valueOf(name, field.value)])) });
  const attempt = async (content) => {
    fault.hidden = true;
    inputs.forEach(([, { field }]) => field.removeAttribute("aria-invalid"));
    try {
      await actions.edit(before, content);
      return true;
    } catch (error) {
      show(fault, error.message);
      fault.hidden = false;
      inputs.find(([name]) => name === error.expression)?.[1].field.setAttribute("aria-invalid", "true");
      return false;
    }
  };
  const onInput = () => { clearTimeout(timer); timer = setTimeout(() => attempt(edit()), PAUSE); };
  const save = async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    if (await attempt(edit())) actions.saved(before, entry.path ? inWords("Changed {charge}", { charge: entry.title }) : inWords("Added a charge"));
  };
  const cancel = () => { clearTimeout(timer); actions.cancel(before); };
  const remove = async () => {
    clearTimeout(timer);
    if (await attempt({ ...target, remove: true })) actions.saved(before, inWords("Removed {charge}", { charge: entry.title }));
  };

  return el("form", { class: "edit", onsubmit: save, oninput: onInput, "aria-label": label, onkeydown: (event) => { if (event.key === "Escape") cancel(); } },
    el("div", { class: "fields" }, inputs.map(([, { whole }]) => whole)), fault,
    el("p", { class: "buttons" }, el("button", { type: "submit", class: "main" }, inWords("Save")), el("button", { type: "button", onclick: cancel }, inWords("Cancel")),
      entry.path && current.code !== undefined ? el("button", { type: "button", onclick: remove }, inWords("Remove this charge")) : null));
}

function input(name, value) {
  const { label, size, type = "text", mode, spelling } = FIELDS[name];
  const field = el("input", { type, size, inputmode: mode, autocapitalize: spelling, autocomplete: "off", spellcheck: "false", value: Array.isArray(value) ? value.join(", ") : value });
  return { field, whole: el("label", {}, el("span", {}, label), field) };
}

const valueOf = (name, value) => (name === "modifiers" ? value.split(/[\s,]+/).filter(Boolean) : value.trim() === "" ? null : value);

/** The lines around a JSON error, with a mark under its column; null if the message names no line. */
export function excerpt(text, message) {
  const [, line, column] = /line (\d+), column (\d+)/.exec(message) ?? [];
  if (!line) return null;
  const lines = text.split("\n");
  const from = Math.max(0, line - 3);
  const shown = lines.slice(from, Number(line)).map((each, at) => `${String(from + at + 1).padStart(4)}  ${cut(each, Number(column), from + at + 1 === Number(line))}`);
  const indent = Number(column) > 80 ? 40 : Number(column) - 1;
  return { line: Number(line), column: Number(column), node: el("pre", { "aria-hidden": "true" }, `${shown.join("\n")}\n      ${" ".repeat(indent)}▲`) };
}

const cut = (line, column, isMarked) => (isMarked && column > 80 ? line.slice(column - 41, column + 40) : line.slice(0, 120));

/** The offset of a line and column in a text. */
export function offsetOf(text, line, column) {
  return text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
}

/** Announce an error to screen readers. */
export const announce = (error) => say(error.message);
