// Reads a GraphQL subscription as server-sent events: https://github.com/enisdenjo/graphql-sse, its
// distinct connections mode. The browser's own EventSource would do, but it cannot send a token.

// subscribe gives each event's data until the server completes. It throws what went wrong with the
// operation, and where the connection breaks.
export async function* subscribe(response) {
  if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
    const { errors } = await response.json();
    throw new Error(errors[0].message);
  }
  for await (const { event, data } of events(response.body)) {
    if (event === 'complete') return;
    if (event !== 'next') continue;
    const { data: state, errors } = JSON.parse(data);
    if (errors) throw new Error(errors[0].message);
    yield state;
  }
  throw new Error('The connection broke.');
}

// events splits a stream of text into its events, which end with an empty line.
async function* events(stream) {
  let rest = '';
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) yield fieldsOf(block);
  }
}

// fieldsOf reads the lines of an event; one that begins with a colon is a comment that keeps the
// connection awake.
function fieldsOf(block) {
  const fields = { event: 'message', data: '' };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = line.match(/^([^:]*): ?(.*)$/) ?? [];
    if (name) fields[name] = value;
  }
  return fields;
}
