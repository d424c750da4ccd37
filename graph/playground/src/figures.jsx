import { useSyncExternalStore } from 'react';

// What the server tells of the last request in extensions.upstream, where it does.
let figures = null;
const listeners = new Set();

function set(next) {
  figures = next;
  for (const listener of listeners) listener();
}

function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// withFigures takes the figures out of each answer that the reader has asked for: they stand
// below it. A subscription has none.
export function withFigures(fetcher) {
  return async (params, options) => {
    const result = await fetcher(params, options);
    if (params.operationName === 'IntrospectionQuery') return result;
    const told = result?.extensions?.upstream ?? null;
    set(told);
    if (!told) return result;
    const { upstream, ...others } = result.extensions;
    const { extensions, ...shown } = result;
    return Object.keys(others).length > 0 ? { ...shown, extensions: others } : shown;
  };
}

function count(n, one, many) {
  return `${n} ${n === 1 ? one : many}`;
}

// Figures is one line below the answer.
export function Figures() {
  const told = useSyncExternalStore(subscribe, () => figures);
  if (!told) return null;
  const parts = [
    count(told.jobs, 'job', 'jobs'),
    count(told.calls, 'call of the job API', 'calls of the job API'),
    `${told.cached} cached`,
    told.coalesced > 0 && `${told.coalesced} shared`,
    told.retries > 0 && count(told.retries, 'retry', 'retries'),
    `${told.milliseconds.toFixed(1)} ms`,
  ];
  return (
    <div className="jobgraph-figures" role="status">
      {parts.filter(Boolean).join(' · ')}
    </div>
  );
}
