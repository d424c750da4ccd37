// Composes running subgraphs, or files of SDL, with Apollo's composition, Cosmo's and the
// Guild's, and says what each of them makes of them:
//
//   node federation/composers.js jobs=http://localhost:8080/graphql projects=federation/projects.graphql
//
// It fails where one of them does not compose; a hint or a warning is a problem as well.
import { readFileSync } from 'node:fs';
import { composeServices as apollo } from '@apollo/composition';
import { composeServices as guild } from '@theguild/federation-composition';
import { federateSubgraphs, ROUTER_COMPATIBILITY_VERSION_ONE } from '@wundergraph/composition';
import { parse } from 'graphql';
import { readSdl } from './sdl.js';

const services = await Promise.all(process.argv.slice(2).map(async (argument) => {
  const [name, from] = argument.split(/=(.*)/);
  const sdl = from.startsWith('http') ? await readSdl(from) : readFileSync(from, 'utf8');
  return { name, url: `http://${name}.example/`, typeDefs: parse(sdl) };
}));

const composers = {
  apollo() {
    const { errors = [], hints = [] } = apollo(services);
    return [...errors, ...hints];
  },
  cosmo() {
    const { errors = [], warnings = [] } = federateSubgraphs({
      subgraphs: services.map(({ name, url, typeDefs }) => ({ name, url, definitions: typeDefs })),
      version: ROUTER_COMPATIBILITY_VERSION_ONE,
    });
    return [...errors, ...warnings];
  },
  guild() {
    return guild(services).errors ?? [];
  },
};
for (const [name, compose] of Object.entries(composers)) {
  const problems = compose().map(({ message }) => message);
  if (problems.length > 0) process.exitCode = 1;
  console.log(`${name} ${problems.join(' ') || 'composes'}`);
}
