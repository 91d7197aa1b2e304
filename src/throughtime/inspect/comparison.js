"use strict";
// The table sorts by the heading that is chosen: numbers first from the largest, names from the first letter.
const body = document.querySelector("tbody");
const headings = [...document.querySelectorAll("thead th")];

function keyOf(row, column) {
  const text = row.cells[column].dataset.key;
  return column === 0 ? text : text === "" ? null : Number(text);
}

function compare(one, other, rising) {
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "string" ? one.localeCompare(other) : one - other;
  return rising ? order : -order;
}

headings.forEach((heading, column) => {
  heading.querySelector("button").addEventListener("click", () => {
    const before = heading.getAttribute("aria-sort");
    const rising = before === "none" ? column === 0 : before === "descending";
    for (const other of headings) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const rows = [...body.rows].sort((one, other) => compare(keyOf(one, column), keyOf(other, column), rising));
    body.append(...rows);
  });
});
