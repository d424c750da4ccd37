// Writes the types by which gql.tada knows the schema, from a JobGraph that shows it:
//
//   node clients/tada/schema.js http://localhost:8080/graphql > clients/tada/introspection.ts
import { getIntrospectionQuery } from 'graphql';

const response = await fetch(process.argv[2], {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ query: getIntrospectionQuery({ descriptions: false }) }),
});
const { data } = await response.json();
console.log(`export type introspection = ${JSON.stringify(data)};`);
