/** Voxel-exact outlines: the edges between a label and everything else, as long straight lines. */

/** Lines (x0, y0, x1, y1) in pixels, where pixel (column, row) covers column to column + 1, row to row + 1. */
export function outline(labels: ArrayLike<number>, width: number, height: number, label: number): number[] {
  const lines: number[] = [];
  const inside = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && labels[y * width + x] === label;
  for (let y = 0; y <= height; y++) {
    let begun = -1;
    for (let x = 0; x <= width; x++) {
      const edge = x < width && inside(x, y - 1) !== inside(x, y);
      if (edge && begun < 0) begun = x;
      if (!edge && begun >= 0) {
        lines.push(begun, y, x, y);
        begun = -1;
      }
    }
  }
  for (let x = 0; x <= width; x++) {
    let begun = -1;
    for (let y = 0; y <= height; y++) {
      const edge = y < height && inside(x - 1, y) !== inside(x, y);
      if (edge && begun < 0) begun = y;
      if (!edge && begun >= 0) {
        lines.push(x, begun, x, y);
        begun = -1;
      }
    }
  }
  return lines;
}
