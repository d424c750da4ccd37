// Shows the jobs whose ids are in the form, and keeps them up to date.
import { follow } from './live.js';
import { idOf, news, render } from './render.js';
import { query, remember, resultFields } from './server.js';

const jobsQuery = `query Jobs($ids: [ID!]!) { job(ids: $ids) { ${resultFields} } }`;

// What the sandbox shows well: jobs that move, one of each end, and two mistakes.
const examples = [
  '30000000000000000000000000000001',
  '30000000000000000000000000000002',
  'd4fb871e07514304b23131b45f8caa1f',
  '10000000000000000000000000000005',
  '00000000000000000000000000000000',
  'not-hexadecimal',
];

const form = document.querySelector('#by-id');
const list = document.querySelector('#jobs');
const connection = document.querySelector('#connection');
const announcement = document.querySelector('#news');
let current = new AbortController();

form.ids.value = new URLSearchParams(location.search).get('ids') ?? examples.join('\n');
form.addEventListener('submit', (event) => {
  event.preventDefault();
  remember({ ids: asked().join(' ') });
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
  connection.textContent = 'Loading…';
  try {
    const { job: results } = await query(jobsQuery, { ids: asked() }, signal);
    list.replaceChildren(...results.map((result) => render(result)));
    const latest = new Map(results.map((result) => [idOf(result), result]));
    await follow(latest, signal, { update, say: (text) => { connection.textContent = text; } });
    connection.textContent = 'Nothing moves any more.';
  } catch (error) {
    if (signal.aborted) return;
    list.replaceChildren();
    connection.textContent = error.message;
  }
}

// update puts the new card in the old one's place and says what is new, once.
function update(result, before) {
  const card = render(result);
  card.classList.add('changed');
  list.querySelector(`[data-id="${CSS.escape(idOf(result))}"]`)?.replaceWith(card);
  if (!before || news(before) !== news(result)) announcement.textContent = news(result);
}
