// Narrows the table of findings; without it the table stands there as a whole.
const rule = document.getElementById("rule"), loud = document.getElementById("loud"), words = document.getElementById("words");
const rows = [...document.querySelectorAll(".findings tbody tr")], shown = document.getElementById("shown");
function narrow() {
  const text = words.value.trim().toLowerCase();
  let count = 0;
  for (const row of rows) {
    const fits = (!rule.value || row.dataset.rule === rule.value) && (!loud.value || row.dataset.loud === loud.value)
      && (!text || row.textContent.toLowerCase().includes(text));
    row.hidden = !fits;
    count += fits;
  }
  shown.textContent = `${count} of ${rows.length} shown`;
}
for (const field of [rule, loud, words]) field.addEventListener("input", narrow);
document.querySelector(".filters").hidden = false;
