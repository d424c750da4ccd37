// urql: the same list.
//
//   node clients/build/urql.js http://localhost:8080/graphql
import { cacheExchange, Client, fetchExchange } from '@urql/core';
import { ids, Jobs, OneJob } from './jobs.js';

const client = new Client({ url: process.argv[2], exchanges: [cacheExchange, fetchExchange], preferGetMethod: false });

const { data, error } = await client.query(Jobs, { ids }).toPromise();
if (error) throw error;
const one = await client.query(OneJob, { id: ids[0] }).toPromise();

// The types tell a job from an error.
for (const result of data?.job ?? []) {
  if (result.__typename === 'ApiError') console.error(`${result.jobId}: ${result.type}: ${result.comment}`);
}
console.log(JSON.stringify({ jobs: data?.job, one: one.data?.jobById }));
