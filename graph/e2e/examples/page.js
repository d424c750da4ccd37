// Tries the example page of a running JobGraph in Chromium, as a person would:
//
//	node page.js http://localhost:8080/example/ [FOLDER for screenshots]
//
// The server must be on a sandbox with more jobs than fit two pages of the list. CHROMIUM names the browser if it is not at
// /usr/bin/chromium.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [address, folder] = process.argv.slice(2);
const base = new URL(address);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const switches = '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run ' +
  '--disable-background-networking --disable-component-update --disable-sync';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: switches.split(' '),
});
try {
  await tryAt({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
  await tryAt({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
} finally {
  await browser.close();
}

async function tryAt(options) {
  const size = `${options.viewport.width}x${options.viewport.height}`;
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints = [];
  const requests = [];
  context.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });

  await page.goto(base.href);
  await page.locator('.card').nth(5).waitFor();
  await tryList(page);
  await tryMore(page);
  await tryFilter(page);
  await tryCards(page);
  await tryLive(page);
  await tryWidth(page);
  await tryAccessibility(page);
  if (folder) await page.screenshot({ path: `${folder}/page-${size}.png`, fullPage: true });
  await tryKeyboard(page);
  assert.deepEqual(complaints, [], 'what the browser reports');
  assert.deepEqual(requests.filter((url) => url !== 'data:,' && new URL(url).host !== base.host), [], 'other hosts');
  console.log(`${size}: works`);
  await context.close();
}

function rows(page) {
  return page.locator('#list tbody tr');
}

function row(page, id) {
  return page.locator(`#list [data-id="${id}"]`);
}

// tryList reads the table as a screen reader does: by its roles and names.
async function tryList(page) {
  await rows(page).nth(19).waitFor();
  const table = page.getByRole('table', { name: 'All jobs, the newest first' });
  assert.deepEqual(await table.getByRole('columnheader').allInnerTexts(), ['Name', 'Status', 'Progress', 'Due']);
  assert.equal(await table.getByRole('rowheader').count(), 20);
  await page.getByText('20 jobs, and there are more.').waitFor();
  const fresh = page.getByRole('row', { name: /lecture_000000/ });
  assert.equal(await fresh.locator('.status').innerText(), 'Authorizing');
  assert.equal(await fresh.getByRole('progressbar', { name: 'Progress of lecture_000000' }).getAttribute('value'), '0');
}

// tryMore asks for the next page by the keyboard, and goes on where it begins.
async function tryMore(page) {
  const last = await rows(page).last().getByRole('link').innerText();
  await page.getByRole('button', { name: 'More' }).press('Enter');
  await page.getByText('40 jobs, and there are more.').waitFor();
  const focused = await page.locator('#list a:focus').innerText();
  const names = await rows(page).getByRole('link').allInnerTexts();
  assert.equal(names.indexOf(focused), 20, 'the first of the new rows has the focus');
  assert.equal(names[19], last);
  assert.equal(new Set(names).size, 40, 'no job twice');
}

// tryFilter looks for a part of a name, for a status, and for what is not there; the address keeps it.
async function tryFilter(page) {
  const name = page.getByRole('textbox', { name: 'Name' });
  const status = page.getByRole('combobox', { name: 'Status' });
  await name.fill('harbour');
  await name.press('Enter');
  await page.getByText('1 job.', { exact: true }).waitFor();
  assert.deepEqual(await rows(page).getByRole('link').allInnerTexts(), ['panel_harbour_festival']);
  assert.equal(await rows(page).locator('.status').innerText(), 'Reviewing');
  assert.equal(await rows(page).locator('.overdue').count(), 1);
  assert.equal(await page.getByRole('button', { name: 'More' }).count(), 0);

  await status.selectOption('Complete');
  await name.press('Enter');
  await page.getByText('No job is like that.').waitFor();
  await name.fill('example*');
  await name.press('Enter');
  await page.getByText('1 job.', { exact: true }).waitFor();
  await page.reload();
  assert.equal(await name.inputValue(), 'example*');
  assert.equal(await status.inputValue(), 'COMPLETE');
  const documented = row(page, 'd4fb871e07514304b23131b45f8caa1f');
  assert.equal(await documented.getByRole('progressbar').getAttribute('value'), '4');
  assert.equal(await documented.locator('time').getAttribute('datetime'), '2014-08-29T14:00:06.472706Z');
}

async function tryCards(page) {
  const documented = card(page, 'd4fb871e07514304b23131b45f8caa1f');
  assert.equal(await documented.getByRole('heading').innerText(), 'example_job');
  assert.equal(await documented.locator('.status').innerText(), 'Complete');
  assert.equal(await documented.locator('[aria-current=step]').innerText(), 'Complete');
  assert.equal(await documented.locator('.steps .done').count(), 4, 'the steps before');
  assert.equal(await documented.locator('.due time').getAttribute('datetime'), '2014-08-29T14:00:06.472706Z');
  assert.deepEqual(await documented.locator('.targets li').allInnerTexts(), ['sample-url.com/return/', 'sample-url-2.com/return/']);

  const failed = card(page, '10000000000000000000000000000005');
  assert.equal(await failed.locator('.status').innerText(), 'Media failure');
  const missing = card(page, '00000000000000000000000000000000');
  assert.equal(await missing.getByRole('heading').innerText(), 'No such job');
  assert.equal(await missing.locator('.type').innerText(), 'ITEM_NOT_FOUND');
  assert.equal(await card(page, 'not-hexadecimal').locator('.type').innerText(), 'INVALID_QUERY');
}

function card(page, id) {
  return page.locator(`#jobs [data-id="${id}"]`);
}

// tryLive waits for the job that lives half a minute to move by itself, in the list and by its id, and for those
// who cannot see it to be told. Of the list, only the rows in view are followed.
async function tryLive(page) {
  const followed = [];
  page.on('request', (request) => {
    const { query, variables } = request.postDataJSON() ?? {};
    if (query?.includes('subscription')) followed.push(variables.ids);
  });
  await page.addInitScript(recordNews);
  await page.goto(base.href);
  const inList = row(page, '30000000000000000000000000000001');
  const moving = card(page, '30000000000000000000000000000001');
  const statuses = async () => [await inList.locator('.status').innerText(), await moving.locator('.status').innerText()];
  let [first, ofCard] = await statuses();
  // It begins anew within seconds after its end. List and card are two queries: it can move between them.
  while (['Complete', 'Media failure'].includes(first) || first !== ofCard) {
    await page.waitForTimeout(500);
    await page.reload();
    [first, ofCard] = await statuses();
  }
  await page.locator('#connection', { hasText: 'Live: changes appear by themselves.' }).waitFor();
  await page.locator('#liveness', { hasText: 'Live: changes appear by themselves.' }).waitFor();
  await inList.getByRole('link').focus();
  await page.waitForFunction(movedAndTold, first, { timeout: 60_000 }); // the sandbox takes its time
  assert.equal(await page.locator('#list a:focus').innerText(), 'life_of_30_seconds', 'the focus stays');

  const lists = followed.filter((ids) => ids.some((id) => id.startsWith('7')));
  assert.ok(lists.length > 0, 'rows are followed');
  assert.ok(lists.every((ids) => ids.length < 20), 'rows out of view are followed');
  await page.locator('.card').last().scrollIntoViewIfNeeded();
  await page.locator('#liveness', { hasNotText: 'Live' }).waitFor({ state: 'attached' });
}

// recordNews keeps what the page says to those who cannot see it: the next news would replace it.
function recordNews() {
  globalThis.told = { 'news': [], 'list-news': [] };
  new MutationObserver((changes) => {
    for (const { target } of changes) globalThis.told[target.id]?.push(target.textContent);
  }).observe(document, { childList: true, subtree: true });
}

// movedAndTold runs in the page: row, card, marked step and what was told must agree at one moment, as the job
// moves on.
function movedAndTold(first) {
  const text = (selector) => document.querySelector(selector)?.textContent;
  const id = '[data-id="30000000000000000000000000000001"]';
  const now = text(`#jobs ${id} .status`);
  return now !== first && text(`#list ${id} .status`) === now && text(`#jobs ${id} [aria-current=step]`) === now &&
    Object.values(globalThis.told).every((told) => told.includes(`life_of_30_seconds: ${now}`));
}

async function tryWidth(page) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, 'pixels that do not fit the width');
}

// tryAccessibility has the rules of axe look at the page, contrast and names among them.
async function tryAccessibility(page) {
  await page.evaluate(axe); // by the debugger: the page's policy allows no foreign script
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], 'accessibility');
}

// tryKeyboard filters the list and asks for one job without a mouse, and sees the address keep it.
async function tryKeyboard(page) {
  await page.goto(base.href);
  const focused = () => page.locator(':focus');
  await page.keyboard.press('Tab');
  assert.equal(await focused().innerText(), 'Skip to the list');
  await page.keyboard.press('Tab');
  assert.equal(await focused().innerText(), 'API token');
  await page.keyboard.press('Tab');
  await page.keyboard.type('nulls_or_nothing');
  await page.keyboard.press('Tab');
  await page.keyboard.type('Pe'); // Pending
  await page.keyboard.press('Tab');
  assert.equal(await focused().innerText(), 'Filter');
  await page.keyboard.press('Enter');
  await page.getByText('No job is like that.').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('status'), 'PENDING');

  await page.locator('#ids').focus();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('10000000000000000000000000000006');
  await page.keyboard.press('Tab');
  assert.equal(await focused().innerText(), 'Show');
  await page.keyboard.press('Enter');
  const shown = card(page, '10000000000000000000000000000006');
  await shown.waitFor();
  assert.equal(await page.locator('.card').count(), 1);
  assert.ok(!(await shown.innerText()).includes('@'), 'a password in a callback URL is shown');
  assert.equal(new URL(page.url()).searchParams.get('ids'), '10000000000000000000000000000006');
  assert.equal(new URL(page.url()).searchParams.get('status'), 'PENDING');
}
