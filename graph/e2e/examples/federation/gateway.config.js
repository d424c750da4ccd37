// The Hive gateway over a composed supergraph.
//
//   npx hive-gateway supergraph supergraph.graphql --config-path federation/gateway.config.js
import { defineConfig } from '@graphql-hive/gateway';

export const gatewayConfig = defineConfig({
  propagateHeaders: {
    // The caller's token travels on.
    fromClientToSubgraphs({ request }) {
      const authorization = request.headers.get('authorization');
      return authorization ? { authorization } : {};
    },
  },
});
