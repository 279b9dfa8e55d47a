/** A series: pictures before, at a dose, and of what changes; controls; what they do. */

import { table } from "../colours.ts";
import { choice, fill, make, number, press, slider, toggle } from "../elements.ts";
import type { CaseInfo, LabelInfo, Plane, Triple, Voxels } from "../format.ts";
import { fromPicture, offset, toPicture } from "../geometry.ts";
import { draw, frame, type Layers } from "../picture.ts";
import type { State } from "../state.ts";
import { Curve } from "./curve.ts";
import type { SeriesInfo, Signed, Warp } from "./format.ts";
import { Pane, type Deeds, type Role } from "./pane.ts";
import { at, SeriesVolumes } from "./volumes.ts";
import { drawWarp, warped } from "./warp.ts";
import { place, remains, slice, told } from "./words.ts";

const PACE = 450; // milliseconds of a step while it plays
const MASK: LabelInfo = { name: "mask", dashed: false, data: "", type: "uint8", outlined: [{ label: 1, name: "mask", colour: "#ffffff" }] };

interface Held {
  before: Float32Array;
  now: Float32Array;
  labels: { info: LabelInfo; voxels: Voxels }[];
  signed: { info: Signed; voxels: Voxels } | null;
  motion: Float32Array[] | null;
}

export class Series implements Deeds {
  /** Resolves when everything that was asked for is on the screen. */
  ready: Promise<void> = Promise.resolve();
  readonly state: State;
  step = 0;
  layer = 0;
  /** The place of the mask's slider. */
  cut = 0;
  readonly panes: Pane[] = [];
  private of: CaseInfo;
  private volumes: SeriesVolumes;
  private colours: Uint8ClampedArray;
  private held: Held | null = null;
  private asked = 0;
  private drawing = 0;
  private playing = 0;
  private opened = false;
  private dose = make("input", { type: "range", min: "0", step: "1" });
  private said = make("p", { class: "vx-said", role: "status" });
  private where = make("p", { class: "vx-place" });
  private why = make("p", { class: "vx-lost" });
  private trouble = make("p", { class: "vx-trouble", role: "alert", hidden: "" });
  private bar = make("div", { class: "vx-bar" });
  private layers = choice("Right picture", (n) => this.show(n));
  private presets = choice("Window", (n) => this.window(n));
  private cuts = make("input", { type: "range", min: "0", step: "1" });
  private mask = make("label", { class: "vx-field" }, make("span", {}, "Mask from"), this.cuts);
  private left = make("p", { class: "vx-place" });
  private slices: HTMLInputElement[] = [];
  private curve: Curve | null = null;
  private play = toggle("Play", false, (on) => this.run(on));

  constructor(readonly root: HTMLElement, readonly info: SeriesInfo) {
    // a slice has no other planes than its own
    const wide = info.planes.filter((p) => info.shape[p.across] > 1 && info.shape[p.down] > 1);
    this.of = { ...info, planes: wide.length ? wide : info.planes.slice(0, 1), targets: [] };
    this.volumes = new SeriesVolumes(document, info);
    this.colours = table(info.stops);
    this.state = {
      case: 0, target: 0, maps: [0, -1], voxel: info.shape.map((n) => Math.floor(n / 2)) as Triple, low: 0, high: 1,
      threshold: 0.05, opacity: info.opaque, outlines: true, crosshair: true, neurological: false, zoom: 1,
      pan: this.of.planes.map(() => [0, 0]),
    };
    this.step = Math.max(info.steps.findIndex((s) => s.calibrated), 0);
    this.cut = Math.max(this.masked?.cuts.findIndex(([cut]) => cut === this.masked?.threshold) ?? 0, 0);
    this.build();
    this.window(0);
    new ResizeObserver(() => this.redraw()).observe(root);
  }

  private get masked() {
    return this.info.layers[this.layer]?.mask ?? null;
  }

  /** Unpack what the first picture needs. */
  open(): void {
    if (this.opened) return;
    this.opened = true;
    this.load(true);
  }

  // ---- controls ----------------------------------------------------------------------------------------------------

  private build(): void {
    const { info, state } = this;
    const last = info.steps.length - 1;
    this.dose.max = String(Math.max(last, 0));
    this.dose.setAttribute("aria-label", "Dose");
    this.dose.addEventListener("input", () => { this.run(false); this.go(Number(this.dose.value)); });
    this.cuts.addEventListener("input", () => { this.cut = Number(this.cuts.value); this.redraw(); });
    fill(this.layers.list, info.layers.map((l, n) => [n, l.name]), 0);
    fill(this.presets.list, info.image.presets.map((p, n) => [n, p.name]), 0);
    this.layers.whole.hidden = info.layers.length < 2;
    this.mask.hidden = !this.masked;
    const reach = slider("Hidden below", state.threshold, (share) => { state.threshold = share; this.redraw(); });
    reach.whole.hidden = !info.layers.length;
    const buttons = make("div", { class: "vx-buttons" },
      toggle("Cross-hair", true, (on) => { state.crosshair = on; this.redraw(); }), press("Strongest", () => this.strongest()));
    if (info.labels.length) buttons.append(toggle("Outlines", true, (on) => { state.outlines = on; this.redraw(); }));
    const calibrated = info.steps.findIndex((s) => s.calibrated);
    if (last > 0) {
      buttons.prepend(this.play, press("Before", () => this.go(0)), ...(calibrated > 0 ? [press("Calibrated dose", () => this.go(calibrated))] : []));
      this.curve = new Curve(info, (n) => this.go(n));
      this.root.append(make("div", { class: "vx-dose" }, this.curve.whole, make("label", { class: "vx-field" }, make("span", {}, "Dose"), this.dose), this.said));
    }
    this.root.append(make("div", { class: "vx-controls" }, this.layers.whole, this.mask, reach.whole, this.presets.whole), buttons,
      ...info.warnings.map((text) => make("p", { class: "vx-warning" }, text)), this.trouble, this.why, this.bar, this.left, ...this.rows(), this.legend(), this.where,
      make("ul", { class: "vx-lost" }, ...info.notes.map((text) => make("li", {}, text))));
  }

  /** Outlines and whose they are. */
  private legend(): HTMLElement {
    return make("ul", { class: "vx-legend" }, ...this.info.labels.flatMap(({ dashed, outlined }) => outlined.map(({ name, colour }) => {
      const key = make("span", { class: dashed ? "vx-key vx-dashed" : "vx-key" });
      key.style.borderColor = colour;
      return make("li", {}, key, name);
    })));
  }

  private rows(): HTMLElement[] {
    const roles: Role[] = [...(this.info.steps.length > 1 ? ["before", "now"] as Role[] : ["before"] as Role[]), ...(this.info.layers.length ? ["layer"] as Role[] : [])];
    return this.of.planes.map((plane, n) => {
      const mine = roles.map((role) => new Pane(role, n, this));
      this.panes.push(...mine);
      const turn = make("input", { type: "range", min: "0", step: "1", max: String(this.of.shape[plane.axis] - 1), "aria-label": `${plane.name}: slice` });
      turn.addEventListener("input", () => { this.state.voxel[plane.axis] = Number(turn.value); this.redraw(); });
      this.slices.push(turn);
      const name = make("span", { class: "vx-where" });
      const below = make("div", { class: "vx-slice" }, name, turn);
      below.hidden = this.of.shape[plane.axis] === 1;
      return make("div", { class: "vx-line" }, make("div", { class: `vx-trio vx-of-${roles.length}` }, ...mine.map((p) => p.whole)), below);
    });
  }

  // ---- what is shown -----------------------------------------------------------------------------------------------

  go(step: number): void {
    this.step = step;
    this.load();
  }

  show(layer: number): void {
    this.layer = layer;
    this.layers.list.value = String(layer);
    const own = this.masked?.cuts.findIndex(([cut]) => cut === this.masked?.threshold) ?? 0;
    this.cut = Math.max(own, 0);
    this.load();
  }

  /** There and back, until it is stopped. */
  run(on: boolean): void {
    this.play.setAttribute("aria-pressed", String(on));
    clearInterval(this.playing);
    if (!on) return;
    let by = 1;
    this.playing = window.setInterval(() => {
      if (this.step + by < 0 || this.step + by >= this.info.steps.length) by = -by;
      this.go(this.step + by);
    }, PACE);
  }

  private load(atStrongest = false): void {
    const asked = ++this.asked;
    this.ready = this.fetched().then((held) => {
      if (asked !== this.asked) return;
      this.held = held;
      this.trouble.hidden = true;
      if (atStrongest) this.strongest();
      this.paint();
    }).catch((error) => {
      this.trouble.hidden = false;
      this.trouble.textContent = `This series cannot be shown: ${error instanceof Error ? error.message : error}`;
    });
  }

  private async fetched(): Promise<Held> {
    const layer = this.info.layers[this.layer];
    const there = layer && !(String(this.step) in layer.missing);
    const [before, now, labels] = await Promise.all([this.volumes.frame(0), this.volumes.frame(this.step), this.volumes.labels()]);
    return {
      before, now, labels: labels.map((voxels, n) => ({ info: this.info.labels[n], voxels })),
      signed: there && layer.kind === "signed" ? { info: layer, voxels: await this.volumes.signed(layer, this.step) } : null,
      motion: there && layer.kind === "grid" ? await this.volumes.motion(layer as Warp, this.step) : null,
    };
  }

  // ---- drawing -----------------------------------------------------------------------------------------------------

  redraw(): void {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; this.paint(); });
  }

  private paint(): void {
    if (!this.held) return;
    const { info, state, held } = this;
    const layer = info.layers[this.layer];
    if (info.steps.length > 1) {
      const words = told(info, this.step);
      if (this.said.textContent !== words) this.said.textContent = words;
      this.dose.value = String(this.step);
      this.dose.setAttribute("aria-valuetext", words);
      this.curve?.mark(this.step);
    }
    for (const pane of this.panes) this.picture(pane, held);
    this.of.planes.forEach((plane, n) => {
      const text = `${plane.name}, ${slice(this.of, plane.axis, state.voxel[plane.axis])}`;
      this.slices[n].value = String(state.voxel[plane.axis]);
      this.slices[n].setAttribute("aria-valuetext", text);
      this.slices[n].previousElementSibling!.textContent = text;
    });
    const reason = layer?.missing[String(this.step)] ?? "";
    this.why.textContent = reason;
    this.why.hidden = !reason;
    this.colourBar(layer);
    this.cutBar();
    this.where.textContent = this.values(held);
  }

  private picture(pane: Pane, held: Held): void {
    const plane = this.plane(pane);
    pane.fit();
    const layer = pane.role === "layer";
    // values as they are, so that frames and the image share the windows
    const of: CaseInfo = { ...this.of, image: { ...this.of.image, scale: 1, offset: 0 } };
    const shown = pane.role === "now" ? held.now : held.before;
    const layers: Layers = {
      image: shown as unknown as Voxels, map: layer ? (held.signed?.voxels ?? null) : null,
      mapInfo: layer && held.signed ? this.mapInfo(held.signed.info) : null, labels: layer ? [...held.labels, ...this.cutLabels(held)] : [],
    };
    draw(pane.canvas, of, plane, this.state, this.state.pan[pane.plane], layers, this.colours);
    if (layer && held.motion) {
      const lines = warped(this.of, plane, this.state.voxel, held.motion);
      drawWarp(pane.canvas, lines, frame(this.of, plane, this.state, this.state.pan[pane.plane], pane.canvas.width, pane.canvas.height), pane.ratio);
    }
    const name = { before: this.info.steps.length > 1 ? "before" : "image", now: `at dose ${number(this.info.steps[this.step]?.dose ?? 0, 3)}`, layer: this.info.layers[this.layer]?.name ?? "" }[pane.role];
    pane.title.textContent = name;
    pane.canvas.setAttribute("aria-label", `${name}, ${plane.name}, ${slice(this.of, plane.axis, this.state.voxel[plane.axis])}`);
  }

  private mapInfo(layer: Signed) {
    return { ...at(layer.steps, this.step), method: layer.name, limit: layer.limit, unit: layer.unit, light: "", verdict: "", lost: "" };
  }

  /** The voxels that the mask's slider leaves, as a label. */
  private cutLabels(held: Held): Layers["labels"] {
    const mask = this.masked;
    if (!mask || !held.signed) return [];
    const { scale } = at(held.signed.info.steps, this.step);
    const [cut] = mask.cuts[this.cut];
    return [{ info: MASK, voxels: Uint8Array.from(held.signed.voxels, (n) => Number(scale * n > cut)) }];
  }

  private colourBar(layer: Signed | Warp | undefined): void {
    this.bar.hidden = layer?.kind !== "signed";
    if (layer?.kind !== "signed") return;
    const strip = make("span", { class: "vx-strip" });
    strip.style.background = `linear-gradient(to right, ${this.info.stops.map(([where, colour]) => `${colour} ${100 * where}%`).join(", ")})`;
    this.bar.replaceChildren(`${layer.name}: ${number(-layer.limit, 3)}`, strip, `+${number(layer.limit, 3)}`, make("span", {}, layer.unit));
  }

  private cutBar(): void {
    const mask = this.masked;
    this.mask.hidden = this.left.hidden = !mask;
    if (!mask) return;
    this.cuts.max = String(mask.cuts.length - 1);
    this.cuts.value = String(this.cut);
    this.left.textContent = remains(mask, this.cut);
    this.cuts.setAttribute("aria-valuetext", this.left.textContent);
  }

  private plane(pane: Pane): Plane {
    return this.of.planes[pane.plane];
  }

  /** Where the cross-hair is, and what is there. */
  private values(held: Held): string {
    const n = offset(this.of.shape, this.state.voxel);
    const unit = this.info.unit ? ` ${this.info.unit}` : "";
    const parts = [place(this.of, this.state.voxel)];
    if (this.info.steps.length > 1) parts.push(`before ${number(held.before[n], 3)}`, `now ${number(held.now[n], 3)}${unit}`);
    else parts.push(`image ${number(held.before[n], 3)}${unit}`);
    if (held.signed) {
      const { scale, offset: zero } = at(held.signed.info.steps, this.step);
      parts.push(`${held.signed.info.name} ${number(zero + scale * held.signed.voxels[n], 3)}`);
    }
    if (held.motion) parts.push(`moved by ${number(Math.hypot(...held.motion.map((m, a) => m[n] * this.of.spacing[a])), 3)} ${this.of.affine ? "mm" : "voxels"}`);
    for (const { info, voxels } of held.labels) {
      const found = info.outlined.find((o) => o.label === voxels[n]);
      if (found) parts.push(`${info.name}: ${found.name}`);
    }
    return parts.join(" · ");
  }

  // ---- deeds -------------------------------------------------------------------------------------------------------

  pointAt(pane: Pane, x: number, y: number): void {
    const plane = this.plane(pane);
    const here = frame(this.of, plane, this.state, this.state.pan[pane.plane], pane.canvas.width, pane.canvas.height);
    this.state.voxel = fromPicture(plane, this.of.shape, this.state.voxel, (x - here.x) / here.across - 0.5, (y - here.y) / here.down - 0.5);
    this.redraw();
  }

  walk(pane: Pane, across: number, down: number): void {
    const plane = this.plane(pane);
    const [column, row] = toPicture(plane, this.of.shape, this.state.voxel);
    this.state.voxel = fromPicture(plane, this.of.shape, this.state.voxel, column + across, row + down);
    this.redraw();
  }

  turn(plane: number, by: number): void {
    const { axis } = this.of.planes[plane];
    this.state.voxel[axis] = Math.min(Math.max(this.state.voxel[axis] + by, 0), this.of.shape[axis] - 1);
    this.redraw();
  }

  window(n: number): void {
    const found = this.info.image.presets[n];
    if (found) [this.state.low, this.state.high] = [found.low, found.high];
    this.redraw();
  }

  /** The cross-hair to the largest |value| of the layer, or where tissue moves most. */
  strongest(): void {
    const { held } = this;
    if (!held) return;
    const size = held.signed ? (n: number) => Math.abs(held.signed!.voxels[n])
      : held.motion ? (n: number) => Math.hypot(...held.motion!.map((m) => m[n]))
      : (n: number) => Math.abs(held.now[n] - held.before[n]);
    let best = 0;
    let most = size(0);
    for (let n = 1; n < held.before.length; n++) if (size(n) > most) [best, most] = [n, size(n)];
    const [x, y] = this.of.shape;
    this.state.voxel = [best % x, Math.floor(best / x) % y, Math.floor(best / (x * y))];
    this.redraw();
  }
}
