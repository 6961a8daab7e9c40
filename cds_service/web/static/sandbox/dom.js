// Small helpers: elements, words, and what is said to those who cannot see the page change.

export const $ = (id) => document.getElementById(id);

/** An element with attributes, listeners (`onclick`) and children; what is null or false is left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return node;
}

/** Show other content; an element that had the focus and is gone hands it to `heir`. */
export function show(holder, ...children) {
  holder.replaceChildren(...children.flat(Infinity).filter(Boolean));
}

/** Tell a screen reader what happened. */
export function say(text) {
  $("said").textContent = "";
  requestAnimationFrame(() => { $("said").textContent = text; });
}

export const many = (number, one, more = `${one}s`) => `${number} ${number === 1 ? one : more}`;

const DAY = new Intl.DateTimeFormat("en-US", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
export const dayOf = (iso) => (iso ? DAY.format(new Date(`${iso.slice(0, 10)}T00:00:00Z`)) : "no day");

/** HTML that this service made of Markdown, without anything that runs: the content security policy sees to the rest. */
export function markup(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  for (const link of parsed.querySelectorAll("a[href]")) link.rel = "noreferrer";
  return [...parsed.body.childNodes];
}

/** Text to the clipboard; true where that went well. */
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
