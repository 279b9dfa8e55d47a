/** The view in the address: whoever opens it sees the same. */

import type { CaseInfo } from "../format.ts";
import type { State } from "../state.ts";

/** By names, since places in lists differ from study to study. */
export interface Link {
  case?: string;
  target?: string;
  methods?: string[];
  view: Partial<State>;
}

const numbers = (text: string) => text.split(",").map(Number);
const short = (n: number) => String(Number(n.toPrecision(7)));

export function encoded(of: CaseInfo, state: State): string {
  const target = of.targets[state.target];
  const out = new URLSearchParams({ case: of.name });
  if (target) {
    out.set("target", target.name);
    // one entry each: a name may hold any character
    for (const n of state.maps) if (target.maps[n]) out.append("method", target.maps[n].method);
  }
  out.set("voxel", state.voxel.join(","));
  out.set("window", [state.low, state.high].map(short).join(","));
  out.set("threshold", short(state.threshold));
  out.set("opacity", short(state.opacity));
  if (state.zoom !== 1) {
    out.set("zoom", short(state.zoom));
    out.set("pan", state.pan.flat().map(short).join(","));
  }
  if (state.neurological) out.set("convention", "neurological");
  if (!state.outlines) out.set("outlines", "off");
  if (!state.crosshair) out.set("crosshair", "off");
  return out.toString();
}

/** What a link says; what it does not say, or says wrongly, is left as it is. */
export function decoded(hash: string): Link {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const view: Partial<State> = {};
  const some = (name: string, count: number, use: (found: number[]) => void) => {
    const found = given.has(name) ? numbers(given.get(name)!) : [];
    if (found.length && (!count || found.length === count) && found.every(Number.isFinite)) use(found);
  };
  const within = (n: number, low: number, high: number) => Math.min(Math.max(n, low), high);
  some("voxel", 3, (v) => (view.voxel = v.map(Math.round) as State["voxel"]));
  some("window", 2, ([low, high]) => { if (high > low) [view.low, view.high] = [low, high]; });
  some("threshold", 1, ([share]) => (view.threshold = within(share, 0, 1)));
  some("opacity", 1, ([share]) => (view.opacity = within(share, 0, 1)));
  some("zoom", 1, ([zoom]) => (view.zoom = within(zoom, 1, 20)));
  some("pan", 0, (all) => {
    if (all.length % 2 === 0) view.pan = Array.from({ length: all.length / 2 }, (_, n) => [all[2 * n], all[2 * n + 1]]);
  });
  if (given.has("case")) {
    view.neurological = given.get("convention") === "neurological";
    view.outlines = given.get("outlines") !== "off";
    view.crosshair = given.get("crosshair") !== "off";
  }
  const methods = given.getAll("method");
  return { case: given.get("case") ?? undefined, target: given.get("target") ?? undefined, methods: methods.length ? methods : undefined, view };
}

/** What a link says, as places in this case. */
export function placed(link: Link, of: CaseInfo): Partial<State> {
  const target = Math.max(of.targets.findIndex((t) => t.name === link.target), 0);
  const maps = of.targets[target]?.maps ?? [];
  const [first = -1, second = -1] = (link.methods ?? []).map((name) => maps.findIndex((m) => m.method === name));
  return { ...link.view, target, maps: [Math.max(first, 0), second] };
}

/** Keeps the address up to date: another case, target or method is a step of the back button, all else is not. */
export class Address {
  private place = "";
  private timer = 0;

  /** What was asked for by the address itself is no new step. */
  arrived(): void {
    this.place = "";
  }

  tell(of: CaseInfo, state: State): void {
    const hash = `#${encoded(of, state)}`;
    const place = JSON.stringify([of.name, state.target, state.maps]);
    const step = this.place !== "" && place !== this.place;
    this.place = place;
    clearTimeout(this.timer);
    if (step) history.pushState(null, "", hash);
    // browsers refuse hundreds of changes in a few seconds, which a slider makes
    else this.timer = window.setTimeout(() => history.replaceState(null, "", hash), 150);
  }
}
