// The Hive gateway over a composed supergraph.
//
//   npx hive-gateway supergraph supergraph.graphql --config-path federation/gateway.config.js
import { defineConfig } from '@graphql-hive/gateway';

export const gatewayConfig = defineConfig({
  propagateHeaders: {
    // The caller's token travels on, and the trace that the query belongs to.
    fromClientToSubgraphs({ request }) {
      const names = ['authorization', 'traceparent', 'tracestate'].filter((name) => request.headers.has(name));
      return Object.fromEntries(names.map((name) => [name, request.headers.get(name)]));
    },
  },
});
