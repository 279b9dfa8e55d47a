/** A volume of the page as the bytes of a NIfTI-1 file, which is what NiiVue reads. */

import type { CaseInfo, Voxels } from "../format.ts";

const HEAD = 352;
const KINDS = [
  [Uint8Array, 2, 8], [Int16Array, 4, 16], [Float32Array, 16, 32], [Int8Array, 256, 8], [Uint16Array, 512, 16],
] as const;
const SCANNER = 1;
const MILLIMETRES = 2;

/** Index to RAS millimetres; without an orientation, along the grid from its first voxel. */
export function affineOf(of: CaseInfo): number[][] {
  if (of.affine) return of.affine;
  const [x, y, z] = of.spacing;
  return [[x, 0, 0, 0], [0, y, 0, 0], [0, 0, z, 0]];
}

/** `value = offset + scale * stored`, on the case's own grid. */
export function nifti(of: CaseInfo, voxels: Voxels, scale = 1, offset = 0): ArrayBuffer {
  const kind = KINDS.find(([array]) => voxels instanceof array);
  if (!kind) throw new Error("a volume has a type that NIfTI does not know");
  const [, code, bits] = kind;
  const out = new ArrayBuffer(HEAD + voxels.byteLength);
  const head = new DataView(out);
  const short = (at: number, values: number[]) => values.forEach((v, n) => head.setInt16(at + 2 * n, v, true));
  const real = (at: number, values: number[]) => values.forEach((v, n) => head.setFloat32(at + 4 * n, v, true));
  head.setInt32(0, 348, true);
  short(40, [3, ...of.shape, 1, 1, 1, 1]);
  short(70, [code, bits]);
  real(76, [1, ...of.spacing, 1, 1, 1, 1]);
  real(108, [HEAD, scale, offset]);
  head.setUint8(123, MILLIMETRES);
  short(252, [0, SCANNER]);
  affineOf(of).slice(0, 3).forEach((row, n) => real(280 + 16 * n, row));
  new Uint8Array(out).set([0x6e, 0x2b, 0x31, 0], 344);
  new Uint8Array(out, HEAD).set(new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength));
  return out;
}
