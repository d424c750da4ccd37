// Runs the npm clients graphql-ws and graphql-sse against a running JobGraph:
//
//	node clients.js http://localhost:8080/
//
// The server must speak to the embedded sandbox. Ends with 0, or with 1 and a line.
import assert from 'node:assert/strict';
import { createClient as createSSE } from 'graphql-sse';
import { createClient as createWS } from 'graphql-ws';
import WebSocket from 'ws';

const url = new URL('/graphql', process.argv[2]).href;
const moving = '30000000000000000000000000000001';
const documented = 'd4fb871e07514304b23131b45f8caa1f';
const missing = '00000000000000000000000000000000';
const token = '7ca5dc5c7cce449fb0fff719307e8f5f';
const query = `subscription ($ids: [ID!]!) {
  jobUpdated(ids: $ids) { ... on Job { id status } ... on ApiError { jobId type } }
}`;

const clients = {
  'graphql-ws': (Authorization) => createWS({
    url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket, connectionParams: { Authorization },
  }),
  'graphql-sse': (Authorization) => createSSE({ url, headers: { Authorization }, retryAttempts: 0 }),
};

await Promise.all(Object.entries(clients).map(async ([name, connect]) => {
  const client = connect(`Bearer ${token}`);
  try {
    await tryClient(client);
    await tryToken(connect('Bearer abcd'));
    console.log(`${name}: two states, settled jobs, a query, an error and a wrong token`);
  } catch (error) {
    console.error(`${name}: ${error.stack ?? JSON.stringify(error)}`);
    process.exit(1);
  } finally {
    client.dispose();
  }
}));

async function tryClient(client) {
  const settled = await all(client, query, { ids: [documented, missing] });
  assert.deepEqual(new Set(settled.map(({ data }) => data.jobUpdated.status ?? data.jobUpdated.type)),
    new Set(['COMPLETE', 'ITEM_NOT_FOUND']), 'one event for each job, then the end');

  const [first, second] = await twoStates(client);
  assert.notEqual(first, second, 'an event is a change');

  const [answer] = await all(client, '{ __typename }');
  assert.deepEqual(answer.data, { __typename: 'Query' });

  const refused = await all(client, 'subscription { nonsense }').catch((errors) => [{ errors }]);
  assert.equal(refused[0].errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
}

// twoStates asks again where the job has just settled: it begins anew within seconds.
async function twoStates(client) {
  for (let tries = 0; tries < 10; tries++) {
    const states = [];
    for await (const { data } of client.iterate({ query, variables: { ids: [moving] } })) {
      states.push(data.jobUpdated.status);
      if (states.length === 2) return states; // which ends the subscription
    }
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
  }
  throw new Error('the job does not move');
}

async function tryToken(client) {
  const [refused] = await all(client, query, { ids: [documented] });
  assert.equal(refused.data.jobUpdated.type, 'BAD_API_TOKEN', 'it is told as data');
  client.dispose();
}

async function all(client, query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  return results;
}
