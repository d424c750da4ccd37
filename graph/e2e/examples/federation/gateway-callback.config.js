// The Hive gateway with subscriptions by HTTP callbacks: no connection to JobGraph stays open.
//
//   jobgraph --subscription-callback-origin http://localhost:4000
//   npx hive-gateway supergraph supergraph.graphql --config-path federation/gateway-callback.config.js
//
// PUBLIC_URL is where JobGraph reaches the gateway.
import { defineConfig } from '@graphql-hive/gateway';
import { gatewayConfig as plain } from './gateway.config.js';

const authorization = ['authorization', '{context.headers.authorization}'];

export const gatewayConfig = defineConfig({
  ...plain,
  webhooks: true,
  transportEntries: {
    jobs: {
      headers: [authorization],
      options: {
        subscriptions: {
          kind: 'http-callback',
          headers: [authorization],
          options: {
            path: '/callback',
            public_url: `${process.env.PUBLIC_URL ?? 'http://localhost:4000'}/callback`,
            heartbeat_interval: Number(process.env.HEARTBEAT_MS ?? 5_000),
          },
        },
      },
    },
  },
});
