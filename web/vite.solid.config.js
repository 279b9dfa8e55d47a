import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** WebAssembly that unpacks Zarr stores: two thirds of NiiVue, and nothing that a report needs. */
const LEFT_OUT = /^numcodecs\/.*$/;

/** What NiiVue and the packages inside it ask for of whoever passes them on. */
const notices = readFileSync("notices.txt", "utf8").trim();

// A script of its own, so that the planes stay light: the page runs it when the reader wants to see it.
export default defineConfig({
  publicDir: false,
  resolve: { alias: [{ find: LEFT_OUT, replacement: fileURLToPath(new URL("src/solid/left_out.ts", import.meta.url)) }] },
  build: {
    outDir: "../src/voxplain/report/viewer/built",
    emptyOutDir: false,
    target: "es2022",
    modulePreload: false,
    rolldownOptions: { output: { postBanner: `/*!\n${notices}\n*/`, codeSplitting: false } },
    lib: { entry: "src/solid/main.ts", formats: ["iife"], name: "voxplainSolid", fileName: () => "solid.js" },
  },
});
