// Tries the example page of a running JobGraph in Chromium, as a person would:
//
//	node page.js http://localhost:8080/example/ [FOLDER for screenshots]
//
// The server must be on the embedded sandbox. CHROMIUM names the browser if it is not at
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
  return page.locator(`[data-id="${id}"]`);
}

// tryLive waits for the job that lives half a minute to move by itself, and for those who cannot
// see it to be told.
async function tryLive(page) {
  const moving = card(page, '30000000000000000000000000000001');
  let first = await moving.locator('.status').innerText();
  while (['Complete', 'Media failure'].includes(first)) { // it begins anew within seconds
    await page.reload();
    first = await moving.locator('.status').innerText();
  }
  await page.getByText('Live: changes appear by themselves.').waitFor();
  await moving.locator('.status', { hasNotText: first }).waitFor({ timeout: 60_000 }); // the sandbox takes its time
  const second = await moving.locator('.status').innerText();
  await page.locator('#news', { hasText: `life_of_30_seconds: ${second}` }).waitFor({ state: 'attached' });
  assert.equal(await moving.locator('[aria-current=step]').innerText(), second);
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

// tryKeyboard asks for one job without a mouse, and sees the address keep it.
async function tryKeyboard(page) {
  await page.reload();
  await page.keyboard.press('Tab');
  assert.equal(await page.locator(':focus').innerText(), 'Skip to the jobs');
  await page.keyboard.press('Tab');
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('10000000000000000000000000000006');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  assert.equal(await page.locator(':focus').innerText(), 'Show');
  await page.keyboard.press('Enter');
  const shown = card(page, '10000000000000000000000000000006');
  await shown.waitFor();
  assert.equal(await page.locator('.card').count(), 1);
  assert.ok(!(await shown.innerText()).includes('@'), 'a password in a callback URL is shown');
  assert.equal(new URL(page.url()).searchParams.get('ids'), '10000000000000000000000000000006');
}
