/** What Python wrote into the page: a description as JSON, and volumes as base64 of zlib-compressed integers. */

export type Triple = [number, number, number];

/** Stored voxels of a volume, by its name; they lie with the first axis fastest. */
export interface Named {
  data: string;
  type: keyof typeof ARRAYS;
}

/** `value = offset + scale * stored`. */
export interface Stored extends Named {
  scale: number;
  offset: number;
}

export interface ImageInfo extends Stored {
  presets: { name: string; low: number; high: number }[];
}

export interface Outlined {
  label: number;
  name: string;
  colour: string;
}

export interface LabelInfo extends Named {
  name: string;
  dashed: boolean;
  outlined: Outlined[];
}

export interface MapInfo extends Stored {
  method: string;
  /** Where the colours end, in the map's own units. */
  limit: number;
  unit: string;
  light: string;
  verdict: string;
  lost: string;
}

export interface Target {
  name: string;
  maps: MapInfo[];
}

/** A family of parallel slices in radiological convention. */
export interface Plane {
  name: string;
  /** The axis that the slices follow one another along. */
  axis: number;
  /** The axes that run to the right and down in the picture, and whether their indices fall. */
  across: number;
  acrossFalls: boolean;
  down: number;
  downFalls: boolean;
  /** Left, right, top, bottom; empty where no orientation is known. */
  letters: string[];
  /** Whether left and right change places in neurological convention. */
  mirrors: boolean;
}

export interface CaseInfo {
  name: string;
  shape: Triple;
  spacing: Triple;
  /** Index to RAS millimetres, row by row; null where no orientation is known. */
  affine: number[][] | null;
  /** Index to the file's own voxel: per axis of the file the axis here, times `step`, plus `start`, from 0 to `last`. */
  file: { axis: number; step: number; start: number; last: number }[];
  planes: Plane[];
  image: ImageInfo;
  labels: LabelInfo[];
  targets: Target[];
  notes: string[];
}

export interface Contents {
  version: number;
  stops: [number, string][];
  opaque: number;
  cases: CaseInfo[];
}

export type Voxels = Uint8Array | Uint16Array | Int8Array | Int16Array | Float32Array;

const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, int8: Int8Array, int16: Int16Array, float32: Float32Array };

/** Where volumes come from: elements of the page, or a server. */
export interface Source {
  /** The little-endian voxels of a volume. What is only known with them, such as a map's limit, is written into `of`. */
  bytes(of: Named): Promise<ArrayBuffer>;
}

/** Volumes in the page's own elements: base64 of a zlib stream. */
export class PageSource implements Source {
  constructor(private page: Document) {}

  bytes({ data }: Named): Promise<ArrayBuffer> {
    const element = this.page.getElementById(data);
    if (!element) throw new Error(`the page has no volume ${data}`);
    const text = atob((element.textContent ?? "").trim());
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }
}

/** Read volumes from their source, each once. */
export class Volumes {
  private known = new Map<string, Promise<Voxels>>();

  constructor(private source: Source) {}

  get(of: Named, count: number): Promise<Voxels> {
    let found = this.known.get(of.data);
    if (!found) {
      found = this.read(of, count);
      // what failed is asked for again, the next time somebody wants it
      found.catch(() => this.known.delete(of.data));
      this.known.set(of.data, found);
    }
    return found;
  }

  private async read(of: Named, count: number): Promise<Voxels> {
    const bytes = await this.source.bytes(of);
    const voxels = new ARRAYS[of.type](bytes);
    if (voxels.length !== count) throw new Error(`a volume has ${voxels.length} voxels, ${count} were expected`);
    return voxels;
  }

  /** Let go of what another case needed. */
  keep(names: Set<string>): void {
    for (const name of this.known.keys()) if (!names.has(name)) this.known.delete(name);
  }
}
