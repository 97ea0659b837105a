import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "../src/holdfast/web/assets",
    emptyOutDir: true,
    assetsInlineLimit: 0, // a data: address would need a hole in the content security policy
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  // `npx vite dashboard` beside a running `holdfast serve`, for who works on the dashboard itself.
  server: { proxy: { "/api": "http://127.0.0.1:8420", "/login": "http://127.0.0.1:8420" } },
});
