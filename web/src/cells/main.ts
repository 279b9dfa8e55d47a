/** Cells of a matrix tell their numbers to the keyboard and to fingers, as they do to a mouse; long tables can be filtered. */

import { make } from "../elements.ts";

const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-1e6, 0], End: [1e6, 0],
};
const MANY = 8; // rows from which on a table gets a filter

const clamp = (n: number, last: number) => Math.min(Math.max(n, 0), last);

/** Make a drawing's spots readable: arrows move from cell to cell, and a line below says what the cell says. */
function readable(drawing: SVGSVGElement): void {
  const rows = [...drawing.querySelectorAll(".spots > g")].map((g) => [...g.querySelectorAll("rect")]);
  if (!rows.length) return;
  const hint = "Point at a cell, or move from cell to cell with the arrow keys, to read its numbers.";
  const said = make("p", { class: "cell-said", role: "status" }, hint);
  (drawing.parentElement ?? drawing).after(said);
  let [row, column] = [0, 0];
  let here: SVGRectElement | null = null;
  const go = (to: SVGRectElement) => {
    here?.classList.remove("here");
    here = to;
    here.classList.add("here");
    said.textContent = to.querySelector("title")?.textContent ?? "";
  };
  drawing.setAttribute("tabindex", "0");
  drawing.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (here) {
      row = clamp(row + step[1], rows.length - 1);
      column = clamp(column + step[0], rows[row].length - 1);
    }
    go(rows[row][column]);
    rows[row][column].scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  rows.forEach((cells, r) => cells.forEach((cell, c) => cell.addEventListener("pointerenter", () => { [row, column] = [r, c]; go(cell); })));
}

/** A field above a long table that leaves the rows with what is typed. */
function filtered(table: HTMLTableElement): void {
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  if (rows.length < MANY) return;
  const field = make("input", { type: "search", autocomplete: "off" });
  const count = make("span", { class: "small", role: "status" });
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLocaleLowerCase();
    let left = 0;
    for (const row of rows) {
      row.hidden = !(row.textContent ?? "").toLocaleLowerCase().includes(wanted);
      left += Number(!row.hidden);
    }
    count.textContent = wanted ? `${left} of ${rows.length} rows` : "";
  });
  (table.closest(".wide") ?? table).before(make("label", { class: "filter" }, "Only rows with ", field, " ", count));
}

export const drawings = [...document.querySelectorAll<SVGSVGElement>("svg:has(.spots)")];
drawings.forEach(readable);
document.querySelectorAll<HTMLTableElement>(".wide table").forEach(filtered);
