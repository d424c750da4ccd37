// What both Relay clients share: how to ask, and how to name what was got.
const { Environment, Network, RecordSource, Store } = require('relay-runtime');

exports.environment = new Environment({
  network: Network.create(async ({ text }, variables) => {
    const response = await fetch(process.argv[2], {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: text, variables }),
    });
    return response.json();
  }),
  store: new Store(new RecordSource()),
  // A job's id is the job API's own: it is unique among jobs, not in the whole graph.
  getDataID: ({ id }, typename) => id && `${typename}:${id}`,
});
