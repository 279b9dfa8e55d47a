/** Labels as thin shells: what lies inside a structure is seen through its surface. */

import type { LabelInfo, Triple, Voxels } from "../format.ts";

/** The voxels of outlined labels that touch another label, numbered from 1 in the order of the outlines. */
export function shells(info: LabelInfo, voxels: Voxels, shape: Triple): Uint8Array {
  const number = new Map(info.outlined.map(({ label }, n) => [label, n + 1]));
  const out = new Uint8Array(voxels.length);
  const steps = [1, shape[0], shape[0] * shape[1]];
  let at = 0;
  for (let z = 0; z < shape[2]; z++) {
    for (let y = 0; y < shape[1]; y++) {
      for (let x = 0; x < shape[0]; x++, at++) {
        const label = voxels[at];
        if (label === 0) continue;
        const edge = [x, y, z].some((place, axis) =>
          place === 0 || place === shape[axis] - 1 || voxels[at - steps[axis]] !== label || voxels[at + steps[axis]] !== label);
        if (edge) out[at] = number.get(label) ?? 0;
      }
    }
  }
  return out;
}
