/** Puts a viewer wherever the page has a place for one. */

import "./viewer.css";
import { alpha, place, table } from "./colours.ts";
import type { Contents } from "./format.ts";
import { outline } from "./outline.ts";
import { Viewer } from "./viewer.ts";

const VERSION = 1;

function start(): Viewer[] {
  const found: Viewer[] = [];
  for (const root of document.querySelectorAll<HTMLElement>("[data-voxplain]")) {
    const text = document.getElementById(root.dataset.voxplain ?? "")?.textContent;
    if (!text) continue;
    const contents = JSON.parse(text) as Contents;
    if (contents.version !== VERSION) {
      root.textContent = `The volumes of this page have version ${contents.version}; this viewer reads version ${VERSION}.`;
      continue;
    }
    root.hidden = false;
    found.push(new Viewer(root, contents));
  }
  return found;
}

export const viewers = start();
export { alpha, outline, place, table };
