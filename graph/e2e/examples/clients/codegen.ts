// TypeScript types from the schema that JobGraph serves:
//
//   npx graphql-codegen --config clients/codegen.ts
import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: process.env.SCHEMA ?? 'http://localhost:8080/schema.graphqls',
  documents: 'clients/*.ts',
  ignoreNoDocuments: true,
  emitLegacyCommonJSImports: false,
  generates: {
    'clients/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        enumsAsTypes: true,
        useTypeImports: true,
        // The library's own default for a scalar that it does not know is any.
        scalars: { DateTime: 'string', JSON: 'unknown' },
      },
    },
    // Which types a union has: Apollo's cache needs it for fragments.
    'clients/generated/possible-types.ts': {
      plugins: ['fragment-matcher'],
      config: { apolloClientVersion: 3, useExplicitTyping: true },
    },
  },
};

export default config;
