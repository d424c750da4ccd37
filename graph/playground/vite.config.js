import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000, // Monaco
    license: { fileName: 'licenses.md' },
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
