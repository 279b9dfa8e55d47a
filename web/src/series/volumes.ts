/** The volumes of one series, as numbers. */

import { PageSource, Volumes, type Stored, type Voxels } from "../format.ts";
import type { SeriesInfo, Signed, Warp } from "./format.ts";

export class SeriesVolumes {
  private kept: Volumes;
  private count: number;

  constructor(page: Document, private info: SeriesInfo) {
    this.kept = new Volumes(new PageSource(page));
    this.count = info.shape[0] * info.shape[1] * info.shape[2];
  }

  stored(of: Stored): Promise<Voxels> {
    return this.kept.get(of, this.count);
  }

  async values(of: Stored): Promise<Float32Array> {
    const stored = await this.stored(of);
    return Float32Array.from(stored, (n) => of.offset + of.scale * n);
  }

  /** The image at a step. */
  async frame(step: number): Promise<Float32Array> {
    const image = await this.values(this.info.image);
    const change = this.info.changes?.[step];
    if (!change) return image;
    const added = await this.stored(change);
    for (let n = 0; n < image.length; n++) image[n] += change.offset + change.scale * added[n];
    return image;
  }

  async labels(): Promise<Voxels[]> {
    return Promise.all(this.info.labels.map((of) => this.kept.get(of, this.count)));
  }

  /** A signed map at a step; one that has a single step is the same at all of them. */
  signed(layer: Signed, step: number): Promise<Voxels> {
    return this.stored(at(layer.steps, step));
  }

  async motion(layer: Warp, step: number): Promise<Float32Array[]> {
    return Promise.all(at(layer.steps, step).map((of) => this.values(of)));
  }
}

export function at<T>(steps: T[], step: number): T {
  return steps[Math.min(step, steps.length - 1)];
}
