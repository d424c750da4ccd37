// Asks a running JobGraph from a page in Chromium, whose own cache answers what it may:
//
//	node caching/browser.js http://localhost:8080 TOKEN,TOKEN ID,ID
//
// JobGraph must have its example page. It asks for each job with each token three times over,
// and prints the names that the page read.
import { chromium } from 'playwright-core';

const [address, tokens, ids] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  const page = await browser.newPage();
  await page.goto(`${address}/example/?ids=00`); // a page that may fetch from its own host
  const names = [];
  for (const id of ids.split(',')) {
    for (const token of tokens.split(',')) {
      for (let n = 0; n < 3; n++) names.push(await page.evaluate(ask, { id, token }));
    }
  }
  console.log(JSON.stringify(names));
} finally {
  await browser.close();
}

async function ask({ id, token }) {
  const query = `{ jobById(id: "${id}") { ... on Job { name } } }`;
  const response = await fetch(`/graphql?query=${encodeURIComponent(query)}`, { headers: { Authorization: `Bearer ${token}` } });
  const { data } = await response.json();
  return data.jobById.name;
}
