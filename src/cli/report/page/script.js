// Tables sort by their columns and filter by a text. Without it everything can be read as it stands.
"use strict";
(() => {
  const value = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.n === undefined ? cell.textContent : Number(cell.dataset.n);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return 1;
    if (typeof b === "number") return -1;
    return a.localeCompare(b, undefined, { numeric: true });
  };
  const sort = (table, at) => {
    const head = table.tHead.rows[0].cells[at];
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const rows = Array.from(table.tBodies[0].rows);
    rows.sort((a, b) => sign * compare(value(a, at), value(b, at)));
    table.tBodies[0].append(...rows);
  };
  const makeSortable = (table) => {
    Array.from(table.tHead.rows[0].cells).forEach((cell, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      button.addEventListener("click", () => sort(table, at));
      cell.append(button);
    });
  };
  const makeFilterable = (box, table) => {
    const rows = Array.from(table.tBodies[0].rows);
    const bar = document.createElement("p");
    const label = document.createElement("label");
    const input = document.createElement("input");
    const found = document.createElement("output");
    bar.className = "filter";
    input.type = "search";
    input.autocomplete = "off";
    label.append("Filter ", input);
    bar.append(label, found);
    input.addEventListener("input", () => {
      const wanted = input.value.toLocaleLowerCase();
      let shown = 0;
      for (const row of rows) {
        row.hidden = !row.textContent.toLocaleLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      }
      found.textContent = wanted === "" ? "" : `${shown} of ${rows.length}`;
    });
    box.prepend(bar);
  };
  for (const box of document.querySelectorAll(".table")) {
    const table = box.querySelector("table");
    if (table.tBodies[0].rows.length < 2) continue;
    makeSortable(table);
    if (table.tBodies[0].rows.length > 7) makeFilterable(box, table);
  }
})();
