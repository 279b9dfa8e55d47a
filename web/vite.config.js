import { defineConfig } from "vite";

// One plain script and one style sheet: the report puts both into its one file, and modules do not open from disk.
export default defineConfig({
  publicDir: false,
  build: {
    outDir: "../src/voxplain/report/viewer/built",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    lib: { entry: "src/main.ts", formats: ["iife"], name: "voxplain", fileName: () => "viewer.js", cssFileName: "viewer" },
  },
});
