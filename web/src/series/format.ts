/** What Python wrote of a series: `src/voxplain/report/series/pack.py`. */

import type { CaseInfo, Stored } from "../format.ts";

export interface Step {
  dose: number;
  score: number;
  calibrated: boolean;
}

/** A slider that cuts a map: places, and how many voxels of the file lie above each. */
export interface Mask {
  threshold: number | null;
  where: string;
  note: string;
  millilitres: number | null;
  cuts: [number, number][];
}

export interface Layer {
  name: string;
  unit: string;
  /** Where the colours end. */
  limit: number;
  /** Steps that have none, and why. */
  missing: Record<string, string>;
  mask: Mask | null;
}

export interface Signed extends Layer {
  kind: "signed";
  steps: Stored[];
}

/** Displacement of tissue in voxels along the three axes, step by step. */
export interface Warp extends Layer {
  kind: "grid";
  steps: [Stored, Stored, Stored][];
}

export interface SeriesInfo extends Omit<CaseInfo, "targets"> {
  version: number;
  stops: [number, string][];
  opaque: number;
  unit: string;
  /** The decisions below and above a score of 0. */
  names: [string, string];
  target: number | null;
  steps: Step[];
  /** To be read first, such as that a difference is withheld. */
  warnings: string[];
  /** What each step adds to the image; null where the image stays. */
  changes: Stored[] | null;
  layers: (Signed | Warp)[];
}
