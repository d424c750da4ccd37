// Shows the list of jobs, a page after the other, and keeps the rows that can be seen up to date.
import { follow, settled } from './live.js';
import { news, renderRow, statuses } from './render.js';
import { jobFields, query, remember } from './server.js';

const listQuery = `query List($filter: JobFilter, $after: String) {
  jobs(filter: $filter, first: 20, after: $after) {
    nodes { __typename ${jobFields} }
    pageInfo { hasNextPage endCursor }
  }
}`;

// The most rows that are followed at the same time; a server allows so many ids, by default.
const maxFollowed = 100;

const form = document.querySelector('#filter');
const table = document.querySelector('#list');
const rows = table.tBodies[0];
const more = document.querySelector('#more');
const count = document.querySelector('#count');
const liveness = document.querySelector('#liveness');
const announcement = document.querySelector('#list-news');

const jobs = new Map(); // those in the table, by their ids
const seen = new Set(); // the ids of the rows in view
let cursor; // where the next page begins
let asking = new AbortController();
let following = new AbortController();
let followed = ''; // the ids that are followed, as text
let soon; // when it is looked at them again

const asked = new URLSearchParams(location.search);
form.elements.status.append(...Object.entries(statuses).map(([value, text]) => new Option(text, value)));
form.elements.name.value = asked.get('name') ?? '';
form.elements.status.value = asked.get('status') ?? '';
form.addEventListener('submit', (event) => {
  event.preventDefault();
  remember({ name: form.elements.name.value.trim(), status: form.elements.status.value });
  begin();
});
more.addEventListener('click', async () => {
  const first = await next();
  first?.querySelector('a').focus(); // the button may be gone
});

const inView = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    if (isIntersecting) seen.add(target.dataset.id);
    else seen.delete(target.dataset.id);
  }
  followSoon();
});

begin();

// begin leaves what was shown before and asks for the first page.
function begin() {
  inView.disconnect();
  seen.clear();
  jobs.clear();
  rows.replaceChildren();
  more.hidden = true;
  cursor = undefined;
  followSoon();
  return next();
}

// next adds a page to the table, and gives the first row of it. What fails can be asked for again.
async function next() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  table.setAttribute('aria-busy', 'true');
  count.textContent = 'Loading…';
  try {
    const { jobs: { nodes, pageInfo } } = await query(listQuery, { filter: filter(), after: cursor }, signal);
    cursor = pageInfo.endCursor;
    more.textContent = 'More';
    more.hidden = !pageInfo.hasNextPage;
    count.textContent = counted(jobs.size + nodes.length, pageInfo.hasNextPage);
    return nodes.map(add).find(Boolean);
  } catch (error) {
    if (signal.aborted) return null;
    count.textContent = error.message;
    more.textContent = 'Try again';
    more.hidden = false;
    return null;
  } finally {
    if (!signal.aborted) table.removeAttribute('aria-busy');
  }
}

// filter finds a part of a name, unless one says where the rest is.
function filter() {
  const name = form.elements.name.value.trim();
  return {
    name: name && (name.includes('*') ? name : `*${name}*`) || undefined,
    status: form.elements.status.value || undefined,
  };
}

function counted(number, someMore) {
  const text = number === 0 ? 'No job is like that' : number === 1 ? '1 job' : `${number} jobs`;
  return someMore ? `${text}, and there are more.` : `${text}.`;
}

function add(job) {
  const row = renderRow(job);
  jobs.set(job.id, job);
  rows.append(row);
  inView.observe(row);
  return row;
}

// followSoon waits until one has stopped scrolling.
function followSoon() {
  clearTimeout(soon);
  soon = setTimeout(followVisible, 250);
}

// followVisible follows the jobs in view that can still change, in place of those that were in view before.
async function followVisible() {
  const moving = [...seen].filter((id) => jobs.has(id) && !settled(jobs.get(id))).slice(0, maxFollowed);
  if (moving.sort().join() === followed) return;
  followed = moving.join();
  following.abort();
  following = new AbortController();
  const { signal } = following;
  liveness.textContent = '';
  const latest = new Map(moving.map((id) => [id, jobs.get(id)]));
  await follow(latest, signal, { update, say: (text) => { liveness.textContent = text; } }).catch(() => {});
  if (!signal.aborted) liveness.textContent = '';
}

// update puts the new row in the old one's place, and keeps the focus where it is.
function update(result, before) {
  if (result.__typename !== 'Job') return; // the row shows what was last known
  const old = rows.querySelector(`[data-id="${CSS.escape(result.id)}"]`);
  if (!old) return;
  jobs.set(result.id, result);
  const row = renderRow(result);
  row.classList.add('changed');
  const focused = old.contains(document.activeElement);
  inView.unobserve(old);
  old.replaceWith(row);
  inView.observe(row);
  if (focused) row.querySelector('a').focus({ preventScroll: true }); // one may have scrolled away from it
  if (news(before) !== news(result)) announcement.textContent = news(result);
}
