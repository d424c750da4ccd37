// Tries the playground of a running JobGraph in Chromium, as a person would:
//
//	node e2e.js http://localhost:8080/ [--screenshot FILE]
//
// The server must speak to the embedded sandbox. CHROMIUM names the browser if it is not at
// /usr/bin/chromium. Ends with 0, or with 1 and one line that says what is wrong.
import assert from 'node:assert/strict';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { chromium } from 'playwright-core';

// The token of the job API's documentation, which the sandbox takes.
const token = '7ca5dc5c7cce449fb0fff719307e8f5f';

// Each tab's title, and what its answer must hold.
const tabs = {
  Jobs({ data }) {
    const [documented, missing] = data.job;
    assert.equal(data.job.length, 4, 'an answer for each id');
    assert.equal(documented.name, 'example_job');
    assert.equal(documented.status, 'COMPLETE');
    assert.equal(documented.returnTargets.length, 2, 'both return targets');
    assert.equal(missing.__typename, 'ApiError');
    assert.equal(missing.type, 'ITEM_NOT_FOUND');
    assert.deepEqual(data.job.slice(2).map((job) => job.status), ['IN_PROCESS', 'MEDIA_FAILURE']);
  },
  List({ data }) {
    assert.deepEqual(data.jobs.nodes.map((job) => job.name), ['lecture_03_optics', 'lecture_02_waves'], 'newest first');
    assert.ok(data.jobs.pageInfo.hasNextPage, 'a third is on the next page');
  },
  Live({ data }, later) {
    assert.ok(data.jobUpdated.status, 'the state at once');
    if (later) assert.notEqual(later.data.jobUpdated.status, data.jobUpdated.status, 'another state by itself');
  },
  Federation({ data }) {
    const [documented, missing] = data._entities;
    assert.equal(documented.name, 'example_job');
    assert.equal(missing, null, 'a job that does not exist is null');
  },
};

const { base, screenshot } = readArguments();
let step = 'start Chromium';
try {
  const browser = await launch();
  try {
    await tryAt(browser, { width: 1280, height: 800 }, screenshot);
    await tryAt(browser, { width: 390, height: 844 });
  } finally {
    await browser.close();
  }
} catch (error) {
  fail(`playground: ${step}: ${oneLine(error.message)}`);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { screenshot: { type: 'string' } } });
    assert.equal(positionals.length, 1);
    return { base: new URL(positionals[0]), screenshot: values.screenshot };
  } catch {
    return fail('usage: node e2e.js URL [--screenshot FILE]');
  }
}

function launch() {
  const switches = '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run ' +
    '--disable-background-networking --disable-component-update --disable-sync';
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: switches.split(' ') });
}

async function tryAt(browser, viewport, screenshot) {
  const size = `${viewport.width}x${viewport.height}`;
  const at = (name) => { step = `${size}: ${name}`; };
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const seen = await watch(context, page);

  at('open');
  await open(page);
  assert.equal(await page.title(), 'JobGraph');
  assert.deepEqual(await page.getByRole('tab').allInnerTexts(), Object.keys(tabs), 'the tabs');
  for (const [title, check] of Object.entries(tabs)) {
    at(`the tab ${title}`);
    await choose(page, title);
    const answer = await play(page);
    const figures = page.locator('.jobgraph-figures');
    if (title === 'Live') assert.equal(await figures.count(), 0, 'a subscription has no figures');
    else assert.match(await figures.innerText(), /^\d+ jobs? · \d+ calls? of the job API · \d+ cached/, 'the figures');
    check(answer, title === 'Live' && size === '1280x800' && await playOn(page, answer));
    await assertReadable(page);
    if (screenshot && title === 'Jobs') await shoot(page, screenshot);
    if (title !== 'Jobs' || size !== '1280x800') continue;
    at('a description in the editor');
    await tryHover(page);
  }
  at('the documentation');
  await tryDocumentation(page);
  at('the explorer');
  await tryExplorer(page);
  at('the headers');
  await tryHeaders(page);
  at('what the browser reports');
  assert.deepEqual(seen.complaints, []);
  assert.deepEqual(seen.requests.filter((url) => new URL(url).host !== base.host), [], 'requests to other hosts');
  console.log(`${size}: works; ${seen.requests.length} requests, all to ${base.host}`);
  await context.close();
}

// watch collects every request, and everything that the browser complains about.
async function watch(context, page) {
  const seen = { requests: [], complaints: [] };
  context.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url())) seen.requests.push(request.url());
  });
  page.on('websocket', (socket) => seen.requests.push(socket.url()));
  page.on('pageerror', (error) => seen.complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.complaints.push(message.text());
  });
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return seen;
}

async function open(page) {
  const response = await page.goto(base.href);
  assert.equal(response.status(), 200, 'the page');
  await ready(page);
}

// ready waits for the editors and for the schema, without which the explorer has nothing to show.
async function ready(page) {
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.locator('.graphiql-response .monaco-editor').waitFor();
  await page.getByRole('button', { name: /^Re-fetch GraphQL schema/, disabled: false }).waitFor();
}

// choose leaves the tab that is open already as it came.
async function choose(page, title) {
  const tab = page.getByRole('tab', { name: title });
  if (await tab.getAttribute('aria-selected') === 'true') return;
  await tab.click();
  await page.waitForFunction(settled);
}

// play runs the open tab and gives the answer that the response editor holds.
async function play(page) {
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await page.waitForFunction(holds, ['response.json', '{']);
  const answer = JSON.parse(await page.evaluate(text, 'response.json'));
  assert.ok(answer.data, `no data: ${JSON.stringify(answer)}`);
  assert.equal(answer.extensions, undefined, 'what a query took stands below its answer');
  return answer;
}

// playOn waits for a live answer's next state, gives it and stops. A job that has settled
// begins anew within seconds, and so does this.
async function playOn(page, { data }) {
  const { status } = data.jobUpdated;
  for (let tries = 0; tries < 15; tries++) {
    const changed = page.waitForFunction(shows, status, { timeout: 2000 });
    if (await changed.catch(() => false)) break;
    const again = page.getByRole('button', { name: /^Execute query/ });
    if (await again.isVisible()) await again.click();
  }
  const answer = JSON.parse(await page.evaluate(text, 'response.json'));
  const stop = page.getByRole('button', { name: /^Stop query/ });
  if (await stop.isVisible()) await stop.click();
  return answer;
}

// shows runs in the page: whether the answer has another status.
function shows(status) {
  const models = globalThis.__MONACO.editor.getModels();
  const answer = models.find((model) => model.uri.path.endsWith('response.json')).getValue();
  return answer.includes('"status"') && !answer.includes(`"${status}"`);
}

// text runs in the page and reads an editor whole: only the lines in view are elements.
function text(name) {
  const models = globalThis.__MONACO.editor.getModels();
  return models.find((model) => model.uri.path.endsWith(name)).getValue();
}

// holds runs in the page too.
function holds([name, part]) {
  const models = globalThis.__MONACO.editor.getModels();
  return models.find((model) => model.uri.path.endsWith(name)).getValue().includes(part);
}

// mistakes runs in the page too: what the editors underline in red.
function mistakes() {
  const { editor, MarkerSeverity } = globalThis.__MONACO;
  const errors = editor.getModelMarkers({}).filter(({ severity }) => severity === MarkerSeverity.Error);
  return errors.map(({ message }) => message);
}

// settled runs in the page as well. GraphiQL takes 100 ms to notice a change of the query, more
// slowly than this script and faster than a person; then it stores it.
function settled() {
  const models = globalThis.__MONACO.editor.getModels();
  const query = models.find((model) => model.uri.path.endsWith('operation.graphql')).getValue();
  return localStorage.getItem('jobgraph:graphiql:query') === query;
}

// assertReadable looks for the answer on the screen.
async function assertReadable(page) {
  const response = page.locator('.graphiql-response');
  await response.getByText('"data"').first().waitFor();
  const { width, height } = await response.boundingBox();
  assert.ok(width >= 300 && height >= 300, `the answer has ${width}x${height} pixels`);
}

// shoot waits for the scroll bar to fade and leaves nothing focused or hovered.
async function shoot(page, path) {
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.activeElement.blur());
  await page.locator('.graphiql-response .scrollbar.vertical.visible').waitFor({ state: 'detached' });
  await page.screenshot({ path, animations: 'disabled' });
}

// tryHover looks at a field's description: it is Markdown, which the editor reads with its own
// marked and sanitizes with the DOMPurify that vite.config.js puts in.
async function tryHover(page) {
  await page.locator('.graphiql-query-editor .view-line span', { hasText: /^\s*mediaLengthSeconds$/ }).last().hover();
  const text = page.locator('.monaco-hover .rendered-markdown', { hasText: 'mediaLengthSeconds' }).first();
  await text.waitFor();
  assert.match(await text.innerText(), /Job\.mediaLengthSeconds/);
}

async function tryDocumentation(page) {
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const pane = page.locator('.graphiql-plugin');
  await pane.getByText('JobResult', { exact: true }).click();
  await pane.getByText('ApiError', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
}

// tryExplorer ticks a field and looks for it in the query.
async function tryExplorer(page) {
  await choose(page, 'Federation');
  await page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
  await page.locator('.graphiql-plugin').getByText('difficulty', { exact: true }).click();
  await page.waitForFunction(holds, ['operation.graphql', 'difficulty']);
  await page.waitForFunction(settled);
  await page.getByRole('button', { name: 'Hide GraphiQL Explorer' }).click();
  assert.deepEqual(await page.evaluate(mistakes), [], 'what the editors mark as mistakes');
}

// tryHeaders sends a token and sees to it that the browser forgets it.
async function tryHeaders(page) {
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .view-line').first().click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.insertText(`{"Authorization": "Bearer ${token}"}`);
  await page.keyboard.press('ControlOrMeta+Shift+End'); // What the editor closed by itself.
  await page.keyboard.press('Delete');
  await page.waitForFunction(holds, ['request-headers.json', token]);
  await page.waitForTimeout(1000); // GraphiQL stores what it stores half a second later.
  assert.equal(await authorization(page), `Bearer ${token}`, 'the header is sent');

  await page.reload();
  await ready(page);
  const stored = await page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(stored.includes('jobgraph:'), 'the tabs are kept over a reload');
  assert.ok(!stored.includes(token), 'the token is not stored');
  assert.ok(!(await page.evaluate(text, 'request-headers.json')).includes(token), 'the token is gone');
  assert.equal(await authorization(page), undefined, 'no header is sent');
}

// authorization plays the open tab and gives the header that its request carried.
async function authorization(page) {
  const [request] = await Promise.all([page.waitForRequest('**/graphql'), play(page)]);
  return (await request.allHeaders()).authorization;
}

function oneLine(message) {
  return stripVTControlCharacters(message).split('Call log:')[0].replace(/\s+/g, ' ').trim().slice(0, 500);
}

function fail(line) {
  console.error(line);
  process.exit(1);
}
