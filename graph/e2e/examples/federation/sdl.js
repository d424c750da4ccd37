// Prints a subgraph's SDL, for a registry of schemas:
//
//   node federation/sdl.js http://localhost:8080/graphql > jobs.graphqls
import { pathToFileURL } from 'node:url';

// readSdl asks a subgraph for its SDL, as every gateway's tools do.
export async function readSdl(url) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query: '{ _service { sdl } }' }),
  });
  const { data } = await response.json();
  return data._service.sdl;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.stdout.write(await readSdl(process.argv[2]));
