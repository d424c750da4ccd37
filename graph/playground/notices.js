// Writes licenses.md: every package that has a module in the bundle or in one of its workers,
// with the license texts and notices that it comes with, and after them, from inlined.txt, what
// such packages have copied into themselves. The build fails where a package brings no license
// text and where a copy that is marked as one is not named.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

// Packages that are published without the license of the repository that they come from, each
// with one that brings the same text.
const sameText = {
  '@graphiql/plugin-doc-explorer': 'graphiql',
  '@graphiql/plugin-explorer': 'graphiql',
  '@graphiql/plugin-history': 'graphiql',
  'react-compiler-runtime': 'react',
  'react-remove-scroll-bar': 'react-remove-scroll',
};

// notices gives a plugin for the workers and one for the page, which is built after them.
export function notices(root) {
  const modules = new Set();
  const collect = (_, bundle) => {
    for (const file of Object.values(bundle)) for (const id in file.modules) modules.add(id.replace(/\?.*/, ''));
  };
  return {
    worker: { name: 'notices-of-worker', generateBundle: collect },
    page: {
      name: 'notices',
      generateBundle(options, bundle) {
        collect(options, bundle);
        this.emitFile({ type: 'asset', fileName: 'licenses.md', source: page(root, modules) });
      },
    },
  };
}

function page(root, modules) {
  const inlined = readFileSync(join(root, 'inlined.txt'), 'utf8');
  const packages = new Map();
  for (const id of modules) {
    const [directory, name] = id.match(/^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/) ?? [];
    if (!name) continue; // our own, or a helper of the bundler
    const about = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    packages.set(`${about.name} - ${about.version} (${about.license})`, { name, directory });
    for (const [, copy] of readFileSync(id, 'utf8').matchAll(/^\/\/ node_modules\/((?:@[^/\s]+\/)?[^/\s]+)/gm)) {
      if (!inlined.includes(`\n## ${copy} (`)) throw new Error(`${name} has a copy of ${copy}: name it in inlined.txt`);
    }
  }
  const sections = [...packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([title, p]) => `## ${title}\n\n${texts(root, p)}\n`);
  return ['# Licenses\n', 'What the page is made of, and the notices that come with it.\n', ...sections, inlined].join('\n');
}

function texts(root, { name, directory }) {
  const found = licenseFiles(directory);
  if (found.length > 0) return found.join('\n\n');
  const other = sameText[name] && licenseFiles(join(root, 'node_modules', sameText[name]));
  if (!other?.length) throw new Error(`${name} brings no license text: look for it and name one that does in notices.js`);
  return other.join('\n\n');
}

function licenseFiles(directory) {
  const names = readdirSync(directory).filter((name) => /^(licen[cs]e|copying|notice|third-?party-?notices)/i.test(name));
  return names.sort().map((name) => readFileSync(join(directory, name), 'utf8').replace(/^\ufeff/, '').replace(/\r\n/g, '\n').trim());
}
