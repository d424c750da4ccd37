// Follows jobs with Apollo Client 4, whose subscriptions are a multipart answer over HTTP:
//
//   node federation/multipart.js http://localhost:8080/graphql TOKEN ID [EVENTS]
//
// It prints a line for each event, and ends after so many, or with the subscription.
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client';

const [uri, token, id, events = 'Infinity'] = process.argv.slice(2);
const client = new ApolloClient({
  cache: new InMemoryCache({ possibleTypes: { JobResult: ['Job', 'ApiError'] } }),
  link: new HttpLink({ uri, headers: { Authorization: `Bearer ${token}` } }),
});
const query = gql`
  subscription Follow($ids: [ID!]!) {
    jobUpdated(ids: $ids) { ... on Job { id status } ... on ApiError { jobId type } }
  }
`;

let seen = 0;
const subscription = client.subscribe({ query, variables: { ids: [id] } }).subscribe({
  next({ data, error }) {
    console.log(error ? `error ${error.message}` : data.jobUpdated.status ?? data.jobUpdated.type);
    if (++seen === Number(events)) {
      subscription.unsubscribe();
      process.exit();
    }
  },
  complete() { console.log('complete'); },
});
