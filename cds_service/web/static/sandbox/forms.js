// What if: a line in a small form; each change is tried at once.
import { el, say } from "./dom.js";

const FIELDS = {
  code: { label: "Code", size: 7, spelling: "characters" },
  units: { label: "Units", size: 4, mode: "decimal" },
  modifiers: { label: "Modifiers", size: 8, hint: "26, JZ" },
  day: { label: "Date", type: "date" },
  ml: { label: "mL given", size: 5, mode: "decimal" },
};
const PAUSE = 350; // milliseconds without a key before a change is tried

export function editForm(told, doing) {
  const before = doing.request();
  const now = told.editable;
  const inputs = Object.keys(FIELDS).filter((name) => now[name] !== undefined).map((name) => [name, input(name, now[name])]);
  const fault = el("p", { class: "fault", role: "alert", hidden: true });
  let waiting = 0;

  const edit = () => ({ place: told.place, within: told.within ?? "", ...Object.fromEntries(inputs.map(([name, { field }]) => [name, read(name, field.value)])) });
  const attempt = async (content) => {
    fault.hidden = true;
    inputs.forEach(([, { field }]) => field.removeAttribute("aria-invalid"));
    try {
      await doing.edit(before, content);
      return true;
    } catch (error) {
      fault.textContent = error.message.replace(/`/g, "");
      fault.hidden = false;
      inputs.find(([name]) => name === error.expression)?.[1].field.setAttribute("aria-invalid", "true");
      return false;
    }
  };
  const live = () => { clearTimeout(waiting); waiting = setTimeout(() => attempt(edit()), PAUSE); };
  const finish = async (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    if (await attempt(edit())) doing.settled(before, told.place ? `Changed ${told.what}` : "Added a charge");
  };
  const cancel = () => { clearTimeout(waiting); doing.cancel(before); };
  const remove = async () => {
    clearTimeout(waiting);
    if (await attempt({ place: told.place, within: told.within ?? "", remove: true })) doing.settled(before, `Removed ${told.what}`);
  };

  return el("form", { class: "edit", onsubmit: finish, oninput: live, "aria-label": told.place ? `Change ${told.what}` : "Add a charge", onkeydown: (event) => { if (event.key === "Escape") cancel(); } },
    el("div", { class: "fields" }, inputs.map(([, { whole }]) => whole)), fault,
    el("p", { class: "buttons" }, el("button", { type: "submit", class: "main" }, "Keep"), el("button", { type: "button", onclick: cancel }, "Cancel"),
      told.place && now.code !== undefined ? el("button", { type: "button", onclick: remove }, "Remove this line") : null));
}

function input(name, value) {
  const { label, size, type = "text", mode, hint, spelling } = FIELDS[name];
  const field = el("input", { type, size, inputmode: mode, placeholder: hint, autocapitalize: spelling, autocomplete: "off", spellcheck: "false", value: Array.isArray(value) ? value.join(", ") : value });
  return { field, whole: el("label", {}, el("span", {}, label), field) };
}

const read = (name, value) => (name === "modifiers" ? value.split(/[\s,]+/).filter(Boolean) : value.trim() === "" ? null : value);

/** Where the text stops to be JSON: the lines around the place that the service named, with a mark below. */
export function excerpt(text, message) {
  const [, line, column] = /line (\d+), column (\d+)/.exec(message) ?? [];
  if (!line) return null;
  const lines = text.split("\n");
  const from = Math.max(0, line - 3);
  const shown = lines.slice(from, Number(line)).map((each, at) => `${String(from + at + 1).padStart(4)}  ${cut(each, Number(column), from + at + 1 === Number(line))}`);
  const indent = Number(column) > 80 ? 40 : Number(column) - 1;
  return { line: Number(line), column: Number(column), node: el("pre", { "aria-hidden": "true" }, `${shown.join("\n")}\n      ${" ".repeat(indent)}▲`) };
}

const cut = (line, column, marked) => (marked && column > 80 ? line.slice(column - 41, column + 40) : line.slice(0, 120));

/** Where a line and column are in a text. */
export function offsetOf(text, line, column) {
  return text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
}

export const spoken = (error) => say(error.message.replace(/`/g, ""));
