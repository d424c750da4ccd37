// Plays the registries of rover, wgc and hive, runs the checks of clients/README.md against
// them, and says whether the SDL that each sends is the subgraph's:
//
//   node federation/registry.js http://localhost:8080/graphql
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { Kind, parse, print, visit } from 'graphql';

import { readSdl } from './sdl.js';

const [subgraph] = process.argv.slice(2);
const bin = resolve('node_modules/.bin');
const key = 'service:GRAPH:c0ffee';

// normalize drops what says nothing: comments, white space, and how a text is quoted.
const normalize = (sdl) => print(visit(parse(sdl), { [Kind.STRING]: (node) => ({ ...node, block: false }) }));

// studio answers what rover asks, as far as a check that passes goes.
const studio = {
  IsFederatedGraph: { graph: { variant: { subgraphs: [{ name: 'jobs' }] } } },
  SubgraphCheckMutation: {
    graph: { variant: { submitSubgraphCheckAsync: { __typename: 'CheckRequestSuccess', targetURL: 'http://localhost/check', workflowID: '1' } } },
  },
  SubgraphCheckWorkflowStatusQuery: { graph: { checkWorkflow: { status: 'PASSED', tasks: [] } } },
  SubgraphCheckWorkflowQuery: { graph: { checkWorkflow: { status: 'PASSED', tasks: [] } } },
};

const hive = {
  schemaCheck: { __typename: 'SchemaCheckSuccess', valid: true, initial: false, warnings: null, changes: { edges: [] }, schemaCheck: null },
};

let sent; // the SDL that came last
const server = createServer(async (request, response) => {
  const chunks = await request.toArray();
  let body = Buffer.concat(chunks);
  if (request.headers['content-encoding'] === 'br') body = brotliDecompressSync(body);
  if (request.url === '/wg.cosmo.platform.v1.PlatformService/CheckSubgraphSchema') {
    sent = cosmoSchema(body);
    response.setHeader('Content-Type', 'application/proto');
    response.end(Buffer.from([0x0a, 0x00])); // CheckSubgraphSchemaResponse{response: {}}: OK
    return;
  }
  const { operationName, query, variables } = JSON.parse(body);
  const sdl = variables?.input?.proposedSchema ?? variables?.input?.sdl;
  if (sdl) sent = sdl;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ data: query.includes('schemaCheck(') ? hive : studio[operationName] }));
});

// cosmoSchema is the field schema = 2 of a CheckSubgraphSchemaRequest, which is the longest.
function cosmoSchema(message) {
  const varint = (at) => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return [value, at];
    }
  };
  let longest = Buffer.alloc(0);
  for (let at = 0; at < message.length; ) {
    let tag, value;
    [tag, at] = varint(at);
    [value, at] = varint(at);
    if ((tag & 7) !== 2) continue;
    if (value > longest.length) longest = message.subarray(at, at + value);
    at += value;
  }
  return longest.toString();
}

const folder = await mkdtemp(join(tmpdir(), 'registry-'));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
const sdl = await readSdl(subgraph);
await writeFile(join(folder, 'jobs.graphqls'), sdl);

const page = await readFile('clients/README.md', 'utf8');
const checks = page.matchAll(/^npx (?:-p \S+ )?(rover|wgc|hive) (.+)$/gm);
const env = {
  ...process.env,
  HOME: folder,
  APOLLO_KEY: key,
  APOLLO_REGISTRY_URL: url,
  APOLLO_TELEMETRY_DISABLED: '1',
  APOLLO_ROVER_SKIP_UPDATE_CHECK: 'true',
  COSMO_API_KEY: key,
  COSMO_API_URL: url,
  COSMO_TELEMETRY_DISABLED: 'true',
  DISABLE_UPDATE_CHECK: 'true',
  HIVE_REGISTRY: url,
  HIVE_TOKEN: key,
};
for (const [, tool, args] of checks) {
  sent = undefined;
  const child = spawn(join(bin, tool), args.split(' '), { cwd: folder, env, stdio: ['ignore', 2, 2], timeout: 30_000 });
  const [code] = await once(child, 'exit');
  const same = sent !== undefined && normalize(sent) === normalize(sdl);
  console.log(`${tool} ${code === 0 ? 'passes' : 'fails'} and sends ${same ? "the subgraph's SDL" : 'something else'}`);
}
server.close();
await rm(folder, { recursive: true });
