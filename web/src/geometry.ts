/** Where a voxel is: in a picture, in the file, in the patient. */

import type { CaseInfo, Plane, Triple } from "./format.ts";

/** A plane as it is shown: in neurological convention left and right change places. */
export function shown(plane: Plane, neurological: boolean): Plane {
  if (!neurological || !plane.mirrors) return plane;
  const [left, right, ...others] = plane.letters;
  return { ...plane, acrossFalls: !plane.acrossFalls, letters: [right, left, ...others] };
}

/** Picture column and row of a voxel. */
export function toPicture(plane: Plane, shape: Triple, voxel: Triple): [number, number] {
  const [i, j] = [voxel[plane.across], voxel[plane.down]];
  return [plane.acrossFalls ? shape[plane.across] - 1 - i : i, plane.downFalls ? shape[plane.down] - 1 - j : j];
}

/** The voxel at a picture's column and row, in the slice of `voxel`; outside it is the nearest one inside. */
export function fromPicture(plane: Plane, shape: Triple, voxel: Triple, column: number, row: number): Triple {
  const out: Triple = [...voxel];
  const inside = (n: number, size: number) => Math.min(Math.max(Math.round(n), 0), size - 1);
  const [i, j] = [inside(column, shape[plane.across]), inside(row, shape[plane.down])];
  out[plane.across] = plane.acrossFalls ? shape[plane.across] - 1 - i : i;
  out[plane.down] = plane.downFalls ? shape[plane.down] - 1 - j : j;
  return out;
}

/** RAS millimetres of a voxel; null where no orientation is known. */
export function millimetres(affine: number[][] | null, voxel: Triple): Triple | null {
  if (!affine) return null;
  return [0, 1, 2].map(
    (r) => affine[r][0] * voxel[0] + affine[r][1] * voxel[1] + affine[r][2] * voxel[2] + affine[r][3],
  ) as Triple;
}

/** The voxel's indices in the file. */
export function inFile(of: CaseInfo, voxel: Triple): number[] {
  return of.file.map(({ axis, step, start, last }) => Math.min(Math.max(start + step * voxel[axis], 0), last));
}

/** Where a voxel lies in a volume's array. */
export function offset(shape: Triple, voxel: Triple): number {
  return voxel[0] + shape[0] * (voxel[1] + shape[1] * voxel[2]);
}

/** A slice as a picture: where its first pixel lies in the array, and the steps to the right and down. */
export function strides(plane: Plane, shape: Triple, voxel: Triple): { start: number; right: number; down: number } {
  const step = [1, shape[0], shape[0] * shape[1]];
  const corner = fromPicture(plane, shape, voxel, 0, 0);
  return {
    start: offset(shape, corner),
    right: step[plane.across] * (plane.acrossFalls ? -1 : 1),
    down: step[plane.down] * (plane.downFalls ? -1 : 1),
  };
}
