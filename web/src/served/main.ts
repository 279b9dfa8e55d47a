/** Starts the served page; in a reader study it first asks who reads. */

import "../viewer.css";
import "./served.css";
import { alpha, place, table } from "../colours.ts";
import { make } from "../elements.ts";
import { outline } from "../outline.ts";
import { Api, type Study } from "./api.ts";
import { Page } from "./page.ts";

const VERSION = 1;

async function start(): Promise<Page> {
  const api = new Api();
  const root = make("div", { class: "vs-whole" });
  document.body.append(root);
  let study = await api.ask<Study>("study");
  if (study.version !== VERSION) throw new Error(`The server speaks version ${study.version}, this page ${VERSION}: load it again.`);
  api.reader = study.blinded ? study.reader || (await whoReads(root)) : "";
  if (study.blinded) study = await api.ask<Study>("study");
  const page = new Page(root, api, study);
  await page.start();
  return page;
}

/** The name is kept in this tab, so that a reload goes on. */
function whoReads(root: HTMLElement): Promise<string> {
  const known = sessionStorage.getItem("reader");
  if (known) return Promise.resolve(known);
  const name = make("input", { type: "text", required: "", maxlength: "100", autocomplete: "name" });
  const form = make("form", { class: "vs-who" }, make("h1", {}, "Reader study"),
    make("p", {}, "Your ratings are kept under your name. With the same name you go on where you were."),
    make("label", {}, "Name ", name), " ", make("button", { type: "submit" }, "Begin"));
  root.append(form);
  name.focus();
  return new Promise((resolve) => form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = name.value.trim().replace(/\s+/g, " ");
    if (!given) return;
    sessionStorage.setItem("reader", given);
    form.remove();
    resolve(given);
  }));
}

/** The page, once its first picture is there. */
export const started: Promise<Page> = start();
started.catch((error: Error) => document.body.append(make("p", { class: "vx-trouble", role: "alert" }, error.message)));
export { alpha, outline, place, table };
