/** A regular grid as the tissue carries it, as far as it lies within the plane. */

import type { CaseInfo, Plane, Triple } from "../format.ts";
import { strides } from "../geometry.ts";
import type { Frame } from "../picture.ts";

const LINES = 16;
const COLOUR = "#4fe3ff";

/** Lines of the moved grid, each a list of x, y in pixels of the picture (pixel n covers n to n + 1). */
export function warped(of: CaseInfo, plane: Plane, voxel: Triple, motion: ArrayLike<number>[]): number[][] {
  const [columns, rows] = [of.shape[plane.across], of.shape[plane.down]];
  const { start, right, down } = strides(plane, of.shape, voxel);
  const [ahead, below] = [plane.acrossFalls ? -1 : 1, plane.downFalls ? -1 : 1];
  const point = (column: number, row: number): [number, number] => {
    const here = start + column * right + row * down;
    return [column + 0.5 + ahead * motion[plane.across][here], row + 0.5 + below * motion[plane.down][here]];
  };
  const step = Math.max(1, Math.ceil(Math.max(columns, rows) / LINES - 0.5));
  const lines: number[][] = [];
  for (let row = Math.floor(step / 2); row < rows; row += step) {
    lines.push(Array.from({ length: columns }, (_, column) => point(column, row)).flat());
  }
  for (let column = Math.floor(step / 2); column < columns; column += step) {
    lines.push(Array.from({ length: rows }, (_, row) => point(column, row)).flat());
  }
  return lines;
}

export function drawWarp(canvas: HTMLCanvasElement, lines: number[][], at: Frame, ratio: number): void {
  const context = canvas.getContext("2d")!;
  context.strokeStyle = COLOUR;
  context.lineWidth = ratio;
  context.beginPath();
  for (const line of lines) {
    for (let n = 0; n < line.length; n += 2) {
      const [x, y] = [at.x + line[n] * at.across, at.y + line[n + 1] * at.down];
      if (n) context.lineTo(x, y);
      else context.moveTo(x, y);
    }
  }
  context.stroke();
}
