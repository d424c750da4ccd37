// Follows jobs.
import { subscribe } from './events.js';
import { idOf } from './render.js';
import { request, resultFields } from './server.js';

const jobUpdated = `subscription JobUpdated($ids: [ID!]!) { jobUpdated(ids: $ids) { ${resultFields} } }`;

// follow gives each change of the jobs, whose latest results it is given by their ids, until all of them
// have settled. A connection that breaks, and one that a server ends because it is being restarted, is made
// anew, a little later each time. say is told how it goes.
export async function follow(latest, signal, { update, say }) {
  const moving = () => [...latest].filter(([, result]) => !settled(result)).map(([id]) => id);
  for (let pause = 1; moving().length > 0; pause = Math.min(2 * pause, 30)) {
    try {
      const response = await request(jobUpdated, { ids: moving() }, signal, 'text/event-stream');
      for await (const { jobUpdated: result } of subscribe(response)) {
        pause = 1;
        say('Live: changes appear by themselves.');
        const before = latest.get(idOf(result));
        latest.set(idOf(result), result);
        if (JSON.stringify(before) !== JSON.stringify(result)) update(result, before);
      }
    } catch (error) {
      if (signal.aborted) throw error;
      say(`Not live: ${error.message} Trying again.`);
    }
    if (moving().length > 0) await sleep(pause, signal);
  }
}

// settled is what the schema says of it: nothing comes after this.
export function settled(result) {
  if (result.__typename === 'ApiError') return !result.retryable;
  if (result.status !== 'COMPLETE') return result.status === 'MEDIA_FAILURE';
  return result.returnDate !== null || result.returnTargets.length === 0 || returnPeriodIsOver(result);
}

// The job API gives up returning a job after half an hour; the server waits five minutes more.
function returnPeriodIsOver({ completedDate }) {
  return completedDate !== null && Date.now() - Date.parse(completedDate) >= 35 * 60_000;
}

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, 1000 * seconds);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
