// Opens the pages of this folder in Chromium as if a running JobGraph served them:
//
//	node pages.js http://localhost:8080/
//
// The server must speak to the embedded sandbox. CHROMIUM names the browser if it is not at
// /usr/bin/chromium. Ends with 0, or with 1 and a line.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
const base = new URL(process.argv[2]);
const documented = 'd4fb871e07514304b23131b45f8caa1f';
const switches = '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run ' +
  '--disable-background-networking --disable-component-update --disable-sync';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: switches.split(' '),
});
try {
  await Promise.all(['eventsource.html', 'websocket.html'].map(tryPage));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function tryPage(name) {
  // A page that did not come from this machine may connect to it only when it is allowed to.
  const context = await browser.newContext({ permissions: ['local-network-access'] });
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(`${name}: ${error.message}`));
  page.on('console', (message) => console.error(`${name}: ${message.text()}`));
  await page.route('**/live/**', (route) => {
    route.fulfill({ path: join(here, new URL(route.request().url()).pathname.replace('/live/', '')) });
  });
  await page.goto(new URL(`/live/${name}?id=${documented}`, base).href);
  await lines(page, name, 'COMPLETE', 'settled');
  for (let tries = 0; tries < 10; tries++) {
    await page.goto(new URL(`/live/${name}`, base).href);
    const [first, second] = await lines(page, name, /^[A-Z_]+$/, /./);
    if (second !== 'settled') {
      console.log(`${name}: ${first}, then ${second}, and the end of a settled job`);
      return;
    }
    await page.waitForTimeout(1000); // the job begins anew within seconds
  }
  throw new Error(`${name}: the job does not move`);
}

// lines waits until the page shows as many lines as are wanted.
async function lines(page, name, ...wanted) {
  const shown = page.locator('#states li');
  await shown.nth(wanted.length - 1).waitFor({ timeout: 20_000 });
  const texts = await shown.allTextContents();
  if (!wanted.every((want, i) => texts[i].match(want))) throw new Error(`${name} shows ${texts}`);
  if (new Set(texts).size !== texts.length) throw new Error(`${name} shows a state twice: ${texts}`);
  return texts;
}
