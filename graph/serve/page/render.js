// Makes an element of a JobResult.

// The life cycle, in order. MEDIA_FAILURE and UNRECOGNIZED are off this way.
const steps = ['AUTHORIZING', 'PENDING', 'IN_PROCESS', 'REVIEWING', 'COMPLETE'];
const words = {
  AUTHORIZING: 'Authorizing',
  PENDING: 'Pending',
  IN_PROCESS: 'In process',
  REVIEWING: 'Reviewing',
  COMPLETE: 'Complete',
  MEDIA_FAILURE: 'Media failure',
  UNRECOGNIZED: 'Unknown status',
};
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

// news says in a sentence what a result is now, for who does not see it.
export function news(result) {
  return result.__typename === 'Job'
    ? `${nameOf(result)}: ${words[result.status]}`
    : `${result.jobId}: ${headingOf(result)}`;
}

function renderJob(job) {
  const card = fromTemplate('job');
  card.dataset.status = job.status;
  card.querySelector('h2').textContent = nameOf(job);
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
  card.querySelector('h2').textContent = headingOf({ type });
  card.querySelector('.comment').textContent = comment + (retryable ? ' Trying again may help.' : '');
  card.querySelector('.type code').textContent = type;
  return card;
}

function renderSteps(status) {
  if (status === 'UNRECOGNIZED') return [];
  // A media failure ends the way after the work has begun.
  const way = status === 'MEDIA_FAILURE' ? ['AUTHORIZING', 'PENDING', 'IN_PROCESS', 'MEDIA_FAILURE'] : steps;
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
