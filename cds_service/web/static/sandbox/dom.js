// Helpers: elements, announcements for screen readers, the clipboard.
import { inWords, language, marked } from "../language.js";

export { dayOf } from "../language.js";

export const $ = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick`) and children; null and false are skipped. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false).map(marked));
  return node;
}

/** Replace the content of an element. */
export function show(holder, ...children) {
  holder.replaceChildren(...children.flat(Infinity).filter(Boolean).map(marked));
}

/** Announce a text to screen readers. */
export function say(text) {
  $("status").textContent = "";
  requestAnimationFrame(() => { $("status").textContent = text; });
}

const GENDER = { female: inWords("female"), male: inWords("male"), other: inWords("other gender"), unknown: inWords("gender unknown") };

/** A gender as FHIR has it; in English as it is. */
export const genderOf = (code) => (language === "en" ? code : GENDER[code] ?? code);

/** Nodes of HTML that this service rendered from Markdown; the content security policy blocks scripts. */
export function markup(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  for (const link of parsed.querySelectorAll("a[href]")) link.rel = "noreferrer";
  return [...parsed.body.childNodes];
}

/** Copy a text to the clipboard; true if that succeeded. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "unseen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
