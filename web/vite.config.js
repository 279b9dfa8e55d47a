import { defineConfig } from "vite";

// Plain scripts with a style sheet each: a page puts what it needs into its one file, and modules do not open from disk.
// `vite build` makes the viewer of reports; `--mode series` the sliders of series, `--mode cells` the reading of a matrix's
// cells, `--mode served` the page of `voxplain view`, beside it.
const SCRIPTS = {
  viewer: { entry: "src/main.ts", name: "voxplain" },
  series: { entry: "src/series/main.ts", name: "voxplainSeries" },
  cells: { entry: "src/cells/main.ts", name: "voxplainCells" },
  served: { entry: "src/served/main.ts", name: "voxplain" },
};

export default defineConfig(({ mode }) => {
  const which = mode in SCRIPTS ? mode : "viewer";
  const { entry, name } = SCRIPTS[which];
  return {
    publicDir: false,
    build: {
      outDir: "../src/voxplain/report/viewer/built",
      emptyOutDir: which === "viewer",
      target: "es2022",
      modulePreload: false,
      lib: { entry, formats: ["iife"], name, fileName: () => `${which}.js`, cssFileName: which },
    },
  };
});
