/** The viewer: controls, panels, and what the reader does to them. */

import { signs, table } from "./colours.ts";
import { choice, fill, make, number, press, slider, toggle } from "./elements.ts";
import { PageSource, Volumes, type CaseInfo, type Contents, type MapInfo, type Source, type Triple } from "./format.ts";
import { fromPicture, inFile, millimetres, offset, shown, toPicture } from "./geometry.ts";
import { HELP } from "./help.ts";
import { Panel, type Deeds, type Drag } from "./panel.ts";
import { draw, frame, type Layers } from "./picture.ts";
import { ofPage, SolidTab, type LoadSolid } from "./solid_tab.ts";
import type { State } from "./state.ts";

const ALONE = -1;
/** What a page that is more than a report gives the viewer. */
export interface Options {
  source?: Source;
  /** Runs the script of the view in three dimensions, which a report has within itself. */
  solid?: LoadSolid;
  /** What is shown first, where it fits the case. */
  view?: Partial<State>;
  /** Keys of the page's own, for the help. */
  keys?: [string, string][];
  /** Told whenever something else is seen. */
  changed?: () => void;
}

const clamp = (n: number, low: number, high: number) => Math.min(Math.max(n, low), high);

export class Viewer implements Deeds {
  readonly state: State;
  /** Resolves when everything that was asked for is on the screen. */
  ready: Promise<void> = Promise.resolve();
  private colours: Uint8ClampedArray;
  private volumes: Volumes;
  private panels: Panel[] = [];
  private layers: Layers[] = [];
  /** Set the sliders and buttons to what the state says. */
  private showState: () => void = () => {};
  private letters: Record<string, () => void> = {};
  private asked = 0;
  private drawing = 0;
  private dragging: Drag = "cross-hair";

  private cases = choice("Case", (n) => this.openCase(n));
  private targets = choice("Target", (n) => this.openTarget(n));
  private first = choice("Method", (n) => this.openMap(0, n));
  private second = choice("Beside it", (n) => this.openMap(1, n));
  private presets = choice("Window", (n) => this.preset(n));
  private tools = choice("Dragging moves", (n) => (this.dragging = (["cross-hair", "window", "move"] as const)[n]));
  private low = make("input", { type: "number", step: "any", "aria-label": "Window from" });
  private high = make("input", { type: "number", step: "any", "aria-label": "Window to" });
  private sides = make("div", { class: "vx-sides" });
  private place = make("p", { class: "vx-place", role: "status" });
  private legend = make("ul", { class: "vx-legend" });
  private lost = make("ul", { class: "vx-lost" });
  private trouble = make("p", { class: "vx-trouble", role: "alert", hidden: "" });
  readonly solid: SolidTab;
  private help = make("dialog", { class: "vx-help", "aria-label": "How to use this viewer" });

  constructor(private root: HTMLElement, readonly contents: Contents, private options: Options = {}) {
    this.volumes = new Volumes(options.source ?? new PageSource(document));
    this.colours = table(contents.stops);
    this.state = {
      case: 0, target: 0, maps: [0, ALONE], voxel: [0, 0, 0], low: 0, high: 1, threshold: 0.05, opacity: contents.opaque,
      outlines: true, crosshair: true, neurological: false, zoom: 1, pan: [],
    };
    this.solid = new SolidTab(options.solid ?? ofPage(document), contents, (voxel) => this.goTo(voxel));
    this.build();
    this.openCase(0, options.view);
    new ResizeObserver(() => this.redraw()).observe(this.sides);
  }

  get case(): CaseInfo {
    return this.contents.cases[this.state.case];
  }

  /** The map of a side; null where there is none. */
  map(side: number): MapInfo | null {
    return this.maps[this.state.maps[side]] ?? null;
  }

  /** All maps of the target. */
  private get maps(): MapInfo[] {
    return this.case.targets[this.state.target]?.maps ?? [];
  }

  // ---- controls ----------------------------------------------------------------------------------------------------

  private build(): void {
    const { state } = this;
    fill(this.cases.list, this.contents.cases.map((c, n) => [n, c.name]), 0);
    fill(this.tools.list, [[0, "cross-hair"], [1, "window"], [2, "picture"]], 0);
    this.cases.whole.hidden = this.contents.cases.length < 2;
    const typed = () => {
      const [low, high] = [this.low.valueAsNumber, this.high.valueAsNumber];
      if (Number.isFinite(low) && Number.isFinite(high) && high > low) this.window(low, high);
    };
    this.low.addEventListener("change", typed);
    this.high.addEventListener("change", typed);
    const change = (what: (on: boolean) => void) => (on: boolean) => { what(on); this.redraw(); };
    const outlines = toggle("Outlines", true, change((on) => (state.outlines = on)));
    const crosshair = toggle("Cross-hair", true, change((on) => (state.crosshair = on)));
    const convention = toggle("Neurological", false, change((on) => (state.neurological = on)));
    const buttons = make("div", { class: "vx-buttons" }, outlines, crosshair, convention,
      press("Strongest", () => this.strongest()),
      press("Zoom in", () => this.zoom(1.25)),
      press("Zoom out", () => this.zoom(1 / 1.25)),
      press("Whole picture", () => this.whole()),
      this.solid.button,
      press("Help (?)", () => this.help.showModal()),
    );
    const reach = slider("Hidden below", state.threshold, (share) => { state.threshold = share; this.redraw(); });
    const opacity = slider("Opacity", state.opacity, (share) => { state.opacity = share; this.redraw(); });
    this.showState = () => {
      for (const [one, share] of [[reach, state.threshold], [opacity, state.opacity]] as const) one.set(share);
      for (const [one, on] of [[outlines, state.outlines], [crosshair, state.crosshair], [convention, state.neurological]] as const) {
        one.setAttribute("aria-pressed", String(on));
      }
    };
    const fields = make("div", { class: "vx-controls" },
      this.cases.whole, this.targets.whole, this.first.whole, this.second.whole, reach.whole, opacity.whole,
      this.presets.whole, make("div", { class: "vx-field" }, make("span", {}, "from, to"), make("span", { class: "vx-pair" }, this.low, this.high)),
      this.tools.whole);
    this.letters = {
      o: () => outlines.click(), x: () => crosshair.click(), n: () => convention.click(), s: () => this.strongest(),
      d: () => this.solid.button.hidden || this.solid.button.click(),
      w: () => this.preset((Number(this.presets.list.value) + 1) % this.case.image.presets.length),
    };
    const close = press("Close", () => this.help.close());
    this.help.append(make("h3", {}, "Keys and gestures"), ...[...HELP, ...(this.options.keys ?? [])].map(([keys, what]) => make("p", {}, make("kbd", {}, keys), ` ${what}`)), close);
    // a dialog alone lets the focus go to the browser's own buttons
    this.help.addEventListener("keydown", (event) => {
      if (event.key !== "Tab") return;
      event.preventDefault();
      close.focus();
    });
    this.root.append(fields, buttons, this.trouble, this.sides, this.place, this.solid.whole, this.legend, this.lost, this.help);
    this.root.addEventListener("keydown", (event) => this.pressed(event));
    // the help is found from everywhere on the page
    document.addEventListener("keydown", (event) => {
      if (event.key === "?" && !event.defaultPrevented && !(event.target as HTMLElement).matches("input:not([type=range]), textarea")) this.help.showModal();
    });
  }

  /** What a key does; a page with more than the viewer passes on those that nothing of its own has the focus for. */
  pressed(event: KeyboardEvent): void {
    const at = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || at.matches("select, input[type=number], textarea") || this.help.open) return;
    const count = this.maps.length;
    const digit = "123456789".indexOf(event.key);
    if (event.key === "?") this.help.showModal();
    else if (digit >= 0 && event.key.length === 1 && digit < count) this.openMap(0, digit);
    else if (event.key === "+") this.zoom(1.25);
    else if (event.key === "-") this.zoom(1 / 1.25);
    else if (event.key === "0") this.whole();
    else if (event.key.length === 1 && this.letters[event.key.toLowerCase()]) this.letters[event.key.toLowerCase()]();
    else return;
    event.preventDefault();
  }

  // ---- what is shown -----------------------------------------------------------------------------------------------

  /** Show another case than the page came with. */
  replace(by: CaseInfo, view: Partial<State> = {}): void {
    this.contents.cases = [by];
    this.openCase(0, view);
  }

  /** Show what was chosen before, where it fits the case. */
  restore(view: Partial<State>): void {
    this.openCase(this.state.case, view);
  }

  openCase(n: number, view: Partial<State> = {}): void {
    const { state } = this;
    state.case = n;
    const of = this.case;
    // what is on the screen belongs to another case, so that nobody may draw it or point at it any more
    [this.panels, this.layers] = [[], []];
    this.sides.replaceChildren();
    this.cases.list.value = String(n);
    fill(this.targets.list, of.targets.map((t, i) => [i, t.name]), 0);
    fill(this.presets.list, [...of.image.presets.map((p, i) => [i, p.name] as [number, string]), [ALONE, "by hand"]], 0);
    state.voxel = of.shape.map((size) => Math.floor(size / 2)) as Triple;
    state.pan = of.planes.map(() => [0, 0]);
    state.zoom = 1;
    this.preset(0);
    const { target = 0, maps, ...others } = view;
    this.targets.whole.hidden = this.first.whole.hidden = this.second.whole.hidden = !of.targets.length;
    if (others.low !== undefined && others.high !== undefined) this.window(others.low, others.high);
    const inside = others.voxel?.every((at, axis) => at >= 0 && at < of.shape[axis]);
    if (others.pan?.length !== of.planes.length) delete others.pan;
    if (!inside) delete others.voxel;
    Object.assign(state, others);
    this.showState();
    this.openTarget(of.targets[target] ? target : 0, !inside, maps);
  }

  openTarget(n: number, atStrongest = false, chosen?: [number, number]): void {
    const before = this.map(0)?.method;
    this.state.target = n;
    this.targets.list.value = String(n);
    const { maps } = this;
    const options = maps.map((m, i) => [i, m.method] as [number, string]);
    const [first, second] = chosen ?? [-1, ALONE];
    this.state.maps = [maps[first] ? first : Math.max(maps.findIndex((m) => m.method === before), 0), maps[second] ? second : ALONE];
    fill(this.first.list, options, this.state.maps[0]);
    fill(this.second.list, [[ALONE, "nothing"], ...options], this.state.maps[1]);
    this.load(atStrongest);
  }

  openMap(side: 0 | 1, n: number): void {
    this.state.maps[side] = n;
    (side === 0 ? this.first : this.second).list.value = String(n);
    this.load(false);
  }

  /** Unpack what is needed and show it; what was asked for in the meantime wins. */
  private load(atStrongest: boolean): void {
    const mine = ++this.asked;
    this.root.setAttribute("aria-busy", "true");
    if (this.options.source && !this.layers.length) this.early(mine);
    this.ready = this.unpacked().then(
      (layers) => {
        if (mine !== this.asked) return;
        this.layers = layers;
        this.root.setAttribute("aria-busy", "false");
        this.arrange();
        if (atStrongest) this.strongest();
        this.describe();
        this.paint();
        this.trouble.hidden = true;
      },
      (error: Error) => {
        if (mine !== this.asked) return;
        this.trouble.textContent = `This could not be shown: ${error.message}`;
        this.trouble.hidden = false;
      },
    );
  }

  /** The image alone, while a server still reads the map. */
  private early(mine: number): void {
    const of = this.case;
    this.volumes.get(of.image, of.shape[0] * of.shape[1] * of.shape[2]).then((image) => {
      if (mine !== this.asked || this.layers.length) return;
      this.layers = [{ image, labels: [], map: null, mapInfo: null }];
      this.arrange();
      this.paint();
    }, () => { /* told by whoever waits for all of it */ });
  }

  private async unpacked(): Promise<Layers[]> {
    const of = this.case;
    const count = of.shape[0] * of.shape[1] * of.shape[2];
    const wanted = [this.map(0), this.state.maps[1] === ALONE ? null : this.map(1)];
    this.volumes.keep(new Set([of.image.data, ...of.labels.map((l) => l.data), ...of.targets.flatMap((t) => t.maps.map((m) => m.data))]));
    // all at once: a server works on the next while one is on its way
    const [image, labels, maps] = await Promise.all([
      this.volumes.get(of.image, count),
      Promise.all(of.labels.map(async (info) => ({ info, voxels: await this.volumes.get(info, count) }))),
      Promise.all(wanted.map((info) => (info ? this.volumes.get(info, count) : null))),
    ]);
    return wanted.flatMap((mapInfo, side) => (side === 1 && !mapInfo ? [] : [{ image, labels, map: maps[side], mapInfo }]));
  }

  /** One row of panels for each map. */
  private arrange(): void {
    const of = this.case;
    const focused = this.panels.find((p) => p.canvas === document.activeElement);
    this.panels = this.layers.flatMap((_, side) => of.planes.map((plane, n) => new Panel(side, n, of, plane, this)));
    this.sides.replaceChildren(...this.layers.map((layers, side) => {
      const busy = this.root.getAttribute("aria-busy") === "true";
      const head = make("h3", {}, layers.mapInfo?.method ?? (busy ? "The map is on its way …" : "no map"));
      const info = layers.mapInfo;
      if (info?.verdict) head.append(" ", make("span", { class: `light ${info.light}` }, info.verdict));
      const row = make("div", { class: `vx-row vx-of-${of.planes.length}` }, ...this.panels.filter((p) => p.side === side).map((p) => p.whole));
      return make("section", { class: "vx-side", "aria-label": info?.method ?? "no map" }, head, ...(info ? [this.bar(info)] : []), row);
    }));
    if (focused) this.panels.find((p) => p.side === focused.side && p.number === focused.number)?.canvas.focus({ preventScroll: true });
  }

  /** The colours and what they stand for. */
  private bar(info: MapInfo): HTMLElement {
    const stops = this.contents.stops.map(([at, colour]) => `${colour} ${100 * at}%`).join(", ");
    const strip = make("span", { class: "vx-strip" });
    strip.style.background = `linear-gradient(to right, ${stops})`;
    const [less, more] = signs(info.unit);
    return make("div", { class: "vx-bar" }, `${number(-info.limit, 3)} ${less}`, strip, `${more} ${number(info.limit, 3)}`,
      make("span", { class: "vx-unit" }, info.unit));
  }

  private describe(): void {
    const of = this.case;
    const named: [string, string, boolean][] = [];
    for (const { name, dashed, outlined } of of.labels) {
      for (const label of outlined) named.push([dashed ? `${label.name} (${name})` : label.name, label.colour, dashed]);
    }
    this.legend.replaceChildren(...named.map(([name, colour, dashed]) => {
      const key = make("span", { class: dashed ? "vx-key vx-dashed" : "vx-key" });
      key.style.borderColor = colour;
      return make("li", {}, key, name);
    }));
    const maps = this.layers.flatMap((l) => (l.mapInfo?.lost ? [`${l.mapInfo.method}: ${l.mapInfo.lost}`] : []));
    this.lost.replaceChildren(...[...of.notes, ...maps].map((text) => make("li", {}, text)));
  }

  // ---- drawing -----------------------------------------------------------------------------------------------------

  /** Draw at the next occasion, once for everything that changes until then. */
  redraw(): void {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; this.paint(); });
  }

  private paint(): void {
    const { state } = this;
    for (const panel of this.panels) {
      const plane = this.plane(panel);
      const slice = state.voxel[plane.axis];
      panel.fit();
      draw(panel.canvas, this.case, plane, state, state.pan[panel.number], this.layers[panel.side], this.colours);
      panel.slice.value = String(slice);
      const where = `${plane.name}, ${this.slicePlace(plane.axis)}`;
      panel.title.textContent = where;
      panel.slice.setAttribute("aria-valuetext", where);
      panel.canvas.setAttribute("aria-label", `${where}: ${this.layers[panel.side].mapInfo?.method ?? "image"}`);
    }
    this.place.textContent = this.told();
    if (this.layers.length) this.solid.show({ of: this.case, layers: this.layers[0], state });
    if (this.panels.length) this.options.changed?.();
  }

  private plane(panel: Panel) {
    return shown(this.case.planes[panel.number], this.state.neurological);
  }

  private slicePlace(axis: number): string {
    const of = this.case;
    const count = `slice ${this.state.voxel[axis] + 1} of ${of.shape[axis]}`;
    const mm = millimetres(of.affine, of.shape.map((n, a) => (a === axis ? this.state.voxel[axis] : (n - 1) / 2)) as Triple);
    if (!mm) return count;
    return `${"LPI RAS".charAt(mm[axis] < 0 ? axis : 4 + axis)} ${Math.abs(mm[axis]).toFixed(1)} mm, ${count}`;
  }

  /** Where the cross-hair is, and what is there. */
  told(): string {
    const of = this.case;
    if (!this.layers.length) return "";
    const at = offset(of.shape, this.state.voxel);
    const mm = millimetres(of.affine, this.state.voxel);
    const parts = [`voxel (${inFile(of, this.state.voxel).join(", ")})`];
    if (mm) parts.unshift(`RAS ${mm.map((x) => x.toFixed(1).replace("-", "−")).join(", ")} mm`);
    parts.push(`image ${number(of.image.offset + of.image.scale * this.layers[0].image[at])}`);
    for (const { mapInfo, map } of this.layers) {
      if (mapInfo && map) parts.push(`${mapInfo.method} ${number(mapInfo.offset + mapInfo.scale * map[at], 3)}`);
    }
    for (const { info, voxels } of this.layers[0].labels) {
      const found = info.outlined.find((o) => o.label === voxels[at]);
      if (found) parts.push(`${info.name}: ${found.name}`);
    }
    return parts.join(" · ");
  }

  // ---- deeds -------------------------------------------------------------------------------------------------------

  tool(): Drag {
    return this.dragging;
  }

  pointAt(panel: Panel, x: number, y: number): void {
    const plane = this.plane(panel);
    const at = frame(this.case, plane, this.state, this.state.pan[panel.number], panel.canvas.width, panel.canvas.height);
    this.state.voxel = fromPicture(plane, this.case.shape, this.state.voxel, (x - at.x) / at.across - 0.5, (y - at.y) / at.down - 0.5);
    this.redraw();
  }

  moveWindow(across: number, down: number): void {
    const { low, high } = this.state;
    const width = (high - low) * Math.exp(across / 150);
    const centre = (low + high) / 2 + ((high - low) * down) / 150;
    this.window(centre - width / 2, centre + width / 2);
  }

  movePicture(panel: Panel, across: number, down: number): void {
    const at = frame(this.case, this.plane(panel), this.state, [0, 0], panel.canvas.width, panel.canvas.height);
    const pan = this.state.pan[panel.number];
    pan[0] -= across / at.across;
    pan[1] -= down / at.down;
    this.redraw();
  }

  goTo(voxel: Triple): void {
    this.state.voxel = voxel;
    this.redraw();
  }

  turnTo(panel: Panel, slice: number): void {
    const { axis } = this.case.planes[panel.number];
    this.state.voxel[axis] = clamp(slice, 0, this.case.shape[axis] - 1);
    this.redraw();
  }

  step(panel: Panel, by: number): void {
    this.turnTo(panel, this.state.voxel[this.case.planes[panel.number].axis] + by);
  }

  walk(panel: Panel, across: number, down: number): void {
    const plane = this.plane(panel);
    const [column, row] = toPicture(plane, this.case.shape, this.state.voxel);
    this.state.voxel = fromPicture(plane, this.case.shape, this.state.voxel, column + across, row + down);
    this.redraw();
  }

  /** Larger about the cross-hair, which keeps its place on the screen. */
  zoom(factor: number): void {
    const before = this.state.zoom;
    this.state.zoom = clamp(before * factor, 1, 20);
    this.case.planes.forEach((plane, n) => {
      const seen = shown(plane, this.state.neurological);
      const at = toPicture(seen, this.case.shape, this.state.voxel);
      [seen.across, seen.down].forEach((axis, c) => {
        const centre = this.case.shape[axis] / 2;
        const away = at[c] + 0.5 - centre - this.state.pan[n][c];
        this.state.pan[n][c] += away * (1 - before / this.state.zoom);
        if (this.state.zoom === 1) this.state.pan[n][c] = 0;
      });
    });
    this.redraw();
  }

  whole(): void {
    this.state.zoom = 1;
    this.state.pan = this.case.planes.map(() => [0, 0]);
    this.redraw();
  }

  preset(n: number): void {
    const found = this.case.image.presets[n];
    if (found) this.window(found.low, found.high, n);
  }

  window(low: number, high: number, preset = ALONE): void {
    [this.state.low, this.state.high] = [low, high];
    this.presets.list.value = String(preset);
    [this.low.value, this.high.value] = [low, high].map((n) => String(Number(n.toPrecision(5))));
    this.redraw();
  }

  /** The cross-hair to the largest |value| of the first map. */
  strongest(): void {
    const map = this.layers[0]?.map;
    if (!map) return;
    let best = 0;
    for (let n = 1; n < map.length; n++) if (Math.abs(map[n]) > Math.abs(map[best])) best = n;
    const [x, y] = this.case.shape;
    this.state.voxel = [best % x, Math.floor(best / x) % y, Math.floor(best / (x * y))];
    this.redraw();
  }
}
