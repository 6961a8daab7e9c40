// The form of a claim: rows of lines and doses. It shows a case that the service parsed, and composes one to be parsed.
import { inWords } from "../language.js";
import { $, el, show } from "../sandbox/dom.js";

const SHOWN = ["claim_type", "place", "payer", "day", "bill", "lines", "given", "done", "ordered", "observed", "diagnoses"];
const OTHERS = ["done", "ordered", "observed", "diagnoses"];
const NONE = "none";
const [CODE, MODIFIERS, UNITS] = [inWords("Code"), inWords("Modifiers"), inWords("Units")];
const [AGENT, GIVEN, DISCARDED] = [inWords("Agent"), inWords("mL given"), inWords("mL discarded")];

const field = (label, attributes) => el("input", { "aria-label": label, dir: "ltr", autocomplete: "off", spellcheck: "false", autocapitalize: "characters", ...attributes });

/** A row of a table with a button that removes it; `words` stand behind the item in the notation. */
function row(cells, words, remove) {
  const holder = el("tr", {}, cells.map(([label, input]) => el("td", { "data-label": label }, input)),
    el("td", { class: "last-cell" }, el("button", { type: "button", class: "remove", "aria-label": remove }, "×")));
  if (words) holder.cells[0].append(el("span", { class: "words" }, words));
  holder.dataset.words = words;
  return holder;
}

export function lineRow({ code = "", modifiers = [], units = "", words = "" } = {}) {
  return row([
    [CODE, field(CODE, { class: "code-cell", list: "codes", size: 8, maxlength: 40, value: code })],
    [MODIFIERS, field(MODIFIERS, { size: 8, maxlength: 30, value: modifiers.join(" ") })],
    [UNITS, field(UNITS, { size: 5, maxlength: 11, inputmode: "decimal", value: units })],
  ], words, inWords("Remove this line"));
}

export function doseRow({ agent = "", dose = "", unit = "", discarded = "", words = "" } = {}) {
  return row([
    [AGENT, field(AGENT, { list: "products", size: 14, maxlength: 100, value: agent, autocapitalize: "off" })],
    [GIVEN, field(GIVEN, { size: 6, maxlength: 20, inputmode: "decimal", value: unit && unit !== "mL" ? `${dose} ${unit}` : dose })],
    [DISCARDED, field(DISCARDED, { size: 6, maxlength: 12, inputmode: "decimal", value: discarded })],
  ], words, inWords("Remove this agent"));
}

const rowsOf = (id) => [...$(id).tBodies[0].rows];
const valuesOf = (holder) => [...holder.querySelectorAll("input")].map((each) => each.value.trim());
const words = (holder) => (holder.dataset.words ? ` ${holder.dataset.words}` : "");

/** A line as typed: code, units, modifiers; empty without a code. */
function lineOf(holder) {
  const [code, modifiers, units] = valuesOf(holder);
  if (!code) return "";
  const marked = modifiers.split(/[\s,;-]+/).filter(Boolean).map((each) => `-${each}`).join("");
  return `${code}${units ? `x${units}` : ""}${marked}${words(holder)}`;
}

function doseOf(holder) {
  const [agent, dose, discarded] = valuesOf(holder);
  if (!agent) return "";
  const amount = dose && (/^[\d.]+$/.test(dose) ? `${dose} mL` : dose);
  const rest = discarded && (/^[\d.]+$/.test(discarded) ? `${discarded} mL discarded` : `${discarded} discarded`);
  return `${agent}${amount ? ` ${amount}` : ""}${words(holder)}${rest ? `, ${rest}` : ""}`;
}

const claimType = () => document.querySelector("[name=claim_type]:checked").value;

/** The keys of the case in the form; `before` is the case shown, whose other keys are kept. */
export function fieldsOf(before) {
  const kept = Object.fromEntries(Object.entries(before).filter(([key]) => !SHOWN.includes(key)));
  const type = claimType();
  const typed = {
    claim_type: type,
    place: type ? $("place").value.trim() : "",
    bill: type === "institutional" ? $("bill").value.trim() : "",
    payer: $("payer").value.trim(),
    day: $("day").value,
    lines: rowsOf("lines").map(lineOf).filter(Boolean),
    given: $("none-given").checked ? NONE : rowsOf("given").map(doseOf).filter(Boolean),
    ...Object.fromEntries(OTHERS.map((key) => [key, $(`in-${key}`).value.trim()])),
  };
  if (kept.professional || kept.institutional) delete typed.claim_type;
  return { ...kept, ...Object.fromEntries(Object.entries(typed).filter(([, value]) => value.length)) };
}

/** Show a case: its keys, and its lines and doses taken apart. */
export function drawForm(fields, { lines, given }) {
  const type = fields.claim_type ?? (fields.professional ? "professional" : fields.institutional ? "institutional" : fields.lines ? "" : "professional");
  for (const each of document.querySelectorAll("[name=claim_type]")) each.checked = each.value === type;
  for (const key of ["place", "bill", "payer", "day"]) $(key).value = fields[key] ?? "";
  for (const key of OTHERS) $(`in-${key}`).value = [fields[key] ?? []].flat().join(", ");
  $("more").open ||= Boolean(fields.ordered || fields.observed || fields.diagnoses);
  $("none-given").checked = fields.given === NONE;
  show($("lines").tBodies[0], [...lines, {}].map(lineRow));
  show($("given").tBodies[0], (given.length ? given : [{}]).map(doseRow));
  const others = Object.keys(fields).filter((key) => !SHOWN.includes(key));
  $("also").hidden = !others.length;
  show($("also"), others.length ? inWords("Only in the text below: {keys}.", { keys: others.join(", ") }) : "");
  showParts();
}

/** Show the fields that the type of claim has. */
export function showParts() {
  $("of-place").hidden = !(claimType() === "professional" || (claimType() && $("place").value));
  $("of-bill").hidden = claimType() !== "institutional";
  $("given").classList.toggle("off", $("none-given").checked);
}

export function addRow(id) {
  const added = id === "lines" ? lineRow() : doseRow();
  $(id).tBodies[0].append(added);
  return added.querySelector("input");
}

/** The lines in cells that were copied from a spreadsheet: code, modifiers, units. Null for a single cell. */
export function linesPasted(text) {
  const rows = text.trim().split(/\r?\n/);
  const parts = rows.flatMap((each) => (each.includes("\t") ? [each.split("\t")] : each.split(/[,;]/).map((cell) => [cell])));
  const cells = parts.map((each) => each.map((cell) => cell.trim())).filter(([first]) => first);
  if (cells.length < 2 && cells[0]?.length !== 3 && !text.includes("\t")) return null;
  return cells.map(([code, ...rest]) => {
    const filled = rest.filter(Boolean);
    const last = filled.at(-1) ?? "";
    const hasUnits = /^\d+(\.\d+)?$/.test(last) && (rest.length > 1 || last.length !== 2);
    return { code, units: hasUnits ? last : "", modifiers: hasUnits ? filled.slice(0, -1) : filled };
  });
}

/** Put pasted lines into the table, from a row on. */
export function fillFrom(holder, lines) {
  const body = $("lines").tBodies[0];
  const after = [...body.rows].slice([...body.rows].indexOf(holder) + 1).filter((each) => lineOf(each));
  for (const each of [...body.rows].slice([...body.rows].indexOf(holder))) each.remove();
  body.append(...lines.map(lineRow), ...after, lineRow());
  return body.rows[body.rows.length - 1].querySelector("input");
}

/** The field of a key; of a table, its first empty one. */
export function fieldOf(key) {
  const table = { lines: "lines", charged: "lines", professional: "lines", institutional: "lines", given: "given" }[key];
  if (key === "claim_type") return document.querySelector("[name=claim_type]:checked");
  const other = $(OTHERS.includes(key) ? `in-${key}` : key) ?? $("text");
  if (!table) {
    if (other.closest("details")) other.closest("details").open = true;
    return other;
  }
  const inputs = [...$(table).querySelectorAll("tbody input")];
  return inputs.find((each) => !each.value) ?? inputs[0];
}

/** Mark the field at fault. `key` is the key that the service named, `message` begins with the word at fault. */
export function markFault(key, message) {
  for (const each of document.querySelectorAll("#claim [aria-invalid]")) each.removeAttribute("aria-invalid");
  if (!key) return;
  const inRow = { lines: ["lines", lineOf], professional: ["lines", lineOf], institutional: ["lines", lineOf], charged: ["lines", lineOf], given: ["given", doseOf] }[key];
  const found = inRow ? rowsOf(inRow[0]).find((each) => inRow[1](each) && message.includes(inRow[1](each).split(/[ ,]/)[0]))?.querySelector("input") : $(OTHERS.includes(key) ? `in-${key}` : key);
  found?.setAttribute?.("aria-invalid", "true");
}

/** Mark the lines that findings cite. */
export function markCited(findings) {
  const rows = rowsOf("lines");
  rows.forEach((each) => each.classList.remove("cited"));
  for (const { location } of findings.flatMap((each) => each.evidence ?? [])) {
    const [, item] = /^Bundle\.entry\[\d+\]\.resource\.item\[(\d+)\]/.exec(location) ?? [];
    const [, entry] = claimType() ? [] : /^Bundle\.entry\[(\d+)\]/.exec(location) ?? [];
    rows[item ?? entry]?.classList.add("cited");
  }
}
