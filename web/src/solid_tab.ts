/** The part of the viewer that opens in three dimensions; what draws it is only run when the reader asks for it. */

import { make, toggle } from "./elements.ts";
import type { Contents, Triple } from "./format.ts";
import type { OpenSolid, Seen, Solid } from "./solid/types.ts";

declare global {
  interface Window {
    voxplainSolid?: { open: OpenSolid };
  }
}

/** Run the script that draws; afterwards it is `window.voxplainSolid`. */
export type LoadSolid = () => Promise<void>;

const SCRIPT = "viewer-solid";
const NO_WEBGL =
  "This browser has no WebGL2 here, so nothing can be drawn in three dimensions. The planes show everything there is.";

/** The script in the page: base64 of a zlib stream. None where the page has none. */
export function ofPage(page: Document): LoadSolid | null {
  const element = page.getElementById(SCRIPT);
  if (!element) return null;
  return async () => {
    const text = atob((element.textContent ?? "").trim());
    const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const plain = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
    // the page's policy knows the hash of exactly this text
    page.head.append(make("script", {}, plain));
  };
}

export class SolidTab {
  readonly button: HTMLButtonElement;
  readonly whole = make("section", { class: "vx-solid", "aria-label": "Three dimensions", hidden: "" });
  private host = make("div");
  private told = make("p", { role: "status" });
  private solid: Promise<Solid> | null = null;
  private open = false;
  private seen: Seen | null = null;

  constructor(private load: LoadSolid | null, private colours: Pick<Contents, "stops">, private point: (voxel: Triple) => void) {
    this.button = toggle("3-D", false, (on) => this.turn(on));
    this.whole.append(make("h3", {}, "In three dimensions"), this.told, this.host);
  }

  /** Resolves when it is drawn; at once where it is not open. */
  get ready(): Promise<void> {
    return this.open && this.solid ? this.solid.then((s) => s.ready, () => {}) : Promise.resolve();
  }

  /** What the planes show now. Pictures have no third dimension. */
  show(seen: Seen): void {
    this.seen = seen;
    this.button.hidden = !this.load || seen.of.planes.length < 3;
    this.whole.hidden = this.button.hidden || !this.open;
    if (!this.whole.hidden) void this.solid?.then((s) => s.show(seen), () => {});
  }

  private turn(on: boolean): void {
    this.open = on;
    this.whole.hidden = !on;
    if (!on || !this.seen) return;
    this.solid ??= this.start();
    this.show(this.seen);
    this.whole.scrollIntoView({ block: "nearest" });
  }

  private async start(): Promise<Solid> {
    this.told.textContent = "Opening …";
    try {
      if (!document.createElement("canvas").getContext("webgl2")) throw new Error(NO_WEBGL);
      if (!window.voxplainSolid) await this.load!();
      if (!window.voxplainSolid) throw new Error("The script that draws in three dimensions did not run here.");
      const solid = await window.voxplainSolid.open(this.host, this.colours, this.point);
      this.told.textContent =
        "Drag or press the arrows to turn it, click to put the cross-hair on what is seen. Labels are thin surfaces. More of the map is hidden here than in the planes, since the weak would hide the strong.";
      return solid;
    } catch (error) {
      this.host.replaceChildren();
      this.told.textContent = (error as Error).message;
      throw error;
    }
  }
}
