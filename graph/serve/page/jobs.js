// Shows the jobs of the form and keeps them up to date.
import { subscribe } from './events.js';
import { idOf, news, render } from './render.js';

const fields = `
  __typename
  ... on Job {
    id
    name
    status
    dueDate
    completedDate
    returnDate
    returnTargets { kind callbackUrl }
  }
  ... on ApiError { jobId type comment retryable }
`;
const jobsQuery = `query Jobs($ids: [ID!]!) { job(ids: $ids) { ${fields} } }`;
const jobUpdated = `subscription JobUpdated($ids: [ID!]!) { jobUpdated(ids: $ids) { ${fields} } }`;

// What the sandbox shows well: jobs that move, one of each end, and two mistakes.
const examples = [
  '30000000000000000000000000000001',
  '30000000000000000000000000000002',
  'd4fb871e07514304b23131b45f8caa1f',
  '10000000000000000000000000000005',
  '00000000000000000000000000000000',
  'not-hexadecimal',
];

const form = document.querySelector('form');
const list = document.querySelector('#jobs');
const connection = document.querySelector('#connection');
const announcement = document.querySelector('#news');
let current = new AbortController();

form.ids.value = new URLSearchParams(location.search).get('ids') ?? examples.join('\n');
form.addEventListener('submit', (event) => {
  event.preventDefault();
  history.replaceState(null, '', `?${new URLSearchParams({ ids: asked().join(' ') })}`);
  show();
});
show();

function asked() {
  return [...new Set(form.ids.value.split(/[\s,]+/).filter(Boolean))];
}

// show leaves what was shown before and begins anew.
async function show() {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const ids = asked();
  connection.textContent = 'Loading…';
  try {
    const { job: results } = await query(jobsQuery, { ids }, signal);
    list.replaceChildren(...results.map((result) => render(result)));
    await follow(results, signal);
    connection.textContent = 'Nothing moves any more.';
  } catch (error) {
    if (signal.aborted) return;
    list.replaceChildren();
    connection.textContent = error.message;
  }
}

// follow shows each change until all jobs have settled. A connection that breaks, and one that a
// server ends because it is being restarted, is made anew, a little later each time.
async function follow(results, signal) {
  const latest = new Map(results.map((result) => [idOf(result), result]));
  const moving = () => [...latest].filter(([, result]) => !settled(result)).map(([id]) => id);
  for (let pause = 1; moving().length > 0; pause = Math.min(2 * pause, 30)) {
    try {
      const response = await request(jobUpdated, { ids: moving() }, signal, 'text/event-stream');
      for await (const { jobUpdated: result } of subscribe(response)) {
        pause = 1;
        connection.textContent = 'Live: changes appear by themselves.';
        update(latest.get(idOf(result)), result);
        latest.set(idOf(result), result);
      }
    } catch (error) {
      if (signal.aborted) throw error;
      connection.textContent = `Not live: ${error.message} Trying again.`;
    }
    if (moving().length > 0) await sleep(pause, signal);
  }
}

// settled is what the schema says of it: nothing comes after this.
function settled(result) {
  if (result.__typename === 'ApiError') return !result.retryable;
  if (result.status !== 'COMPLETE') return result.status === 'MEDIA_FAILURE';
  return result.returnDate !== null || result.returnTargets.length === 0 || returnPeriodIsOver(result);
}

// The job API gives up returning a job after half an hour; the server waits five minutes more.
function returnPeriodIsOver({ completedDate }) {
  return completedDate !== null && Date.now() - Date.parse(completedDate) >= 35 * 60_000;
}

// update puts the new card in the old one's place and says what is new, once.
function update(before, result) {
  if (JSON.stringify(before) === JSON.stringify(result)) return;
  const card = render(result);
  card.classList.add('changed');
  list.querySelector(`[data-id="${CSS.escape(idOf(result))}"]`)?.replaceWith(card);
  if (!before || news(before) !== news(result)) announcement.textContent = news(result);
}

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, 1000 * seconds);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function request(text, variables, signal, accept) {
  const headers = { 'Content-Type': 'application/json', Accept: accept };
  if (form.token.value) headers.Authorization = `Bearer ${form.token.value}`;
  return fetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query: text, variables }), signal });
}

// query throws what went wrong with the operation. What is wrong with one job is in the data.
async function query(text, variables, signal) {
  const response = await request(text, variables, signal, 'application/graphql-response+json, application/json');
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors.map(({ message }) => message).join(' '));
  return data;
}
