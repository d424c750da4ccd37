import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { notices } from './notices.js';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { page, worker } = notices(here('.'));

export default defineConfig({
  plugins: [page],
  worker: { plugins: () => [worker] },
  resolve: {
    alias: [{ find: /^\.{1,2}\/.*\bdompurify\/dompurify\.js$/, replacement: here('src/dompurify.js') }],
  },
  build: {
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000, // Monaco
    rolldownOptions: { onLog },
  },
  server: {
    // npm run dev: the page from here, the answers from a JobGraph that runs already.
    proxy: { '/graphql': { target: 'http://localhost:8080', ws: true } },
  },
});

// The packages' "use client" lines mean nothing in a browser bundle, and there are hundreds.
function onLog(level, log, handler) {
  if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handler(level, log);
}
