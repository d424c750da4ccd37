// Typed jobs and errors with gql.tada: the query's text is its own type, nothing is generated
// for it.
//
//   npx tsc -p clients/tada && node clients/tada/build/jobs.js http://localhost:8080/graphql
import { initGraphQLTada, type ResultOf } from 'gql.tada';
import { Client, fetchExchange } from '@urql/core';
import type { introspection } from './introspection.js';

const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { DateTime: string; JSON: unknown };
}>();

const Jobs = graphql(`
  query Jobs($ids: [ID!]!) {
    job(ids: $ids) {
      __typename
      ... on Job { id name status dueDate }
      ... on ApiError { jobId type comment retryable }
    }
  }
`);
const OneJob = graphql(`
  query OneJob($id: ID!) {
    jobById(id: $id) { __typename ... on Job { name } }
  }
`);

const client = new Client({ url: process.argv[2]!, exchanges: [fetchExchange], preferGetMethod: false });
const ids = ['d4fb871e07514304b23131b45f8caa1f', '00000000000000000000000000000000'];

// line tells a job from an error: whatever else a result could be would not compile.
function line(result: ResultOf<typeof Jobs>['job'][number]): string {
  switch (result.__typename) {
    case 'Job':
      return `${result.name}: ${result.status}, due ${result.dueDate?.slice(0, 10)}`;
    case 'ApiError':
      return `${result.jobId}: ${result.type}: ${result.comment}`;
    default:
      return result satisfies never;
  }
}

const { data, error } = await client.query(Jobs, { ids }).toPromise();
if (error) throw error;
const one = await client.query(OneJob, { id: ids[0]! }).toPromise();
for (const result of data?.job ?? []) console.error(line(result));
console.log(JSON.stringify({ jobs: data?.job, one: one.data?.jobById }));
