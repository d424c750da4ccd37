// Builds the playground and either writes it to dist (node bundle.js build) or compares it with
// what is there (node bundle.js check). Files are compared as they are before compression:
// another zlib may compress the same bytes differently.
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { build } from 'vite';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');

const commands = { build: write, check: compare };
const command = commands[process.argv[2]];
if (!command) fail('usage: node bundle.js build|check');
await command(await bundle());

// bundle gives the built files' contents by name.
async function bundle() {
  const { output } = await build({ root, logLevel: 'warn', build: { write: false } });
  return new Map(output.map((file) => [file.fileName, Buffer.from(file.code ?? file.source)]));
}

async function write(files) {
  await rm(dist, { recursive: true, force: true });
  let size = 0;
  for (const [name, content] of files) {
    const packed = gzipSync(content, { level: 9 }); // Node writes no time into the header.
    const path = join(dist, `${name}.gz`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, packed);
    size += packed.length;
  }
  console.log(`dist: ${files.size} files, ${size} bytes compressed`);
}

async function compare(files) {
  const committed = await read();
  const names = new Set([...files.keys(), ...committed.keys()]);
  const differ = [...names].filter((name) => !same(files.get(name), committed.get(name)));
  if (differ.length > 0) {
    fail(`dist is not what the sources build: ${differ.sort().join(', ')}; run: npm ci && npm run build`);
  }
  console.log(`dist is what the sources build: ${files.size} files`);
}

// read gives the committed files' contents by name; nothing for one that cannot be inflated.
async function read() {
  const entries = await readdir(dist, { recursive: true, withFileTypes: true }).catch(() => []);
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const load = async (path) => [nameOf(path), inflate(await readFile(path))];
  return new Map(await Promise.all(paths.map(load)));
}

function inflate(packed) {
  try {
    return gunzipSync(packed);
  } catch {
    return undefined;
  }
}

function nameOf(path) {
  return relative(dist, path).split(sep).join('/').replace(/\.gz$/, '');
}

function same(a, b) {
  return a !== undefined && b !== undefined && a.equals(b);
}

function fail(line) {
  console.error(line);
  process.exit(1);
}
