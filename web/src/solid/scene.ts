/** NiiVue with the colours, labels and cross-hair of the planes. */

import { Niivue, NVImage, SLICE_TYPE } from "@niivue/niivue";
import { place, table } from "../colours.ts";
import type { Contents, Triple } from "../format.ts";
import { nifti } from "./nifti.ts";
import { shells } from "./shells.ts";
import type { Seen } from "./types.ts";

const [FOR, AGAINST] = ["voxplain-for", "voxplain-against"];
const TRANSPARENT_BELOW = 1; // colours from zero to the end, and nothing below the threshold
const SHELL = 0.1; // opacity: what lies behind a surface is still seen
const NO_CUT = [2, 0, 0];

/** Where the reader looks from, in degrees: around the body's axis, and up. */
export const VIEWS: Record<string, [number, number]> = {
  front: [180, 0], back: [0, 0], "patient’s left": [90, 0], "patient’s right": [270, 0], top: [0, 90], bottom: [0, -90],
};
/** What is cut away, at the cross-hair: which axis, and whether its higher end goes. */
export const CUTS: Record<string, [number, boolean] | null> = {
  nothing: null, "patient’s left": [0, false], "patient’s right": [0, true], back: [1, false], front: [1, true],
  bottom: [2, false], top: [2, true],
};
/** The side that a cut comes from, as azimuth and elevation; NiiVue counts the azimuth of cuts the other way round than that of views. */
const SIDES: Record<string, [number, number]> = {
  "patient’s left": [270, 0], "patient’s right": [90, 0], back: [0, 0], front: [180, 0], bottom: [0, -90], top: [0, 90],
};

export class Scene {
  readonly nv: Niivue;
  cut = "nothing";
  cutsMap = true;
  ground = 0.3;
  /** A share of the limit below which nothing is coloured here: rays pass many voxels, and weak ones hide the strong. */
  least = 0.4;
  private seen: Seen | null = null;
  private shells: number[] = [];
  private values = "";
  private drawing = 0;

  constructor(private point: (voxel: Triple) => void) {
    this.nv = new Niivue({
      interactive: false, isRadiologicalConvention: true, isOrientCube: true, show3Dcrosshair: true, crosshairColor: [1, 0.92, 0.51, 0.9],
      crosshairWidth: 0.5, backColor: [0.063, 0.071, 0.078, 1], dragAndDropEnabled: false, loadingText: "", logLevel: "error",
      isColorbar: false, clipPlaneColor: [0.06, 0.07, 0.08, 0], showLegend: false,
    });
    this.nv.onLocationChange = () => {};
  }

  async attach(canvas: HTMLCanvasElement, stops: Contents["stops"]): Promise<void> {
    this.nv.addColormap(FOR, half(stops, 1));
    this.nv.addColormap(AGAINST, half(stops, -1));
    await this.nv.attachToCanvas(canvas, true);
    this.nv.setSliceType(SLICE_TYPE.RENDER);
    this.look(150, 15);
  }

  /** Show a case; its volumes are only loaded anew where they are others. */
  async show(seen: Seen): Promise<void> {
    const before = this.seen;
    this.seen = { ...seen, layers: { ...seen.layers } };
    if (!before || before.of !== seen.of || before.layers.map !== seen.layers.map || before.layers.image !== seen.layers.image) {
      this.nv.volumes = await this.loaded(seen);
      [this.nv.back, ...this.nv.overlays] = this.nv.volumes;
      this.values = "";
    }
    if (this.apply(seen)) this.nv.updateGLVolume();
    this.mark(seen);
    this.cutAway();
    this.nv.drawScene();
  }

  private async loaded({ of, layers }: Seen): Promise<NVImage[]> {
    const { image, map, mapInfo, labels } = layers;
    const out = [await volume(nifti(of, image, of.image.scale, of.image.offset), "gray")];
    this.shells = [];
    for (const { info, voxels } of labels) {
      const made = await volume(nifti(of, shells(info, voxels, of.shape)), "gray");
      const channel = (n: number) => [0, ...info.outlined.map(({ colour }) => parseInt(colour.slice(1 + 2 * n, 3 + 2 * n), 16))];
      made.setColormapLabel({
        R: channel(0), G: channel(1), B: channel(2), A: [0, ...info.outlined.map(() => 255)],
        I: [0, ...info.outlined.map((_, n) => n + 1)], labels: ["", ...info.outlined.map((o) => o.name)],
      });
      this.shells.push(out.push(made) - 1);
    }
    if (map && mapInfo) {
      const made = await volume(nifti(of, map, mapInfo.scale, mapInfo.offset), FOR, AGAINST);
      made.colormapType = TRANSPARENT_BELOW;
      out.push(made); // last, since it lies over the others
    }
    return out;
  }

  /** Take over window, threshold, opacity and outlines; whether any of them has changed. */
  private apply({ state, layers }: Seen): boolean {
    const values = JSON.stringify([state.low, state.high, state.threshold, state.opacity, state.outlines, this.ground, this.least]);
    if (values === this.values) return false;
    this.values = values;
    const [image, map] = [this.nv.volumes[0], this.nv.volumes[this.nv.volumes.length - 1]];
    [image.cal_min, image.cal_max, image.opacity] = [state.low, state.high, this.ground];
    if (layers.mapInfo && layers.map) {
      const { limit } = layers.mapInfo;
      [map.cal_min, map.cal_max, map.opacity] = [Math.max(state.threshold, this.least, 0.001) * limit, limit, state.opacity];
    }
    for (const n of this.shells) this.nv.volumes[n].opacity = state.outlines ? SHELL : 0;
    return true;
  }

  private mark({ of, state }: Seen): void {
    this.nv.opts.show3Dcrosshair = state.crosshair;
    this.nv.opts.isOrientCube = of.affine !== null;
    const [x, y, z] = state.voxel.map((n, axis) => (n + 0.5) / of.shape[axis]);
    this.nv.scene.crosshairPos = Float32Array.of(x, y, z) as typeof this.nv.scene.crosshairPos;
  }

  /** Cut what lies before the cross-hair, on the chosen side. */
  private cutAway(): void {
    const asked = CUTS[this.cut];
    if (!asked || !this.seen) {
      this.nv.setClipPlane(NO_CUT);
      return;
    }
    const [axis, high] = asked;
    const { of, state } = this.seen;
    const place = (state.voxel[axis] + 0.5) / of.shape[axis] - 0.5;
    this.nv.opts.isClipAllVolumes = this.cutsMap;
    this.nv.setClipPlane([high ? place : -place, ...SIDES[this.cut]]);
  }

  look(azimuth: number, elevation: number): void {
    this.nv.scene.renderAzimuth = ((azimuth % 360) + 360) % 360;
    this.nv.scene.renderElevation = Math.min(Math.max(elevation, -90), 90);
    // a hand moves more often than a picture can be drawn
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.nv.drawScene();
    });
  }

  turn(across: number, down: number): void {
    this.look(this.nv.scene.renderAzimuth + across, this.nv.scene.renderElevation + down);
  }

  zoom(factor: number): void {
    this.nv.setScale(Math.min(Math.max(this.nv.scene.volScaleMultiplier * factor, 0.5), 8));
  }

  /** Put the cross-hair on what is seen at this place of the canvas, in its own pixels. */
  pick(x: number, y: number): void {
    if (!this.seen) return;
    const before = [...this.nv.scene.crosshairPos];
    this.nv.mousePos = [x, y];
    this.nv.uiData.mouseDepthPicker = true;
    this.nv.drawScene();
    const at = [...this.nv.scene.crosshairPos];
    const { shape } = this.seen.of;
    if (at.every((n, axis) => n === before[axis])) return;
    this.point(at.map((n, axis) => Math.min(Math.max(Math.floor(n * shape[axis]), 0), shape[axis] - 1)) as Triple);
  }

  again(): void {
    if (this.seen) void this.show(this.seen);
  }
}

function volume(bytes: ArrayBuffer, colours: string, negative = ""): Promise<NVImage> {
  return NVImage.new(bytes, "volume.nii", colours, 1, null, NaN, NaN, true, 0.02, false, false, negative, 0, 0, NaN, NaN, false, null, 0, null);
}

const STEPS = 17;

/** One half of the signed colours, from zero outwards. */
function half(stops: Contents["stops"], sign: 1 | -1) {
  const colours = table(stops);
  const places = Array.from({ length: STEPS }, (_, n) => n / (STEPS - 1));
  const part = (c: number) => places.map((share) => colours[3 * place(sign * share, 1) + c]);
  return {
    R: part(0), G: part(1), B: part(2), A: places.map((share) => (share ? 255 : 0)), // what lies below the threshold has the first colour
    I: places.map((share) => Math.round(255 * share)),
  };
}
