"use strict";
// The page is whole without this. It only hides rows that do not fit a search.
for (const box of document.querySelectorAll(".filter")) {
  const rows = [...document.getElementById(box.dataset.table).tBodies];
  const search = box.querySelector("input");
  const kind = box.querySelector("select");
  const said = box.querySelector("output");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const run = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, at) => {
      const fits = words.every((word) => texts[at].includes(word)) &&
        (!kind || !kind.value || row.dataset.kind === kind.value);
      row.hidden = !fits;
      shown += fits;
    });
    said.textContent = `${shown} of ${rows.length} shown`;
  };
  search.addEventListener("input", run);
  if (kind) kind.addEventListener("change", run);
  // A link to a row that is hidden shows all rows again.
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && rows.includes(row) && row.hidden) {
      search.value = "";
      if (kind) kind.value = "";
      run();
      row.scrollIntoView();
    }
  });
  box.hidden = false;
}
