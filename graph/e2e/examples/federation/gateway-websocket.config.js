// The Hive gateway with subscriptions over WebSockets to JobGraph.
//
//   npx hive-gateway supergraph supergraph.graphql --config-path federation/gateway-websocket.config.js
import { defineConfig } from '@graphql-hive/gateway';
import { gatewayConfig as plain } from './gateway.config.js';

export const gatewayConfig = defineConfig({
  ...plain,
  transportEntries: {
    jobs: {
      options: {
        subscriptions: {
          kind: 'ws',
          location: '/graphql',
          // A socket for each caller, as it has the caller's token.
          options: { connectionParams: { Authorization: '{context.headers.authorization}' } },
        },
      },
    },
  },
});
