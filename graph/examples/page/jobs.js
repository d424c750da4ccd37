// Shows the jobs of the form and keeps them up to date.
import { news, render } from './render.js';

const fields = `
  __typename
  ... on Job {
    id
    name
    status
    dueDate
    returnDate
    returnTargets { kind callbackUrl }
  }
  ... on ApiError { jobId type comment retryable }
`;
const jobsQuery = `query Jobs($ids: [ID!]!) { job(ids: $ids) { ${fields} } }`;

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
    connection.textContent = `${results.length} jobs, as of ${new Date().toLocaleTimeString()}.`;
  } catch (error) {
    if (signal.aborted) return;
    list.replaceChildren();
    connection.textContent = error.message;
  }
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
