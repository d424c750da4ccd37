// urql: all jobs, a page after the other.
//
//   node clients/build/urql-list.js http://localhost:8080/graphql [JOBS OF A PAGE]
import { cacheExchange, Client, fetchExchange } from '@urql/core';
import { first, List } from './list.js';

const client = new Client({ url: process.argv[2], exchanges: [cacheExchange, fetchExchange], preferGetMethod: false });

const ids: string[] = [];
let pages = 0;
let after: string | null | undefined;
do {
  const { data, error } = await client.query(List, { first, after }).toPromise();
  if (error) throw error;
  if (!data?.jobs) throw new Error('no list, and no error');
  ids.push(...data.jobs.edges.map(({ node }) => node.id));
  after = data.jobs.pageInfo.hasNextPage ? data.jobs.pageInfo.endCursor : null;
  pages++;
} while (after);
console.log(JSON.stringify({ pages, ids }));
