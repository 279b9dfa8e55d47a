/** The score at each dose, as a small drawing on which a dose can be chosen. */

import { number } from "../elements.ts";
import type { SeriesInfo } from "./format.ts";

const [WIDTH, HEIGHT, EDGE] = [320, 110, 14];
// the name of SVG's elements without an address in the page, in which readers look for addresses
const SVG = new DOMParser().parseFromString("<svg></svg>", "text/html").querySelector("svg")!.namespaceURI;

function shape(tag: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const element = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.textContent = text;
  return element;
}

export class Curve {
  readonly whole = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "vx-curve", role: "img" });
  private dots: SVGElement[];

  constructor(info: SeriesInfo, choose: (step: number) => void) {
    const scores = info.steps.map((s) => s.score);
    const ends = [0, ...scores, ...(info.target === null ? [] : [info.target])];
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const last = Math.max(...info.steps.map((s) => s.dose)) || 1;
    const x = (dose: number) => EDGE + (dose / last) * (WIDTH - 2 * EDGE);
    const y = (score: number) => HEIGHT - EDGE - ((score - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE);
    const level = (score: number, name: string) => this.whole.append(
      shape("line", { x1: EDGE, x2: WIDTH - EDGE, y1: y(score), y2: y(score), class: name }));
    level(0, "vx-zero");
    if (info.target !== null) level(info.target, "vx-target");
    this.whole.append(shape("text", { x: WIDTH - EDGE, y: y(0) + 10, "text-anchor": "end" }, "0: the decision turns"));
    this.whole.append(shape("polyline", { points: info.steps.map((s) => `${x(s.dose)},${y(s.score)}`).join(" ") }));
    this.dots = info.steps.map((s, n) => {
      const dot = shape("circle", { cx: x(s.dose), cy: y(s.score), r: s.calibrated ? 5 : 3.5 });
      dot.append(shape("title", {}, `dose ${number(s.dose, 3)}: logit ${number(s.score, 3)}`));
      dot.addEventListener("click", () => choose(n));
      return dot;
    });
    this.whole.append(...this.dots);
    this.whole.setAttribute("aria-label", `Logit from ${number(scores[0], 3)} at dose 0 to ${number(scores[scores.length - 1], 3)} at dose ${number(last, 3)}`);
  }

  mark(step: number): void {
    this.dots.forEach((dot, n) => dot.classList.toggle("vx-here", n === step));
  }
}
