// Composes JobGraph with a neighbour of each version of federation that the composition knows,
// because a supergraph's subgraphs are seldom all of one version.
//
//   node federation/versions.js http://localhost:8080/graphql
import { readFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { FEDERATION_VERSIONS } from '@apollo/federation-internals';
import { parse } from 'graphql';
import { readSdl } from './sdl.js';

const url = process.argv[2];
const jobs = { name: 'jobs', url, typeDefs: parse(await readSdl(url)) };
const neighbour = readFileSync(new URL('projects.graphql', import.meta.url), 'utf8');

for (const version of FEDERATION_VERSIONS.versions().map(String)) {
  const typeDefs = parse(neighbour.replace('federation/v2.0', `federation/${version}`));
  const { errors = [], hints = [] } = composeServices([jobs, { name: 'projects', url: 'http://localhost:4001/', typeDefs }]);
  const problems = [...errors, ...hints].map(({ message }) => message);
  if (problems.length > 0) process.exitCode = 1;
  console.log(`${version} ${problems.join(' ') || 'composes'}`);
}
