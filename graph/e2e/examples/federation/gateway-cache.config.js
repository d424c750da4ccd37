// The Hive gateway with its response cache, which keeps an answer for as long as JobGraph's
// max-age says.
//
//   npx hive-gateway supergraph supergraph.graphql --config-path federation/gateway-cache.config.js
import { defineConfig } from '@graphql-hive/gateway';
import { gatewayConfig as plain } from './gateway.config.js';

export const gatewayConfig = defineConfig({
  ...plain,
  cache: { type: 'localforage' },
  responseCaching: {
    // An answer belongs to the caller's token: without this line all callers share one.
    session: (request) => request.headers.get('authorization'),
    // The most; max-age is less or the same. It holds where there is none, too, as the gateway
    // does not look at no-store: an error is never kept.
    ttl: 60_000,
    ttlPerType: { ApiError: 0 },
  },
});
