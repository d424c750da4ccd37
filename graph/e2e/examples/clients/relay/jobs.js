// Relay: a list of jobs, and a page with one job that can be refetched.
//
//   node clients/relay/built.js http://localhost:8080/graphql
const { fetchQuery, graphql } = require('relay-runtime');
const { environment } = require('./environment.js');

const ids = ['d4fb871e07514304b23131b45f8caa1f', '00000000000000000000000000000000'];

const list = graphql`
  query jobsQuery($ids: [ID!]!) {
    job(ids: $ids) {
      __typename
      ... on Job {
        id
        name
        status
      }
      ... on ApiError {
        jobId
        type
        comment
        retryable
      }
    }
  }
`;

// A fragment on Query needs no node field to be refetched.
graphql`
  fragment jobs_page on Query @argumentDefinitions(id: { type: "ID!" }) @refetchable(queryName: "jobsPageQuery") {
    jobById(id: $id) {
      ... on Job {
        id
        name
        dueDate
      }
    }
  }
`;
const refetch = require('./__generated__/jobsPageQuery.graphql');

async function main() {
  const { job: jobs } = await fetchQuery(environment, list, { ids }).toPromise();
  await fetchQuery(environment, refetch, { id: ids[0] }).toPromise();
  const stored = environment.getStore().getSource().get(`Job:${ids[0]}`);
  console.log(JSON.stringify({ jobs, stored }));
}

main();
