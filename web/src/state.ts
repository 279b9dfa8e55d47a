/** What the reader has chosen. */

import type { Triple } from "./format.ts";

export interface State {
  case: number;
  target: number;
  /** The maps that are shown, by their number in the target; the second is -1 where one is shown alone. */
  maps: [number, number];
  voxel: Triple;
  low: number;
  high: number;
  /** A share of the limit below which nothing is coloured. */
  threshold: number;
  opacity: number;
  outlines: boolean;
  crosshair: boolean;
  neurological: boolean;
  zoom: number;
  /** Of the picture's centre, in voxels of the first plane, second plane ... */
  pan: [number, number][];
}
