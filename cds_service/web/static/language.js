// The page's language. The messages are English, in the scripts; a page in another language holds their translations as
// data. What has no translation is said in English, and marked as English where it is shown (`el`, `show`).

const data = document.getElementById("script-words");
const translations = data ? JSON.parse(data.textContent) : {};
const untranslated = new Set();

/** The tag of the page's language. */
export const language = document.documentElement.lang || "en";
const isEnglish = language === "en";
const fromRight = document.documentElement.dir === "rtl";
const LOCALE = `${language}-u-nu-latn`; // the digits of the codes
const NUMBER = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 20 });
const PLURALS = new Intl.PluralRules(language);

/** A message with its values: numbers are written as the language does; texts are facts, or said already. */
export const inWords = (english, values = {}) => said(english, translations[english], values);

/** A number with what it counts: the English singular and plural, with `{count}`. */
export function numberOf(count, one, many, values = {}) {
  const forms = translations[one] ?? {};
  return said(count === 1 ? one : many, forms[count] ?? forms[PLURALS.select(count)] ?? forms.other, { count, ...values });
}

function said(english, translation, values) {
  const text = (translation ?? english).replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
  if (!translation) keepEnglish([text]);
  return text;
}

/** A value; in a line from right to left it keeps its own direction. */
function written(value) {
  const text = typeof value === "number" ? NUMBER.format(value) : `${value}`;
  return fromRight ? `\u2068${text}\u2069` : text;
}

/** Texts for which the service has no translation: where they are shown, they are marked, and the page says so. */
export function keepEnglish(texts) {
  if (isEnglish || !texts.length) return;
  for (const each of texts) untranslated.add(each);
  const notice = document.getElementById("partly");
  if (notice) notice.hidden = false;
}

/** A text as a part of the page, marked if it stayed English. */
export function marked(text) {
  if (!untranslated.has(text)) return text;
  const mark = document.createElement("span");
  mark.className = "untranslated";
  mark.lang = "en";
  mark.dir = "ltr";
  mark.textContent = text;
  return mark;
}

/** A text that begins with a capital. */
export function capital(text) {
  const found = `${text.charAt(0).toLocaleUpperCase(language)}${text.slice(1)}`;
  if (untranslated.has(text)) untranslated.add(found);
  return found;
}

const DAY = new Intl.DateTimeFormat(isEnglish ? "en-US" : LOCALE, { ...(isEnglish ? { day: "numeric", month: "short", year: "numeric" } : { dateStyle: "long" }), timeZone: "UTC" });

/** A day as the language writes it. */
export const dayOf = (iso) => (iso ? DAY.format(new Date(`${iso.slice(0, 10)}T00:00:00Z`)) : inWords("no date"));

/** The end of a sentence. */
export const STOP = language.startsWith("zh") ? "。" : ".";

/** Texts in a row, to be shown one behind the other. */
export const inARow = (texts, between) => texts.flatMap((each, at) => (at ? [between, each] : [each]));

/** The address of a route whose texts are read on this page, in the page's language. */
export const inLanguage = (path) => (isEnglish ? path : `${path}${path.includes("?") ? "&" : "?"}lang=${language}`);
