// Makes elements of jobs, and of errors in their places.

// The life cycle, in order. MEDIA_FAILURE and UNRECOGNIZED are off this way.
const steps = ['AUTHORIZING', 'PENDING', 'IN_PROCESS', 'REVIEWING', 'COMPLETE'];
// statuses are what one can filter by.
export const statuses = {
  AUTHORIZING: 'Authorizing',
  PENDING: 'Pending',
  IN_PROCESS: 'In process',
  REVIEWING: 'Reviewing',
  COMPLETE: 'Complete',
  MEDIA_FAILURE: 'Media failure',
};
const words = { ...statuses, UNRECOGNIZED: 'Unknown status' };
const headings = {
  ITEM_NOT_FOUND: 'No such job',
  INVALID_QUERY: 'Not a job id',
  BAD_API_TOKEN: 'Token refused',
  UPSTREAM_TIMEOUT: 'No answer in time',
};

// idOf is the id that a result belongs to.
export const idOf = (result) => result.__typename === 'Job' ? result.id : result.jobId;

export function render(result) {
  const card = result.__typename === 'Job' ? renderJob(result) : renderError(result);
  card.dataset.id = idOf(result);
  card.querySelector('.id code').textContent = idOf(result);
  return card;
}

// renderRow is a job in the list. Its name leads to its card.
export function renderRow(job) {
  const row = fromTemplate('row');
  row.dataset.id = job.id;
  row.dataset.status = job.status;
  const link = row.querySelector('a');
  link.textContent = nameOf(job);
  const address = new URL(location);
  address.searchParams.set('ids', job.id);
  link.href = `${address.search}#jobs`;
  row.querySelector('.status').textContent = words[job.status];
  row.querySelector('.progress').replaceChildren(...renderProgress(job));
  if (job.dueDate) row.querySelector('.due').replaceChildren(renderTime(job.dueDate), ...renderOverdue(job));
  return row;
}

// renderProgress is nothing where a status does not say how far a job is.
function renderProgress({ name, status }) {
  const reached = wayOf(status).indexOf(status);
  if (reached < 0) return [];
  const bar = document.createElement('progress');
  bar.max = steps.length - 1;
  bar.value = status === 'MEDIA_FAILURE' ? steps.indexOf('IN_PROCESS') : reached;
  bar.setAttribute('aria-label', `Progress of ${nameOf({ name })}`);
  return [bar];
}

function renderOverdue({ dueDate, status }) {
  if (['COMPLETE', 'MEDIA_FAILURE'].includes(status) || Date.parse(dueDate) > Date.now()) return [];
  const mark = document.createElement('span');
  mark.className = 'overdue';
  mark.textContent = ' overdue';
  return [mark];
}

// news says in a sentence what a result is now, for who does not see it.
export function news(result) {
  return result.__typename === 'Job'
    ? `${nameOf(result)}: ${words[result.status]}`
    : `${result.jobId}: ${headingOf(result)}`;
}

function renderJob(job) {
  const card = fromTemplate('job');
  card.dataset.status = job.status;
  card.querySelector('h3').textContent = nameOf(job);
  card.querySelector('.status').textContent = words[job.status];
  card.querySelector('.steps').replaceChildren(...renderSteps(job.status));
  fill(card.querySelector('.due'), job.dueDate, renderTime);
  fill(card.querySelector('.returned'), job.returnDate, renderTime);
  const targets = card.querySelector('.targets');
  targets.hidden = job.returnTargets.length === 0;
  targets.querySelector('ul').replaceChildren(...job.returnTargets.map(renderTarget));
  return card;
}

function renderError({ type, comment, retryable }) {
  const card = fromTemplate('error');
  card.querySelector('h3').textContent = headingOf({ type });
  card.querySelector('.comment').textContent = comment + (retryable ? ' Trying again may help.' : '');
  card.querySelector('.type code').textContent = type;
  return card;
}

// wayOf are the steps of a job with the status. A media failure ends the way after the work has begun.
function wayOf(status) {
  if (status === 'UNRECOGNIZED') return [];
  return status === 'MEDIA_FAILURE' ? ['AUTHORIZING', 'PENDING', 'IN_PROCESS', 'MEDIA_FAILURE'] : steps;
}

function renderSteps(status) {
  const way = wayOf(status);
  const reached = way.indexOf(status);
  return way.map((step, i) => {
    const item = document.createElement('li');
    item.textContent = words[step];
    item.className = i < reached ? 'done' : i === reached ? 'now' : 'ahead';
    if (i === reached) item.setAttribute('aria-current', 'step');
    return item;
  });
}

// renderTarget leaves out what may be secret in an address: credentials and query.
function renderTarget({ kind, callbackUrl }) {
  const item = document.createElement('li');
  const url = callbackUrl && URL.canParse(callbackUrl) ? new URL(callbackUrl) : null;
  item.textContent = url ? url.host + url.pathname : kind;
  return item;
}

function renderTime(date) {
  const time = document.createElement('time');
  time.dateTime = date;
  time.textContent = new Date(date).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  return time;
}

// fill shows the entry only where there is a value.
function fill(entry, value, element) {
  entry.hidden = !value;
  if (value) entry.querySelector('dd').replaceChildren(element(value));
}

const nameOf = (job) => job.name ?? 'Job without a name';
const headingOf = ({ type }) => headings[type] ?? 'Could not be had';
const fromTemplate = (id) => document.querySelector(`#${id}`).content.firstElementChild.cloneNode(true);
