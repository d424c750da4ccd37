// Tries the scenarios of a running JobGraph's example page in Chromium, as a frontend's own test
// would:
//
//	node scenario.js http://localhost:8080/example/
//
// The server must be on the embedded sandbox.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const base = new URL(process.argv[2]);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  await byTheStrip();
  await byAHeader();
} finally {
  await browser.close();
}

async function byTheStrip() {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
  page.setDefaultTimeout(20_000);
  await page.goto(`${base.href}?ids=d4fb871e07514304b23131b45f8caa1f`);
  const job = page.locator('.card');
  await job.locator('.status', { hasText: 'Complete' }).waitFor();
  const scenario = page.getByLabel('The sandbox behaves');
  await scenario.waitFor();

  await scenario.selectOption('media-failure');
  await job.locator('.status', { hasText: 'Media failure' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('scenario'), 'media-failure');
  await page.reload();
  await job.locator('.status', { hasText: 'Media failure' }).waitFor();

  await scenario.selectOption('expired');
  await job.locator('.type', { hasText: 'BAD_API_TOKEN' }).waitFor();
  await scenario.selectOption('fail=503');
  await job.locator('.type', { hasText: 'UPSTREAM_UNAVAILABLE' }).waitFor();
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], 'accessibility');
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'pixels that do not fit');

  await scenario.selectOption('');
  await job.locator('.status', { hasText: 'Complete' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('scenario'), null);
  await page.close();
  console.log('by the strip: works');
}

async function byAHeader() {
  const page = await browser.newPage({ extraHTTPHeaders: { 'X-Sandbox': 'media-failure' } });
  page.setDefaultTimeout(20_000);
  await page.goto(`${base.href}?ids=d4fb871e07514304b23131b45f8caa1f`);
  await page.locator('.card .status', { hasText: 'Media failure' }).waitFor();
  console.log('by a header: works');
}
