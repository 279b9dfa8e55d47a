/** The view in three dimensions: a canvas, how to look at it, and what the reader does to it. */

import { choice, fill, make, press, slider, toggle } from "../elements.ts";
import type { Triple } from "../format.ts";
import { nifti } from "./nifti.ts";
import { CUTS, Scene, VIEWS } from "./scene.ts";
import type { OpenSolid, Seen, Solid } from "./types.ts";

const TURN = 6; // degrees a key press
const CLICK = 4; // pixels that a hand may tremble
const KEYS: Record<string, [number, number]> = { ArrowLeft: [TURN, 0], ArrowRight: [-TURN, 0], ArrowUp: [0, TURN], ArrowDown: [0, -TURN] };

class View implements Solid {
  ready: Promise<void> = Promise.resolve();
  private canvas = make("canvas", { tabindex: "0", role: "img", class: "vx-solid-canvas" });
  private scene: Scene;
  private waiting: Seen | null = null;

  constructor(private host: HTMLElement, point: (voxel: Triple) => void) {
    this.scene = new Scene(point);
  }

  async open(stops: [number, string][]): Promise<void> {
    const stage = make("div", { class: "vx-stage" }, this.canvas);
    this.host.replaceChildren(this.controls(), stage);
    await this.scene.attach(this.canvas, stops);
    this.canvas.addEventListener("pointerdown", (event) => this.drag(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** Show what is seen in the planes; of several that come at once only the last. */
  show(seen: Seen): void {
    const idle = this.waiting === null;
    this.waiting = seen;
    if (!idle) return;
    this.ready = this.ready.catch(() => {}).then(async () => {
      await new Promise(requestAnimationFrame);
      const now = this.waiting!;
      this.waiting = null;
      const method = now.layers.mapInfo?.method ?? "image";
      this.canvas.setAttribute("aria-label", `Three dimensions: ${method}. Arrows turn it, plus and minus zoom.`);
      await this.scene.show(now);
    });
  }

  private controls(): HTMLElement {
    const views = Object.keys(VIEWS);
    const from = choice("Look from", (n) => { if (n >= 0) this.scene.look(...VIEWS[views[n]]); });
    fill(from.list, [[-1, "choose a side"], ...views.map((name, n) => [n, name] as [number, string])], -1);
    const cuts = Object.keys(CUTS);
    const cut = choice("Cut off at the cross-hair", (n) => { this.scene.cut = cuts[n]; this.scene.again(); });
    fill(cut.list, cuts.map((name, n) => [n, name]), 0);
    const ground = slider("Image", this.scene.ground, (share) => { this.scene.ground = share; this.scene.again(); });
    const least = slider("Hidden below, here", this.scene.least, (share) => { this.scene.least = share; this.scene.again(); });
    return make("div", {},
      make("div", { class: "vx-controls" }, from.whole, cut.whole, least.whole, ground.whole),
      make("div", { class: "vx-buttons" },
        toggle("Cut the map, too", this.scene.cutsMap, (on) => { this.scene.cutsMap = on; this.scene.again(); }),
        press("3-D larger", () => this.scene.zoom(1.25)),
        press("3-D smaller", () => this.scene.zoom(1 / 1.25))));
  }

  private drag(event: PointerEvent): void {
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    let [x, y, moved] = [event.offsetX, event.offsetY, 0];
    const follow = (now: PointerEvent) => {
      const [across, down] = [now.offsetX - x, now.offsetY - y];
      [x, y, moved] = [now.offsetX, now.offsetY, moved + Math.abs(across) + Math.abs(down)];
      if (moved > CLICK) this.scene.turn(-across / 2, down / 2);
    };
    const end = (now: PointerEvent) => {
      this.canvas.removeEventListener("pointermove", follow);
      const ratio = this.canvas.width / Math.max(this.canvas.clientWidth, 1);
      if (now.type === "pointerup" && moved <= CLICK) this.scene.pick(now.offsetX * ratio, now.offsetY * ratio);
    };
    this.canvas.addEventListener("pointermove", follow);
    for (const kind of ["pointerup", "pointercancel"] as const) this.canvas.addEventListener(kind, end, { once: true });
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turn = KEYS[event.key];
    if (turn) this.scene.turn(...turn);
    else if (event.key === "+") this.scene.zoom(1.25);
    else if (event.key === "-") this.scene.zoom(1 / 1.25);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Only where the reader has been here before; elsewhere the page scrolls. */
  private wheel(event: WheelEvent): void {
    if (document.activeElement !== this.canvas) return;
    this.scene.zoom(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    event.preventDefault();
  }
}

export { nifti };

export const open: OpenSolid = async (host, { stops }, point) => {
  const view = new View(host, point);
  await view.open(stops);
  return view;
};
