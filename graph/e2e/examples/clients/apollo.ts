// Apollo Client: a list of jobs, then a page with one of them, which the cache already has.
//
//   node clients/build/apollo.js http://localhost:8080/graphql
import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import generated from './generated/possible-types.js';
import { ids, Jobs, OneJob } from './jobs.js';

const cache = new InMemoryCache({
  possibleTypes: generated.possibleTypes,
  typePolicies: {
    Query: {
      fields: {
        // A job that a list has brought is not asked for again.
        jobById(known, { args, canRead, toReference }) {
          const job = toReference({ __typename: 'Job', id: args?.id });
          return known ?? (canRead(job) ? job : undefined);
        },
      },
    },
  },
});
const client = new ApolloClient({ cache, link: new HttpLink({ uri: process.argv[2] }) });

const { data } = await client.query({ query: Jobs, variables: { ids } });
const one = await client.query({ query: OneJob, variables: { id: ids[0] }, fetchPolicy: 'cache-only' });
console.log(JSON.stringify({ jobs: data?.job, one: one.data?.jobById, cached: Object.keys(cache.extract()) }));
