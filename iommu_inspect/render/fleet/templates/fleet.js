"use strict";
// The page is whole without this. It sorts rows, and hides those that do not fit.
for (const table of document.querySelectorAll(".sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const order = new Intl.Collator("en", {numeric: true});
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = [...body.rows].map((row) => [row.cells[at].textContent, row]);
      keyed.sort((a, b) => order.compare(a[0], b[0]) * (up ? 1 : -1));
      body.append(...keyed.map((pair) => pair[1]));
    });
  });
}
for (const box of document.querySelectorAll(".filter")) {
  const rows = [...document.getElementById(box.dataset.table).tBodies[0].rows];
  const search = box.querySelector("input");
  const kind = box.querySelector("select");
  const said = box.querySelector("output");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const run = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, at) => {
      const fits = words.every((word) => texts[at].includes(word)) &&
        (!kind.value || row.dataset.kind === kind.value);
      row.hidden = !fits;
      shown += fits;
    });
    said.textContent = `${shown} of ${rows.length} shown`;
  };
  search.addEventListener("input", run);
  kind.addEventListener("change", run);
  // A link to a row that is hidden shows all rows again.
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) {
      search.value = "";
      kind.value = "";
      run();
      row.scrollIntoView();
    }
  });
  box.hidden = false;
}
