// Asks the server.

// The form's token of the job API, if any.
const token = document.querySelector('#token');

// How the sandbox behaves to this page. It is in the address, so that a case can be shown to
// others; where the job API is the real one, there is no such thing.
const scenario = document.querySelector('#scenario');
scenario.value = new URLSearchParams(location.search).get('scenario') ?? '';
scenario.addEventListener('change', () => {
  remember({ scenario: scenario.value });
  location.reload();
});

// jobFields are what the page shows of a job, or needs to know whether more is to come.
export const jobFields = 'id name status dueDate completedDate returnDate returnTargets { kind callbackUrl }';

// resultFields are those of a JobResult.
export const resultFields = `
  __typename
  ... on Job { ${jobFields} }
  ... on ApiError { jobId type comment retryable }
`;

export async function request(text, variables, signal, accept) {
  const headers = { 'Content-Type': 'application/json', Accept: accept };
  if (token.value) headers.Authorization = `Bearer ${token.value}`;
  if (scenario.value) headers['X-Sandbox'] = scenario.value;
  const response = await fetch('/graphql', { method: 'POST', headers, body: JSON.stringify({ query: text, variables }), signal });
  if (response.headers.get('Vary')?.includes('X-Sandbox')) document.querySelector('#sandbox').hidden = false;
  return response;
}

// query throws what went wrong with the operation. What is wrong with one job is in the data.
export async function query(text, variables, signal) {
  const response = await request(text, variables, signal, 'application/graphql-response+json, application/json');
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors.map(messageOf).join(' '));
  return data;
}

const messageOf = ({ message, extensions }) => message + (extensions?.retryable ? ' Trying again may help.' : '');

// remember keeps what a form asks for in the page's address, so that it can be opened again.
export function remember(values) {
  const all = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(values)) {
    if (value) all.set(name, value);
    else all.delete(name);
  }
  history.replaceState(null, '', all.size > 0 ? `?${all}` : location.pathname);
}
