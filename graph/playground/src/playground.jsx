import { useEffect } from 'react';
import { GraphiQL } from 'graphiql';
import { useGraphiQL } from '@graphiql/react';
import { createGraphiQLFetcher, createLocalStorage } from '@graphiql/toolkit';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { Figures, withFigures } from './figures.jsx';
import { tabs } from './tabs.js';

const url = `${location.origin}/graphql`;

// What stands in the headers editor goes out as headers over HTTP, and as the connection_init
// payload over WebSocket: a token works for both.
const fetcher = withFigures(
  createGraphiQLFetcher({
    url,
    subscriptionUrl: url.replace(/^http/, 'ws'),
    enableIncrementalDelivery: false,
    headers: { 'JobGraph-Trace': '1' },
  }),
);

// A prefix of its own: another GraphiQL that ran at this address left its tabs behind.
const storage = createLocalStorage({ namespace: 'jobgraph' });

// GraphiQL's history is left out on purpose: it stores the headers, token included,
// whatever shouldPersistHeaders says.
const plugins = [explorerPlugin()];

const headersHint = `// The sandbox needs no token.
// For another job API, put yours in here
// and remove the slashes before the line:
// {"Authorization": "Bearer HEX"}
`;

// Without this the editor takes a federation reference for a mistake.
const scalars = { _Any: { type: 'object', required: ['__typename'] } };

// The width below which playground.css puts the panes one below the other.
const narrow = matchMedia('(max-width: 700px)').matches;

export function Playground() {
  return (
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      plugins={plugins}
      defaultTabs={tabs}
      defaultHeaders={headersHint}
      shouldPersistHeaders={false}
      defaultEditorToolsVisibility={narrow ? false : 'variables'}
      customScalarSchemas={scalars}
      inputValueDeprecation
      schemaDescription
    >
      <GraphiQL.Logo>JobGraph</GraphiQL.Logo>
      <GraphiQL.Footer>
        <Figures />
      </GraphiQL.Footer>
      <EditorSetup />
    </GraphiQL>
  );
}

function EditorSetup() {
  const { tab, query, variables, headers, response } = useGraphiQL((state) => ({
    tab: state.tabs[state.activeTabIndex],
    query: state.queryEditor,
    variables: state.variableEditor,
    headers: state.headerEditor,
    response: state.responseEditor,
  }));

  useEffect(() => {
    for (const editor of [query, variables, headers, response]) {
      editor?.updateOptions({ fontSize: 13, wordWrap: 'on', wrappingIndent: 'indent' });
    }
  }, [query, variables, headers, response]);

  // GraphiQL shows the first tab's query, but not its variables, until one changes tabs.
  useEffect(() => {
    if (variables && tab.variables && !variables.getValue()) variables.setValue(tab.variables);
  }, [variables]);
}
