/** What the server answers, and how it is asked. */

import type { CaseInfo } from "../format.ts";

export interface Study {
  version: number;
  voxplain: string;
  title: string;
  blinded: boolean;
  /** Who reads, where that was said at the start. */
  reader: string;
  stops: [number, string][];
  opaque: number;
  items: { number: number; name: string }[];
}

export interface Row {
  number: number;
  scores: Record<string, number>;
  /** Metric, then method. */
  metrics: Record<string, Record<string, number>>;
  outlierness: number | null;
  farthest: string;
  lights: Record<string, [string, string]>;
  worst: string;
}

export interface Figures {
  targets: string[];
  metrics: string[];
  methods: string[];
  outlierness: string;
  items: Row[];
}

export interface Note {
  method: string;
  blinded: boolean;
  author: string;
  usefulness: number | null;
  agreement: number | null;
  text: string;
  written: string;
}

export interface Progress {
  items: { number: number; done: number; of: number }[];
}

type Query = Record<string, string>;

/** Addresses of the server, with who reads where that matters. */
export class Api {
  reader = "";

  address(path: string, query: Query = {}): string {
    const all = this.reader ? { ...query, reader: this.reader } : query;
    const text = new URLSearchParams(all).toString();
    return `/api/${path}${text ? `?${text}` : ""}`;
  }

  async ask<T>(path: string, query: Query = {}): Promise<T> {
    return (await answered(fetch(this.address(path, query)))).json() as Promise<T>;
  }

  item(number: number, query: Query): Promise<CaseInfo> {
    return this.ask<CaseInfo>(`items/${number}`, query);
  }

  /** Keep a note; resolves when it is on the disk. */
  async write(number: number, note: Partial<Note>): Promise<void> {
    const sent = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(note) };
    await answered(fetch(this.address(`items/${number}/notes`), sent));
  }
}

/** An answer, or an error with the server's own words. */
export async function answered(asked: Promise<Response>): Promise<Response> {
  let answer: Response;
  try {
    answer = await asked;
  } catch {
    throw new Error("the server does not answer; was it ended?");
  }
  if (!answer.ok) throw new Error((await answer.text()) || `the server says ${answer.status}`);
  return answer;
}
