/** Puts a series wherever the page has a place for one; each begins when it comes near the screen. */

import "../viewer.css";
import "./series.css";
import type { SeriesInfo } from "./format.ts";
import { Series } from "./series.ts";
import { warped } from "./warp.ts";

const VERSION = 1;
const NEAR = "600px";

function start(): Series[] {
  const found: Series[] = [];
  const near = new IntersectionObserver((seen) => {
    for (const entry of seen) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      found.find((series) => series.root === entry.target)?.open();
    }
  }, { rootMargin: NEAR });
  for (const root of document.querySelectorAll<HTMLElement>("[data-series]")) {
    const text = document.getElementById(root.dataset.series ?? "")?.textContent;
    if (!text) continue;
    const info = JSON.parse(text) as SeriesInfo;
    root.hidden = false;
    if (info.version !== VERSION) {
      root.textContent = `The series has version ${info.version}; this page's script reads version ${VERSION}.`;
      continue;
    }
    found.push(new Series(root, info));
    near.observe(root);
  }
  // still pictures of what can be moved are for paper and for readers without scripts
  if (found.length) document.body.classList.add("vx-moving");
  return found;
}

export const all = start();
export { warped };
