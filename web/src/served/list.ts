/** The list of cases: search, order, and what it is ordered by. */

import { choice, fill, make, number } from "../elements.ts";
import type { Figures, Progress, Row, Study } from "./api.ts";

type Key = (row: Row) => number | null;

const LIGHTS: Record<string, [number, string]> = {
  bad: [3, "fails here"], warn: [2, "doubtful here"], good: [1, "holds here"], info: [0, "not tested"],
};
const BY_NAME = 0;
const ALL_METHODS = -1;

export class CaseList {
  readonly search = make("input", { type: "search", placeholder: "Find a case", "aria-label": "Find a case", autocomplete: "off" });
  private sorts = choice("Sort by", () => this.arrange());
  private methods = choice("of method", () => this.arrange());
  private turn = make("button", { type: "button", "aria-pressed": "false" }, "Smallest first");
  private told = make("p", { class: "vs-told" });
  private rows = make("ul", { class: "vs-cases" });
  private count = make("p", { class: "vs-told", role: "status" });
  readonly whole: HTMLElement;
  private figures: Figures | null = null;
  private byNumber = new Map<number, Row>();
  private progress = new Map<number, { done: number; of: number }>();
  private keys: { name: string; key: Key; metric: boolean; told: string }[] = [];
  private chosen = -1;
  /** Numbers of what is shown, in order. */
  private shown: number[] = [];

  constructor(private study: Study, private open: (number: number) => void) {
    this.search.addEventListener("input", () => this.arrange());
    this.turn.addEventListener("click", () => {
      const up = this.turn.getAttribute("aria-pressed") === "true";
      this.turn.setAttribute("aria-pressed", String(!up));
      this.turn.textContent = up ? "Smallest first" : "Largest first";
      this.arrange();
    });
    const order = make("div", { class: "vs-order" }, this.sorts.whole, this.methods.whole, this.turn);
    order.hidden = study.blinded;
    this.whole = make("nav", { class: "vs-list", "aria-label": "Cases" }, this.search, order, this.told, this.count, this.rows);
    this.offer();
    this.arrange();
  }

  /** What the list can be sorted by, once it is known. */
  know(figures: Figures): void {
    this.figures = figures;
    this.byNumber = new Map(figures.items.map((row) => [row.number, row]));
    this.offer();
    this.arrange();
  }

  /** How far the reader is. */
  follow(progress: Progress): void {
    this.progress = new Map(progress.items.map((p) => [p.number, p]));
    this.arrange();
  }

  /** The next case that is not done yet, after this one; none where all are. */
  unfinished(after: number): number | null {
    const order = this.study.items.map((i) => i.number);
    const at = order.indexOf(after) + 1;
    return [...order.slice(at), ...order.slice(0, at)].find((n) => this.left(n)) ?? null;
  }

  get ratings(): { done: number; of: number } {
    const all = [...this.progress.values()];
    return { done: all.reduce((n, p) => n + p.done, 0), of: all.reduce((n, p) => n + p.of, 0) };
  }

  mark(n: number): void {
    this.chosen = n;
    for (const button of this.rows.querySelectorAll("button")) {
      const here = button.dataset.number === String(n);
      if (here) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (here) button.scrollIntoView({ block: "nearest" });
    }
  }

  /** The case before or after the chosen one, as the list is now. */
  beside(by: number): number | null {
    return this.shown[this.shown.indexOf(this.chosen) + by] ?? null;
  }

  private left(n: number): boolean {
    const found = this.progress.get(n);
    return !!found && found.done < found.of;
  }

  private offer(): void {
    const before = this.keys[Number(this.sorts.list.value)]?.name;
    const f = this.figures;
    this.keys = [{ name: this.study.blinded ? "your order" : "name", key: () => null, metric: false, told: "" }];
    for (const target of f?.targets ?? []) {
      this.keys.push({ name: `score of ${target}`, key: (r) => r.scores[target] ?? null, metric: false, told: "The score of the prediction." });
    }
    for (const metric of f?.metrics ?? []) {
      this.keys.push({ name: metric, key: (r) => this.figure(r, metric), metric: true, told: "Mean over targets of the case." });
    }
    if (f) {
      this.keys.push({ name: "outlierness", key: (r) => r.outlierness, metric: false, told: f.outlierness });
      this.keys.push({
        name: "worst light", key: (r) => LIGHTS[r.worst]?.[0] ?? null, metric: false,
        told: "The worst light of any method, from this case alone: what holds beyond it is the study’s verdict.",
      });
    }
    fill(this.sorts.list, this.keys.map((k, n) => [n, k.name]), Math.max(this.keys.findIndex((k) => k.name === before), 0));
    const of = Number(this.methods.list.value || ALL_METHODS);
    fill(this.methods.list, [[ALL_METHODS, "all, their mean"], ...(f?.methods ?? []).map((m, n) => [n, m] as [number, string])], of);
  }

  private figure(row: Row, metric: string): number | null {
    const all = row.metrics[metric] ?? {};
    const of = Number(this.methods.list.value);
    if (of !== ALL_METHODS) return all[this.figures!.methods[of]] ?? null;
    const values = Object.values(all);
    return values.length ? values.reduce((a, b) => a + b) / values.length : null;
  }

  private arrange(): void {
    const n = Number(this.sorts.list.value);
    const { key, metric, told } = this.keys[n];
    this.methods.whole.hidden = !metric;
    this.told.textContent = told;
    const sign = this.turn.getAttribute("aria-pressed") === "true" ? -1 : 1;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.study.items.filter((i) => words.every((w) => i.name.toLowerCase().includes(w)));
    const valued = found.map((item) => ({ item, row: this.byNumber.get(item.number), value: null as number | null }));
    for (const one of valued) one.value = one.row ? key(one.row) : null;
    if (n === BY_NAME && !this.study.blinded) {
      valued.sort((a, b) => sign * a.item.name.localeCompare(b.item.name, undefined, { numeric: true }));
    } else if (n !== BY_NAME) {
      // what has no figure comes last, whichever way
      valued.sort((a, b) => (a.value === null ? 1 : b.value === null ? -1 : sign * (a.value - b.value)));
    }
    this.shown = valued.map((v) => v.item.number);
    const all = `${this.study.items.length} case${this.study.items.length === 1 ? "" : "s"}`;
    this.count.textContent = found.length === this.study.items.length ? all : `${found.length} of ${all}`;
    this.rows.replaceChildren(...valued.map((v) => this.line(v.item, v.row, n === BY_NAME ? null : v.value, this.keys[n].name)));
    this.mark(this.chosen);
  }

  private line(item: Study["items"][number], row: Row | undefined, value: number | null, by: string): HTMLElement {
    const button = make("button", { type: "button", "data-number": String(item.number) }, make("span", { class: "vs-name" }, item.name));
    const progress = this.progress.get(item.number);
    if (progress) button.append(make("span", { class: "vs-value" }, `${progress.done} of ${progress.of}`));
    if (row?.worst) button.append(make("span", { class: `light ${row.worst}` }, LIGHTS[row.worst][1]));
    if (value !== null && by !== "worst light") button.append(make("span", { class: "vs-value" }, number(value, 3)));
    if (by === "outlierness" && row?.farthest) button.append(make("span", { class: "vs-value" }, `by ${row.farthest}`));
    button.addEventListener("click", () => this.open(item.number));
    return make("li", {}, button);
  }
}
