// How the pages are built. Ariakit is written for React, and gets Preact in its place. While developing, `npm run dev`
// shows the pages as they are edited, and hands what they ask of the API on to a server on port 8080.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
    esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
    resolve: {
        alias: {
            "react/jsx-runtime": "preact/jsx-runtime",
            "react-dom": "preact/compat",
            react: fileURLToPath(new URL("react_by_preact.js", import.meta.url)),
        },
    },
    build: {
        target: "es2022",
        modulePreload: { polyfill: false },
        assetsInlineLimit: 0,
        rollupOptions: {
            onwarn(warning, report) {
                // "use client" stands at the head of Ariakit's files, and means nothing here.
                if (warning.code !== "MODULE_LEVEL_DIRECTIVE") report(warning);
            },
        },
    },
    server: { proxy: { "/v1": "http://127.0.0.1:8080", "/health": "http://127.0.0.1:8080" } },
});
