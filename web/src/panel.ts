/** One canvas with its slider: what a reader does to it, told to the viewer. */

import type { CaseInfo, Plane } from "./format.ts";
import { make } from "./elements.ts";

export type Drag = "cross-hair" | "window" | "move";

export interface Deeds {
  /** Where the drag tool is not the mouse's own business. */
  tool(): Drag;
  pointAt(panel: Panel, x: number, y: number): void;
  moveWindow(across: number, down: number): void;
  movePicture(panel: Panel, across: number, down: number): void;
  turnTo(panel: Panel, slice: number): void;
  step(panel: Panel, by: number): void;
  walk(panel: Panel, across: number, down: number): void;
  zoom(factor: number): void;
}

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

export class Panel {
  readonly canvas = make("canvas", { tabindex: "0", role: "application", "aria-roledescription": "picture" });
  readonly slice = make("input", { type: "range", min: "0", step: "1" });
  readonly title = make("span", { class: "vx-where" });
  readonly whole = make("div", { class: "vx-panel" }, this.canvas, this.title, this.slice);

  /** `side` is 0 for the first map and 1 for the one beside it; `number` is the plane's. */
  constructor(readonly side: number, readonly number: number, of: CaseInfo, plane: Plane, private deeds: Deeds) {
    const last = of.shape[plane.axis] - 1;
    this.slice.max = String(last);
    this.slice.setAttribute("aria-label", `${plane.name}: slice`);
    this.slice.hidden = last === 0;
    this.slice.addEventListener("input", () => deeds.turnTo(this, Number(this.slice.value)));
    this.canvas.addEventListener("pointerdown", (event) => this.drag(event));
    // one finger up and down scrolls the page, see touch-action; two must not
    this.canvas.addEventListener("touchstart", (event) => { if (event.touches.length > 1) event.preventDefault(); }, { passive: false });
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** Canvas pixels per pixel of the page. */
  get ratio(): number {
    return this.canvas.width / Math.max(this.canvas.clientWidth, 1);
  }

  /** Give the canvas as many pixels as it takes on the screen. */
  fit(): void {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(Math.round(this.canvas.clientWidth * ratio), 1);
    const height = Math.max(Math.round(this.canvas.clientHeight * ratio), 1);
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
  }

  private tool(event: PointerEvent): Drag {
    if (event.button === 2 || event.shiftKey) return "window";
    if (event.button === 1 || event.altKey) return "move";
    return this.deeds.tool();
  }

  /** Fingers on the canvas, by their number; two of them move and zoom. */
  private fingers = new Map<number, [number, number]>();
  private pinched = false;

  private drag(event: PointerEvent): void {
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
      if (this.fingers.size === 1) for (const kind of ["pointerup", "pointercancel"] as const) this.canvas.addEventListener(kind, this.lift);
      if (this.fingers.size > 1) {
        this.canvas.setPointerCapture(event.pointerId);
        return;
      }
    }
    const tool = this.tool(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    if (event.button === 1) event.preventDefault();
    let [x, y] = [event.offsetX, event.offsetY];
    const follow = (now: PointerEvent) => {
      if (this.fingers.size > 1) this.pinch(now);
      if (this.pinched) return;
      if (now.pointerId !== event.pointerId) return;
      const [across, down] = [now.offsetX - x, now.offsetY - y];
      [x, y] = [now.offsetX, now.offsetY];
      if (tool === "cross-hair") this.deeds.pointAt(this, x * this.ratio, y * this.ratio);
      if (tool === "window") this.deeds.moveWindow(across, down);
      if (tool === "move") this.deeds.movePicture(this, across * this.ratio, down * this.ratio);
    };
    const touch = event.pointerType === "touch";
    this.pinched = false;
    if (!touch) follow(event); // a finger may be the first of two
    this.canvas.addEventListener("pointermove", follow);
    const end = (up: PointerEvent) => {
      if (touch ? this.fingers.size : up.pointerId !== event.pointerId) return; // another finger goes on
      if (touch && !this.pinched && up.type === "pointerup") follow(up);
      this.canvas.removeEventListener("pointermove", follow);
      for (const kind of ["pointerup", "pointercancel"] as const) this.canvas.removeEventListener(kind, end);
    };
    for (const kind of ["pointerup", "pointercancel"] as const) this.canvas.addEventListener(kind, end);
  }

  private lift = (event: PointerEvent): void => {
    this.fingers.delete(event.pointerId);
    if (!this.fingers.size) for (const kind of ["pointerup", "pointercancel"] as const) this.canvas.removeEventListener(kind, this.lift);
  };

  /** Two fingers: what is between them stays between them. */
  private pinch(now: PointerEvent): void {
    this.pinched = true;
    const before = [...this.fingers.values()].slice(0, 2);
    this.fingers.set(now.pointerId, [now.offsetX, now.offsetY]);
    const after = [...this.fingers.values()].slice(0, 2);
    const apart = ([a, b]: [number, number][]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    const middle = ([a, b]: [number, number][], c: number) => (a[c] + b[c]) / 2;
    if (apart(before) > 1) this.deeds.zoom(apart(after) / apart(before));
    this.deeds.movePicture(this, (middle(after, 0) - middle(before, 0)) * this.ratio, (middle(after, 1) - middle(before, 1)) * this.ratio);
  }

  /** The wheel turns slices of the picture that has the focus; elsewhere it scrolls the page. */
  private wheel(event: WheelEvent): void {
    if (event.ctrlKey || event.metaKey) this.deeds.zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    else if (document.activeElement === this.canvas && !this.slice.hidden) this.deeds.step(this, event.deltaY < 0 ? 1 : -1);
    else return;
    event.preventDefault();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) this.deeds.walk(this, ...arrow);
    else if (event.key === "PageUp") this.deeds.step(this, 1);
    else if (event.key === "PageDown") this.deeds.step(this, -1);
    else if (event.key === "Home" && !this.slice.hidden) this.deeds.turnTo(this, 0);
    else if (event.key === "End" && !this.slice.hidden) this.deeds.turnTo(this, Number(this.slice.max));
    else return;
    event.preventDefault();
  }
}
