/** What stands beside the pictures, in words. */

import { number } from "../elements.ts";
import type { CaseInfo, Triple } from "../format.ts";
import { inFile, millimetres } from "../geometry.ts";
import type { Mask, SeriesInfo } from "./format.ts";

/** The dose, the classifier's logit there, the probability that it stands for, and the decision. */
export function told(info: SeriesInfo, step: number): string {
  const { dose, score, calibrated } = info.steps[step];
  const [below, above] = info.names;
  const chance = 1 / (1 + Math.exp(-score));
  const mark = calibrated ? " (the calibrated dose)" : dose === 0 ? " (the image itself)" : "";
  const sign = score > 0 ? "+" : "";
  return `Dose ${number(dose, 3)}${mark}: logit ${sign}${number(score, 3)}, probability of ${above} ${chance.toFixed(3)}, decision ${score > 0 ? above : below}`;
}

/** Where a voxel is. */
export function place(of: CaseInfo, voxel: Triple): string {
  const mm = millimetres(of.affine, voxel);
  const name = of.planes.length === 1 && of.file.length === 2 ? "pixel" : "voxel";
  const parts = mm ? [`RAS ${mm.map((x) => x.toFixed(1).replace("-", "−")).join(", ")} mm`] : [];
  return [...parts, `${name} (${inFile(of, voxel).join(", ")})`].join(" · ");
}

/** Where a slice is. */
export function slice(of: CaseInfo, axis: number, index: number): string {
  const count = `slice ${index + 1} of ${of.shape[axis]}`;
  const mm = millimetres(of.affine, of.shape.map((n, a) => (a === axis ? index : (n - 1) / 2)) as Triple);
  if (!mm) return count;
  return `${"LPIRAS".charAt(mm[axis] < 0 ? axis : 3 + axis)} ${Math.abs(mm[axis]).toFixed(1)} mm, ${count}`;
}

/** What is left of a map from a threshold on. */
export function remains(mask: Mask, n: number): string {
  const [cut, voxels] = mask.cuts[n];
  const size = mask.millilitres === null ? "" : `, ${number(voxels * mask.millilitres, 3)} ml`;
  const own = mask.threshold !== null && cut === mask.threshold ? " (the threshold that was used)" : "";
  return `${mask.where} above ${number(cut, 3)}${own}: ${voxels} voxels${size}. ${mask.note}`;
}
