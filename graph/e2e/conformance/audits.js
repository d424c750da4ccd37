// Runs the audits of the GraphQL-over-HTTP specification against a running server
// and prints one JSON line for each:
//
//   npm ci && node audits.js http://localhost:8080/graphql

import { serverAudits } from 'graphql-http';

const url = process.argv[2];
if (!url) {
  console.error('usage: node audits.js URL');
  process.exit(2);
}
let failed = 0;
for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const result = await audit.fn();
  if (result.status !== 'ok') failed++;
  console.log(JSON.stringify({ id: audit.id, name: audit.name, status: result.status, reason: result.reason ?? '' }));
  await result.response?.body?.cancel().catch(() => {});
}
process.exit(failed === 0 ? 0 : 1);
