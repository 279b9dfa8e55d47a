/** A canvas of a series: what a reader points at and where the keys lead. */

import { make } from "../elements.ts";

export interface Deeds {
  pointAt(pane: Pane, x: number, y: number): void;
  walk(pane: Pane, across: number, down: number): void;
  turn(plane: number, by: number): void;
}

/** What a pane shows: the image before, the image at the chosen dose, or a layer over it. */
export type Role = "before" | "now" | "layer";

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

export class Pane {
  readonly canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": "not drawn yet" });
  readonly title = make("span", { class: "vx-where" });
  readonly whole = make("div", { class: "vx-panel" }, this.title, this.canvas);

  constructor(readonly role: Role, readonly plane: number, private deeds: Deeds) {
    this.canvas.addEventListener("pointerdown", (event) => this.drag(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  get ratio(): number {
    return this.canvas.width / Math.max(this.canvas.clientWidth, 1);
  }

  /** Give the canvas as many pixels as it takes on the screen. */
  fit(): void {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight].map((n) => Math.max(Math.round(n * ratio), 1));
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
  }

  private drag(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    const follow = (now: PointerEvent) => this.deeds.pointAt(this, now.offsetX * this.ratio, now.offsetY * this.ratio);
    follow(event);
    this.canvas.addEventListener("pointermove", follow);
    const end = () => this.canvas.removeEventListener("pointermove", follow);
    this.canvas.addEventListener("pointerup", end, { once: true });
    this.canvas.addEventListener("pointercancel", end, { once: true });
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.deeds.walk(this, ...arrow);
    else if (event.key === "PageUp") this.deeds.turn(this.plane, 1);
    else if (event.key === "PageDown") this.deeds.turn(this.plane, -1);
    else return;
    event.preventDefault();
  }
}
