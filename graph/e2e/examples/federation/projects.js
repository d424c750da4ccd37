// A neighbour subgraph: 20 projects with ten jobs each.
//
//   node federation/projects.js [--port 4001] [--jobs ID,ID,...]
//
// Without --jobs it refers to the sandbox's jobs, and to one that does not exist.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

const sandboxJobs = [
  'd4fb871e07514304b23131b45f8caa1f',
  '10000000000000000000000000000003',
  '10000000000000000000000000000005',
  '30000000000000000000000000000001',
  '00000000000000000000000000000000',
];

const { values: flags } = parseArgs({
  options: { port: { type: 'string', default: '4001' }, jobs: { type: 'string' } },
});
const jobs = flags.jobs?.split(',') ?? sandboxJobs;

const projects = Array.from({ length: 20 }, (_, n) => ({
  id: String(n + 1),
  title: `Project ${n + 1}`,
  jobs: Array.from({ length: 10 }, (_, k) => ({ id: jobs[(10 * n + k) % jobs.length] })),
}));

const typeDefs = parse(readFileSync(new URL('projects.graphql', import.meta.url), 'utf8'));
const resolvers = {
  Query: { projects: () => projects },
  Project: { __resolveReference: ({ id }) => projects.find((project) => project.id === id) },
};
const server = new ApolloServer({ schema: buildSubgraphSchema({ typeDefs, resolvers }) });
const { url } = await startStandaloneServer(server, { listen: { host: '127.0.0.1', port: Number(flags.port) } });
console.log(`ready ${url}`);
