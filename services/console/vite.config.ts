// How the page is built: plain files under dist/, which task-api serves. `npm run dev` passes API requests on to a running stack.
import { defineConfig } from 'vite';

const api = 'http://127.0.0.1:7480';

export default defineConfig({
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { '/api': api, '/v1': api } },
});
