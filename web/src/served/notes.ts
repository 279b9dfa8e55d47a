/** Notes on a case: what was written, and a form. In a reader study there is a form for each letter. */

import { make } from "../elements.ts";
import type { Api, Note } from "./api.ts";

const QUESTIONS = [
  ["usefulness", "Useful for judging the prediction", "not at all", "very"],
  ["agreement", "Shows what I would have pointed at", "not at all", "fully"],
] as const;
type Question = (typeof QUESTIONS)[number][0];
let forms = 0;

/** Ratings, text and a button; `author` only where the page does not know who writes. */
class Form {
  readonly whole: HTMLFormElement;
  readonly text: HTMLTextAreaElement;
  private boxes = new Map<Question, HTMLInputElement[]>();
  private state = make("span", { class: "vs-told", role: "status" });

  constructor(title: string, before: Note | undefined, author: HTMLInputElement | null, keep: (note: Partial<Note>) => Promise<void>) {
    const id = ++forms;
    this.text = make("textarea", { rows: "2", maxlength: "10000", "aria-label": `${title}: text` });
    const scales = QUESTIONS.map(([name, asked, low, high]) => {
      const boxes = [1, 2, 3, 4, 5].map((n) => make("input", { type: "radio", name: `${name}-${id}`, value: String(n) }));
      this.boxes.set(name, boxes);
      const labels = boxes.map((box) => make("label", {}, box, box.value));
      return make("fieldset", { class: "vs-scale" }, make("legend", {}, asked), make("span", { class: "vs-told" }, low), ...labels, make("span", { class: "vs-told" }, high));
    });
    const save = make("button", { type: "submit" }, "Save");
    this.whole = make("form", { class: "vs-form", "aria-label": title }, make("h3", {}, title));
    if (author) this.whole.append(make("label", { class: "vs-author" }, "Name ", author));
    this.whole.append(...scales, this.text, make("div", {}, save, " ", this.state));
    this.show(before);
    this.whole.addEventListener("submit", (event) => {
      event.preventDefault();
      save.disabled = true;
      this.state.textContent = "…";
      keep(this.said()).then(
        () => (this.state.textContent = "Saved."),
        (error: Error) => (this.state.textContent = `Not saved: ${error.message}`),
      ).finally(() => (save.disabled = false));
    });
  }

  show(note: Note | undefined): void {
    for (const [name, boxes] of this.boxes) for (const box of boxes) box.checked = note?.[name] === Number(box.value);
    this.text.value = note?.text ?? "";
    this.state.textContent = note ? `Saved ${when(note)}.` : "";
  }

  private said(): Partial<Note> {
    const of = (name: Question) => {
      const found = this.boxes.get(name)!.find((box) => box.checked);
      return found ? Number(found.value) : null;
    };
    return { usefulness: of("usefulness"), agreement: of("agreement"), text: this.text.value };
  }
}

export class Notes {
  readonly whole = make("section", { class: "vs-notes", "aria-label": "Notes" });
  private author = make("input", { type: "text", maxlength: "100", autocomplete: "name" });
  private asked = 0;
  private first: Form | null = null;

  /** `kept` is told when something was saved; `look` shows a letter's map. */
  constructor(private api: Api, private blinded: boolean, reader: string, private kept: () => void, private look: (letter: string) => void) {
    this.author.value = reader;
    this.author.readOnly = reader !== "";
  }

  focus(): void {
    this.first?.text.focus();
    this.whole.scrollIntoView({ block: "nearest" });
  }

  async open(number: number, name: string): Promise<void> {
    const mine = ++this.asked;
    this.whole.replaceChildren();
    this.first = null;
    const found = await this.api.ask<{ notes: Note[]; letters?: string[] }>(`items/${number}/notes`);
    if (mine !== this.asked) return;
    if (this.blinded) this.rate(number, name, found.letters ?? [], found.notes);
    else this.write(number, name, found.notes);
  }

  private write(number: number, name: string, notes: Note[]): void {
    const own = () => notes.filter((n) => n.author === this.author.value.trim() && !n.method).at(-1);
    const form = new Form("Your note", own(), this.author, async (note) => {
      await this.api.write(number, { ...note, author: this.author.value });
      await this.open(number, name);
      this.kept();
    });
    this.author.onchange = () => { const before = own(); if (before) form.show(before); };
    this.first = form;
    this.whole.replaceChildren(make("h2", {}, `Notes on ${name}`), ...listed(notes), form.whole,
      make("p", {}, make("a", { href: "/notes.csv", download: "" }, "All notes as a table (CSV)")));
  }

  private rate(number: number, name: string, letters: string[], notes: Note[]): void {
    const forms = letters.map((letter) => {
      const before = notes.filter((n) => n.method === letter).at(-1);
      const form = new Form(`Map ${letter}`, before, null, async (note) => {
        if (note.usefulness === null || note.agreement === null) throw new Error("answer both questions");
        await this.api.write(number, { ...note, method: letter, author: this.api.reader });
        this.kept();
      });
      const show = make("button", { type: "button" }, `Look at ${letter}`);
      show.addEventListener("click", () => this.look(letter));
      form.whole.querySelector("h3")!.append(" ", show);
      return form;
    });
    this.first = forms[0] ?? null;
    this.whole.replaceChildren(make("h2", {}, `Your ratings of ${name}`), make("div", { class: "vs-forms" }, ...forms.map((f) => f.whole)));
  }
}

/** What was written, the last version of each; earlier ones fold out. */
function listed(notes: Note[]): HTMLElement[] {
  const groups = new Map<string, Note[]>();
  for (const note of notes) {
    const of = JSON.stringify([note.author, note.method, note.blinded]);
    groups.set(of, [...(groups.get(of) ?? []), note]);
  }
  return [...groups.values()].map((versions) => {
    const last = versions.at(-1)!;
    const out = make("article", { class: "vs-note" }, ...said(last));
    if (versions.length > 1) {
      const earlier = versions.slice(0, -1).reverse().map((n) => make("div", {}, ...said(n)));
      const count = earlier.length === 1 ? "an earlier version" : `${earlier.length} earlier versions`;
      out.append(make("details", {}, make("summary", {}, count), ...earlier));
    }
    return out;
  });
}

function said(note: Note): HTMLElement[] {
  const about = note.method ? `, on ${note.method}${note.blinded ? " (without its name)" : ""}` : "";
  const rated = QUESTIONS.filter(([name]) => note[name] !== null).map(([name]) => `${name} ${note[name]} of 5`);
  return [
    make("p", { class: "vs-told" }, make("strong", {}, note.author), `${about}, ${when(note)}`, rated.length ? ` · ${rated.join(" · ")}` : ""),
    make("p", { class: "vs-text" }, note.text),
  ];
}

const when = (note: Note) => new Date(note.written).toLocaleString();
