import { defineConfig } from "vite";

// One plain script and one style sheet each: the report puts both into its one file, and modules do not open from disk.
// `vite build` makes the report's, `vite build --mode served` that of `voxplain view`, beside it.
const PAGES = { report: ["src/main.ts", "viewer"], served: ["src/served/main.ts", "served"] };

export default defineConfig(({ mode }) => {
  const [entry, name] = PAGES[mode] ?? PAGES.report;
  return {
    publicDir: false,
    build: {
      outDir: "../src/voxplain/report/viewer/built",
      emptyOutDir: name === "viewer",
      target: "es2022",
      modulePreload: false,
      lib: { entry, formats: ["iife"], name: "voxplain", fileName: () => `${name}.js`, cssFileName: name },
    },
  };
});
