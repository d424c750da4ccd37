// Composes running subgraphs into a supergraph with Apollo's composition, which the router and
// rover use too. It fails on hints as well as on errors: a hint is a problem that waits.
//
//   node federation/compose.js jobs=http://localhost:8080/graphql projects=http://localhost:4001/ > supergraph.graphql
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';
import { readSdl } from './sdl.js';

const services = await Promise.all(process.argv.slice(2).map(subgraph));
const { supergraphSdl, errors = [], hints = [] } = composeServices(services);
for (const { message } of errors) console.error(`error: ${message}`);
for (const { definition, message } of hints) console.error(`hint: ${definition.code}: ${message}`);
if (errors.length + hints.length > 0) process.exit(1);
process.stdout.write(supergraphSdl);

async function subgraph(argument) {
  const [name, url] = argument.split(/=(.*)/);
  return { name, url, typeDefs: parse(await readSdl(url)) };
}
