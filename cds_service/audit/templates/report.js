// Shows the findings fifty at a time, and filters them; without JavaScript all of them are shown. The functions of
// `language.js` stand above it in the page.
const AT_ONCE = 50;
const byId = (id) => document.getElementById(id);
const fields = ["rule", "indicator", "payer", "practitioner", "worth", "search"].map(byId).filter(Boolean);
const rows = [...document.querySelectorAll(".findings tbody tr")].map((row) => ({ row, text: row.textContent.toLowerCase() }));
const previous = byId("previous"), next = byId("next");
let page = 0;

function fits({ row, text }) {
  return fields.every(({ id, value }) => {
    if (!value.trim()) return true;
    if (id === "search") return value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
    if (id !== "worth") return row.dataset[id] === value;
    return value === "none" ? !row.dataset.worth : Number(row.dataset.worth) >= Number(value);
  });
}

function show() {
  const found = rows.filter(fits), pages = Math.max(1, Math.ceil(found.length / AT_ONCE));
  page = Math.min(page, pages - 1);
  const first = page * AT_ONCE, shown = new Set(found.slice(first, first + AT_ONCE));
  for (const each of rows) each.row.hidden = !shown.has(each);
  byId("shown").textContent = found.length ? inWords("{first} to {last} of {all}", { first: first + 1, last: first + shown.size, all: found.length }) : inWords("No finding fits");
  previous.disabled = page === 0;
  next.disabled = page === pages - 1;
}

function turn(by) {
  page += by;
  show();
  byId("findings").scrollIntoView();
}

for (const field of fields) field.addEventListener("input", () => { page = 0; show(); });
previous.addEventListener("click", () => turn(-1));
next.addEventListener("click", () => turn(1));
byId("clear").addEventListener("click", () => { for (const field of fields) field.value = ""; page = 0; show(); fields[0].focus(); });
for (const each of document.querySelectorAll(".filters, .pages")) each.hidden = false;
show();

// On a phone, the breakdowns are folded until they are opened.
if (matchMedia("(max-width: 40rem)").matches) for (const each of document.querySelectorAll(".breakdown")) each.open = false;
