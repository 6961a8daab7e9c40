// Filters the table of findings; without JavaScript the whole table is shown.
const rule = document.getElementById("rule"), indicator = document.getElementById("indicator"), search = document.getElementById("search");
const rows = [...document.querySelectorAll(".findings tbody tr")], shown = document.getElementById("shown");
function filter() {
  const text = search.value.trim().toLowerCase();
  let count = 0;
  for (const row of rows) {
    const fits = (!rule.value || row.dataset.rule === rule.value) && (!indicator.value || row.dataset.indicator === indicator.value)
      && (!text || row.textContent.toLowerCase().includes(text));
    row.hidden = !fits;
    count += fits;
  }
  shown.textContent = `${count} of ${rows.length} shown`;
}
for (const field of [rule, indicator, search]) field.addEventListener("input", filter);
document.querySelector(".filters").hidden = false;
