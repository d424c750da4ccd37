// Apollo Client: a list that grows by a page at a time, as a window that scrolls on wants it.
//
//   node clients/build/apollo-list.js http://localhost:8080/graphql [JOBS OF A PAGE]
import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
import type { ListQuery } from './generated/graphql.js';
import { first, List } from './list.js';

const client = new ApolloClient({
  // One list for each filter; pages of the same list are put together.
  cache: new InMemoryCache({
    typePolicies: { Query: { fields: { jobs: relayStylePagination(['filter']) } } },
    resultCaching: false, // which pays where parts of a large list change, and costs where it only grows
  }),
  link: new HttpLink({ uri: process.argv[2] }),
});

// A window that shows the list as it grows, and asks for the next page when it has shown the one before.
let pages = 0;
const list = client.watchQuery({ query: List, variables: { first } });
const ids = await new Promise((resolve, reject) => {
  list.subscribe(({ loading, error, data }) => {
    if (error) reject(error);
    if (loading || !data?.jobs) return;
    pages++;
    const { edges, pageInfo } = data.jobs as NonNullable<ListQuery['jobs']>;
    if (pageInfo.hasNextPage) list.fetchMore({ variables: { after: pageInfo.endCursor } }).catch(reject);
    else resolve(edges.map(({ node }) => node.id));
  });
});
console.log(JSON.stringify({ pages, ids }));
