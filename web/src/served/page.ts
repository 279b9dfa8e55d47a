/** The served page: list, viewer and notes of one study. */

import { make, press } from "../elements.ts";
import type { CaseInfo, Contents } from "../format.ts";
import type { LoadSolid } from "../solid_tab.ts";
import { Viewer } from "../viewer.ts";
import { Api, type Figures, type Progress, type Study } from "./api.ts";
import { Address, decoded, placed, type Link } from "./link.ts";
import { CaseList } from "./list.ts";
import { Notes } from "./notes.ts";
import { ServedSource } from "./source.ts";

const KEYS: [string, string][] = [
  ["J, K", "next and previous case of the list"],
  ["/", "find a case"],
  ["C", "write a note on the case"],
];

/** What draws in three dimensions is half a megabyte, which is fetched when it is asked for. */
const solid: LoadSolid = () => new Promise((done, fail) => {
  const script = make("script", { src: "/solid.js" });
  script.addEventListener("load", () => done());
  script.addEventListener("error", () => fail(new Error("The script that draws in three dimensions could not be loaded.")));
  document.head.append(script);
});

export class Page {
  viewer: Viewer | null = null;
  /** Resolves when what was asked for is on the screen. */
  ready: Promise<void> = Promise.resolve();
  readonly list: CaseList;
  readonly notes: Notes;
  private address = new Address();
  private place = make("div", { class: "voxplain" });
  private trouble = make("p", { class: "vx-trouble", role: "alert", hidden: "" });
  private far = make("p", { class: "vs-told vs-far", role: "status" });
  private onward = press("Next unfinished case", () => this.goOn());
  private asked = 0;
  /** The last case that was asked of the server, answered or not. */
  private answered: Promise<unknown> = Promise.resolve();
  private number = -1;

  constructor(root: HTMLElement, private api: Api, readonly study: Study) {
    this.list = new CaseList(study, (n) => this.show(n));
    this.notes = new Notes(api, study.blinded, study.reader, () => this.rated(), (letter) => this.look(letter));
    const head = make("header", {}, make("h1", {}, study.title), make("p", { class: "disclaimer" },
      study.blinded ? `Reader: ${api.reader}. Methods have no names here; letters mean another method in each case.`
        : "For research only, not for diagnosis."));
    const reading = make("div", { class: "vs-reading" }, this.far, this.onward);
    reading.hidden = !study.blinded;
    const main = make("main", {}, reading, this.trouble, this.place, this.notes.whole);
    root.append(head, make("div", { class: "vs-page" }, this.list.whole, main));
    document.title = study.title;
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("popstate", () => this.arrive());
  }

  async start(): Promise<void> {
    if (this.study.blinded) await this.follow();
    else this.api.ask<Figures>("figures").then((found) => this.list.know(found), (error: Error) => this.tell(error));
    this.arrive();
    await this.ready;
  }

  /** Show what the address says. */
  private arrive(): void {
    const link = decoded(location.hash);
    const named = this.study.items.find((i) => i.name === link.case);
    const first = this.study.blinded ? this.list.unfinished(-1) : null;
    const n = named?.number ?? first ?? this.study.items[0]?.number;
    if (n === undefined) return this.tell(new Error("there is no case with a map in this study"));
    this.address.arrived();
    this.show(n, named || !link.case ? link : { view: {} });
  }

  /** Open a case; without a link what can stay as it is does. */
  show(number: number, link: Link = this.staying()): void {
    const mine = ++this.asked;
    this.list.mark(number);
    this.ready = this.opened(number, link, () => mine !== this.asked).catch((error: Error) => {
      if (mine !== this.asked) return;
      this.number = number;
      this.place.hidden = true;
      this.tell(error);
    });
  }

  private async opened(number: number, link: Link, stale: () => boolean): Promise<void> {
    if (number === this.number && this.viewer && !this.place.hidden) {
      this.viewer.restore(placed(link, this.viewer.case));
      return this.viewer.ready;
    }
    const hint = { target: link.target ?? "", method: link.methods?.[0] ?? "" };
    this.place.setAttribute("aria-busy", "true");
    // a key that is held down passes many cases, and reading each would keep the server busy long after
    await this.answered;
    if (stale()) return;
    const asking = this.api.item(number, hint);
    this.answered = asking.catch(() => null);
    const of = await asking;
    if (stale()) return;
    this.number = number;
    this.place.hidden = false;
    this.trouble.hidden = true;
    this.notes.open(number, of.name).catch((error: Error) => this.tell(error));
    this.seen(of, link);
    await this.viewer!.ready;
  }

  private seen(of: CaseInfo, link: Link): void {
    const view = placed(link, of);
    if (this.viewer) return this.viewer.replace(of, view);
    const contents: Contents = { version: 1, stops: this.study.stops, opaque: this.study.opaque, cases: [of] };
    const changed = () => { if (this.viewer) this.address.tell(this.viewer.case, this.viewer.state); };
    this.viewer = new Viewer(this.place, contents, { source: new ServedSource(this.api), solid, view, keys: KEYS, changed });
  }

  /** Target, methods and how they are shown stay from case to case; place and window are each case's own. */
  private staying(): Link {
    if (!this.viewer) return { view: {} };
    const { target, maps, threshold, opacity, outlines, crosshair, neurological } = this.viewer.state;
    const of = this.viewer.case.targets[target];
    return {
      target: of?.name,
      methods: maps.flatMap((n) => (of?.maps[n] ? [of.maps[n].method] : [])),
      view: { threshold, opacity, outlines, crosshair, neurological },
    };
  }

  private look(letter: string): void {
    if (!this.viewer) return;
    const maps = this.viewer.case.targets[this.viewer.state.target]?.maps ?? [];
    const n = maps.findIndex((m) => m.method === letter);
    if (n >= 0) this.viewer.openMap(0, n);
    this.place.scrollIntoView({ block: "start" });
  }

  private async follow(): Promise<void> {
    this.list.follow(await this.api.ask<Progress>("progress"));
    const { done, of } = this.list.ratings;
    this.far.textContent = done === of ? `All ${of} maps are rated. Thank you.` : `${done} of ${of} maps rated.`;
    this.onward.disabled = done === of;
  }

  private rated(): void {
    if (this.study.blinded) this.follow().catch((error: Error) => this.tell(error));
  }

  private goOn(): void {
    const next = this.list.unfinished(this.number);
    if (next !== null) this.show(next);
  }

  private tell(error: Error): void {
    this.trouble.textContent = error.message;
    this.trouble.hidden = false;
  }

  private key(event: KeyboardEvent): void {
    const at = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (at.matches("select, textarea, input:not([type=range]):not([type=radio]), dialog *")) return;
    const beside = event.key === "j" ? this.list.beside(1) : event.key === "k" ? this.list.beside(-1) : null;
    if (beside !== null) this.show(beside);
    else if (event.key === "/") this.list.search.focus();
    else if (event.key === "c") this.notes.focus();
    else {
      // keys that were pressed inside the viewer have been there already
      if (!this.place.contains(at)) this.viewer?.pressed(event);
      return;
    }
    event.preventDefault();
  }
}
