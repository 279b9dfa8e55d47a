/** What Python wrote into the page: a description as JSON, and volumes as base64 of zlib-compressed integers. */

export type Triple = [number, number, number];

/** `value = offset + scale * stored`; stored voxels lie with the first axis fastest. */
export interface Stored {
  data: string;
  type: "uint8" | "uint16" | "int8" | "int16";
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

export interface LabelInfo {
  name: string;
  dashed: boolean;
  data: string;
  type: "uint8" | "uint16";
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

export type Voxels = Uint8Array | Uint16Array | Int8Array | Int16Array;

const ARRAYS = { uint8: Uint8Array, uint16: Uint16Array, int8: Int8Array, int16: Int16Array };

/** The voxels of one volume: base64, then zlib, then little-endian integers. */
export async function unpack(base64: string, type: Stored["type"], count: number): Promise<Voxels> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const voxels = new ARRAYS[type](await new Response(stream).arrayBuffer());
  if (voxels.length !== count) throw new Error(`a volume has ${voxels.length} voxels, ${count} were expected`);
  return voxels;
}

/** Read volumes from their elements, each once. */
export class Volumes {
  private known = new Map<string, Promise<Voxels>>();

  constructor(private page: Document) {}

  get(data: string, type: Stored["type"], count: number): Promise<Voxels> {
    let found = this.known.get(data);
    if (!found) {
      const element = this.page.getElementById(data);
      if (!element) throw new Error(`the page has no volume ${data}`);
      found = unpack((element.textContent ?? "").trim(), type, count);
      this.known.set(data, found);
    }
    return found;
  }

  /** Let go of what another case needed. */
  keep(names: Set<string>): void {
    for (const name of this.known.keys()) if (!names.has(name)) this.known.delete(name);
  }
}
