/** Signed values to colours: the stops come from Python, which draws the report's pictures with the same ones. */

const SIZE = 513;

/** 513 colours from -1 to 1, three bytes each: what matplotlib's LinearSegmentedColormap makes of the stops. */
export function table(stops: [number, string][]): Uint8ClampedArray {
  const colours = stops.map(([, hex]) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const out = new Uint8ClampedArray(3 * SIZE);
  for (let n = 0; n < SIZE; n++) {
    const at = n / (SIZE - 1);
    let right = 1;
    while (right < stops.length - 1 && stops[right][0] < at) right++;
    const [a, b] = [stops[right - 1][0], stops[right][0]];
    const share = Math.min(Math.max((at - a) / (b - a), 0), 1);
    for (let c = 0; c < 3; c++) {
      out[3 * n + c] = colours[right - 1][c] + share * (colours[right][c] - colours[right - 1][c]);
    }
  }
  return out;
}

/** The place of a value in the table, for a range from -limit to limit. */
export function place(value: number, limit: number): number {
  const scaled = Math.min(Math.max(value / limit, -1), 1);
  return Math.min(Math.floor((0.5 + 0.5 * scaled) * SIZE), SIZE - 1);
}

/** Opacity from 0 to `opaque`, in proportion to |value|; nothing below the threshold, a share of the limit. */
export function alpha(value: number, limit: number, opaque: number, threshold: number): number {
  const size = Math.min(Math.abs(value) / limit, 1);
  return size < threshold ? 0 : opaque * size;
}

/** What the two ends of a map's colours mean, by its unit: only shares of a score speak for it or against it. */
export function signs(unit: string): [string, string] {
  if (unit === "score" || unit === "score per voxel" || unit === "lost score per voxel") return ["against", "for"];
  if (unit === "score per unit of intensity") return ["brighter lowers it", "brighter raises it"];
  return ["negative", "positive"];
}
