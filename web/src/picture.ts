/** One slice drawn: image, map, outlines, cross-hair, letters. */

import { alpha, place } from "./colours.ts";
import type { CaseInfo, LabelInfo, MapInfo, Plane, Voxels } from "./format.ts";
import { strides, toPicture } from "./geometry.ts";
import { outline } from "./outline.ts";
import type { State } from "./state.ts";

export interface Layers {
  image: Voxels;
  map: Voxels | null;
  mapInfo: MapInfo | null;
  labels: { info: LabelInfo; voxels: Voxels }[];
}

/** Where a picture lies on its canvas: pixels of the canvas per voxel, and the place of the first voxel's corner. */
export interface Frame {
  x: number;
  y: number;
  across: number;
  down: number;
}

const INK = "#e8eaed";

/** The whole slice in the middle of the canvas, then zoomed and moved. */
export function frame(of: CaseInfo, plane: Plane, state: State, pan: [number, number], width: number, height: number): Frame {
  const columns = of.shape[plane.across];
  const rows = of.shape[plane.down];
  const [mmAcross, mmDown] = [of.spacing[plane.across], of.spacing[plane.down]];
  const scale = state.zoom * Math.min(width / (columns * mmAcross), height / (rows * mmDown));
  const [across, down] = [scale * mmAcross, scale * mmDown];
  return {
    x: width / 2 - (columns / 2 + pan[0]) * across,
    y: height / 2 - (rows / 2 + pan[1]) * down,
    across,
    down,
  };
}

/** Image and map of a slice as the bytes of a picture, one pixel a voxel. */
export function pixels(
  of: CaseInfo, plane: Plane, state: State, layers: Layers, colours: Uint8ClampedArray,
): Uint8ClampedArray<ArrayBuffer> {
  const [columns, rows] = [of.shape[plane.across], of.shape[plane.down]];
  const { start, right, down } = strides(plane, of.shape, state.voxel);
  const out = new Uint8ClampedArray(new ArrayBuffer(4 * columns * rows));
  const grey = 255 / (state.high - state.low);
  const { scale, offset } = of.image;
  const info = layers.mapInfo;
  let at = 0;
  for (let row = 0; row < rows; row++) {
    let from = start + row * down;
    for (let column = 0; column < columns; column++, from += right, at += 4) {
      const value = offset + scale * layers.image[from];
      const ground = state.high > state.low ? Math.min(Math.max((value - state.low) * grey, 0), 255) : 127.5;
      out[at] = out[at + 1] = out[at + 2] = ground;
      out[at + 3] = 255;
      if (!info || !layers.map || layers.map[from] === 0) continue;
      const found = info.offset + info.scale * layers.map[from];
      const share = alpha(found, info.limit, state.opacity, state.threshold);
      const colour = 3 * place(found, info.limit);
      for (let c = 0; c < 3; c++) out[at + c] = ground * (1 - share) + colours[colour + c] * share;
    }
  }
  return out;
}

/** Draw a slice on a canvas. */
export function draw(
  canvas: HTMLCanvasElement, of: CaseInfo, plane: Plane, state: State, pan: [number, number], layers: Layers,
  colours: Uint8ClampedArray,
): void {
  const context = canvas.getContext("2d")!;
  const ratio = canvas.width / Math.max(canvas.clientWidth, 1);
  const [columns, rows] = [of.shape[plane.across], of.shape[plane.down]];
  const small = document.createElement("canvas");
  small.width = columns;
  small.height = rows;
  small.getContext("2d")!.putImageData(new ImageData(pixels(of, plane, state, layers, colours), columns, rows), 0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#101214";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;
  const at = frame(of, plane, state, pan, canvas.width, canvas.height);
  context.drawImage(small, at.x, at.y, columns * at.across, rows * at.down);
  if (state.outlines) for (const labels of layers.labels) outlines(context, of, plane, state, labels, at, ratio);
  if (state.crosshair) crosshair(context, of, plane, state, at, ratio);
  letters(context, plane, canvas, ratio);
}

function outlines(
  context: CanvasRenderingContext2D, of: CaseInfo, plane: Plane, state: State, labels: Layers["labels"][number],
  at: Frame, ratio: number,
): void {
  const [columns, rows] = [of.shape[plane.across], of.shape[plane.down]];
  const { start, right, down } = strides(plane, of.shape, state.voxel);
  const flat = new Uint16Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) flat[row * columns + column] = labels.voxels[start + row * down + column * right];
  }
  context.lineWidth = 1.5 * ratio;
  context.setLineDash(labels.info.dashed ? [4 * ratio, 3 * ratio] : []);
  for (const { label, colour } of labels.info.outlined) {
    const lines = outline(flat, columns, rows, label);
    context.strokeStyle = colour;
    context.beginPath();
    for (let n = 0; n < lines.length; n += 4) {
      context.moveTo(at.x + lines[n] * at.across, at.y + lines[n + 1] * at.down);
      context.lineTo(at.x + lines[n + 2] * at.across, at.y + lines[n + 3] * at.down);
    }
    context.stroke();
  }
  context.setLineDash([]);
}

function crosshair(
  context: CanvasRenderingContext2D, of: CaseInfo, plane: Plane, state: State, at: Frame, ratio: number,
): void {
  const [column, row] = toPicture(plane, of.shape, state.voxel);
  const [x, y] = [at.x + (column + 0.5) * at.across, at.y + (row + 0.5) * at.down];
  const gap = 7 * ratio;
  context.lineWidth = ratio;
  context.strokeStyle = "rgba(255, 235, 130, .75)";
  context.beginPath();
  context.moveTo(0, y);
  context.lineTo(x - gap, y);
  context.moveTo(x + gap, y);
  context.lineTo(context.canvas.width, y);
  context.moveTo(x, 0);
  context.lineTo(x, y - gap);
  context.moveTo(x, y + gap);
  context.lineTo(x, context.canvas.height);
  context.stroke();
}

function letters(context: CanvasRenderingContext2D, plane: Plane, canvas: HTMLCanvasElement, ratio: number): void {
  if (!plane.letters.length) return;
  const [left, right, top, bottom] = plane.letters;
  const [width, height, edge] = [canvas.width, canvas.height, 5 * ratio];
  context.font = `600 ${13 * ratio}px system-ui, sans-serif`;
  context.lineWidth = 3 * ratio;
  context.strokeStyle = "#000";
  context.fillStyle = INK;
  const put = (text: string, x: number, y: number, align: CanvasTextAlign, base: CanvasTextBaseline) => {
    context.textAlign = align;
    context.textBaseline = base;
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  put(left, edge, height / 2, "left", "middle");
  put(right, width - edge, height / 2, "right", "middle");
  put(top, width / 2, edge, "center", "top");
  put(bottom, width / 2, height - edge, "center", "bottom");
}
