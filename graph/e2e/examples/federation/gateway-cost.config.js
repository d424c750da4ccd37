// The Hive gateway with a bound for what an operation may cost, by what JobGraph's SDL says.
//
//   npx hive-gateway supergraph supergraph.graphql --config-path federation/gateway-cost.config.js
import { defineConfig } from '@graphql-hive/gateway';
import { gatewayConfig as plain } from './gateway.config.js';

export const gatewayConfig = defineConfig({
  ...plain,
  demandControl: {
    maxCost: 5_000,
    includeExtensionMetadata: true, // tells the caller, in extensions.cost
  },
});
