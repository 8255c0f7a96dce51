import { expect, test } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import type { Tokenizer } from '../../native-host/model/tokenizer.ts';
import { choosePackage } from '../../native-host/study/choose-package.ts';
import { Lookup } from '../../native-host/study/lookup.ts';
import { partsOf } from '../../native-host/study/parts.ts';
import { type Repository, treeOf } from '../../native-host/study/repository.ts';

const files: Record<string, string> = {
  'package.json': '{"name":"acme","workspaces":["packages/*"]}',
  'README.md': '# Acme\n\nHow the release train of the whole repository works.\n',
  'packages/core/package.json': '{"name":"@acme/core"}',
  'packages/core/src/engine.ts':
    'export class Engine {\n  start() {}\n}\nexport function loadConfig() {}\n/** Torque of the crankshaft. */\nexport const torque = 7;\n',
  'packages/core/src/index.ts': "export * from './engine.ts';\n",
  'packages/web/package.json': '{"name":"web-server"}',
  'packages/web/src/router.ts':
    'export function matchRoute() {}\nexport function loadConfig() {}\n/** Cookies that are older are dropped. */\nexport const cookieAge = 60;\n',
  'packages/web/src/index.ts': "export * from './router.ts';\n",
  // The largest.
  'packages/docs/package.json': '{"name":"docs"}',
  'packages/docs/guide.md': `# Guide\n\n${'Some prose about nothing in particular.\n'.repeat(40)}`,
};

const documents = Object.entries(files).map(([path, text]) => documentFrom(path, text));
const tokens = new Map(documents.map(({ path, text }) => [path, new Uint32Array(text.length)]));
const tokenCount = [...tokens.values()].reduce((sum, { length }) => sum + length, 0);
const repository: Repository = {
  folder: '/acme',
  documents,
  skipped: [],
  tokens,
  tokenCount,
  tree: treeOf(documents),
  commit: null,
};
const parts = partsOf(repository);
const lookup = new Lookup({ encode: () => [] } as unknown as Tokenizer);

function chosen(question: string, open: readonly string[] = [], earlier: readonly string[] = []) {
  const conversation = earlier.map((asked) => ({ question: asked, answer: '' }));
  const openFiles = open.map((path) => ({ path }));
  return choosePackage({ question, conversation, openFiles }, parts, async () => {
    await lookup.bringTo(repository);
    return lookup;
  });
}

test('the parts are those of the packages, and the rest', () => {
  expect(parts.map(({ package: name, repository: { documents } }) => [name, documents.length])).toEqual([
    ['.', 2],
    ['packages/core', 3],
    ['packages/docs', 2],
    ['packages/web', 3],
  ]);
  expect(parts.reduce((sum, part) => sum + part.repository.tokenCount, 0)).toBe(tokenCount);
});

const router = 'packages/web/src/router.ts';
const guide = 'packages/docs/guide.md';

test.each([
  // Paths, whole or by their end, whatever is open.
  ['What does packages/core/src/engine.ts define?', [router], 'packages/core'],
  ['What is in router.ts?', [guide], 'packages/web'],
  ['What is README.md for?', [router], '.'],
  ['What lies in packages/web?', [guide], 'packages/web'],
  // Names of packages.
  ['What does @acme/core export?', [router], 'packages/core'],
  ['Who starts the web-server?', [guide], 'packages/web'],
  ['What is the core package for?', [guide], 'packages/core'],
  ['What is the package `docs` about?', [router], 'packages/docs'],
  // Symbols, where only one package declares them, and where several do.
  ['What calls matchRoute?', [guide], 'packages/web'],
  ['What does the class Engine do?', [router], 'packages/core'],
  ['Where is Engine.start defined?', [router], 'packages/core'],
  ['Where is loadConfig defined?', [router], 'packages/web'],
  ['Where is loadConfig defined?', ['packages/core/src/index.ts'], 'packages/core'],
  ['Where is loadConfig defined, next to matchRoute?', ['packages/core/src/index.ts'], 'packages/web'],
  // Words of the text.
  ['Which torque does the crankshaft have?', [], 'packages/core'],
  ['When are old cookies dropped?', [guide], 'packages/web'],
  ['How does the release train work?', [], '.'],
  // Nothing: the open file, else the largest.
  ['What is this?', [router], 'packages/web'],
  ['What is this?', ['elsewhere.txt', router], 'packages/web'],
  ['What is this?', [], 'packages/docs'],
  ['Frobnicate xyzzy plugh?', [], 'packages/docs'],
])('%s with %j open: %s', async (question, open, wanted) => {
  expect(await chosen(question, open)).toBe(wanted);
});

test('a question that points nowhere goes where the one before it pointed, the last one first', async () => {
  expect(await chosen('And what is it for?', [], ['What calls matchRoute?'])).toBe('packages/web');
  expect(await chosen('And what is it for?', [guide], ['What calls matchRoute?', 'What is Engine.start?'])).toBe(
    'packages/core',
  );
  expect(await chosen('And the torque of the crankshaft?', [], ['What calls matchRoute?'])).toBe('packages/core');
});

test('a path or a package that is named needs no index', async () => {
  const never = () => Promise.reject(new Error('the index was asked for'));
  const asked = { question: 'What is in packages/core/src/engine.ts?', conversation: [], openFiles: [] };
  expect(await choosePackage(asked, parts, never)).toBe('packages/core');
});
