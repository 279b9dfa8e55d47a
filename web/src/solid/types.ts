/** What the viewer and its view in three dimensions know of one another. */

import type { CaseInfo, Contents, Triple } from "../format.ts";
import type { Layers } from "../picture.ts";
import type { State } from "../state.ts";

/** One case as it is seen: volumes and what the reader has chosen. */
export interface Seen {
  of: CaseInfo;
  layers: Layers;
  state: State;
}

export interface Solid {
  /** Resolves when what was asked for last is drawn. */
  ready: Promise<void>;
  show(seen: Seen): void;
}

/** Start the view in an element; `point` is told which voxel was hit. Rejects where WebGL2 is missing. */
export type OpenSolid = (host: HTMLElement, colours: Pick<Contents, "stops">, point: (voxel: Triple) => void) => Promise<Solid>;
