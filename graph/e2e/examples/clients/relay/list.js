// Relay: a list in React that grows by a page at a time, with usePaginationFragment.
//
//   node clients/relay/built-list.js http://localhost:8080/graphql [JOBS OF A PAGE]
process.env.NODE_ENV = 'production'; // React's other build checks what it renders
const { Window } = require('happy-dom');

// A browser's window for React, in a process without one.
const window = new Window();
Object.assign(globalThis, { window, document: window.document });

const { Suspense, createElement, useEffect } = require('react');
const { createRoot } = require('react-dom/client');
const { RelayEnvironmentProvider, graphql, useLazyLoadQuery, usePaginationFragment } = require('react-relay');
const { environment } = require('./environment.js');

const first = Number(process.argv[3] ?? 100);

function Page() {
  return createElement(Jobs, { query: useLazyLoadQuery(graphql`
    query listQuery($first: Int!) {
      ...list_jobs @arguments(first: $first)
    }
  `, { first }) });
}

let pages = 0;

// Jobs asks for the next page as soon as it has shown the one before.
function Jobs({ query }) {
  const { data, loadNext, hasNext, isLoadingNext } = usePaginationFragment(graphql`
    fragment list_jobs on Query
    @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" })
    @refetchable(queryName: "listPageQuery") {
      jobs(first: $first, after: $after) @connection(key: "list_jobs") {
        edges {
          node {
            id
            name
            status
          }
        }
      }
    }
  `, query);
  const { edges } = data.jobs;
  useEffect(() => {
    if (isLoadingNext) return;
    pages++;
    if (hasNext) loadNext(first, { onComplete: (error) => error && fail(error) });
    else done(edges.map(({ node }) => node.id));
  }, [edges.length, isLoadingNext]);
  return createElement('p', null, `${edges.length} jobs`);
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

function done(ids) {
  process.stdout.write(JSON.stringify({ pages, ids }), () => process.exit(0));
}

const root = createRoot(document.body.appendChild(document.createElement('main')), { onUncaughtError: fail });
root.render(createElement(RelayEnvironmentProvider, { environment },
  createElement(Suspense, { fallback: 'Loading…' }, createElement(Page))));
