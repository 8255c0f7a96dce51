import { expect, test } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { importRanks } from '../../native-host/corpus/import-rank.ts';
import { packagesOf } from '../../native-host/corpus/packages.ts';
import { readRepository } from '../../native-host/corpus/questions/repository.ts';

const importing = (...modules: string[]) => modules.map((module) => `import '${module}';\n`).join('');
const documentsOf = (texts: Record<string, string>) =>
  Object.entries(texts).map(([path, text]) => documentFrom(path, text));

async function ranksOf(texts: Record<string, string>) {
  const documents = documentsOf(texts);
  return importRanks(documents, (await readRepository(documents)).files);
}

test('ranks are those of the random reader, found by solving for them', async () => {
  // index → a, b; a → b; b imports nothing. Of weights 4, 1 and 1.
  const ranks = await ranksOf({
    'src/index.ts': importing('./a', './b.js'),
    'src/a.ts': importing('./b', 'node:fs', 'left-pad'),
    'src/b.ts': 'export const one = 1;\n',
  });
  // With s = 0.15 + 0.85·b for how often the reader starts: i = 4s/6, a = s/6 + 0.85·i/2, b = s/6 + 0.85·(i/2 + a).
  const perStart = { i: 4 / 6, a: 1 / 6 + (0.85 * 4) / 12, b: 0 };
  perStart.b = 1 / 6 + 0.85 * (perStart.i / 2 + perStart.a);
  const starts = 1 / (perStart.i + perStart.a + perStart.b);
  expect(ranks.get('src/index.ts')).toBeCloseTo(starts * perStart.i, 2);
  expect(ranks.get('src/a.ts')).toBeCloseTo(starts * perStart.a, 2);
  expect(ranks.get('src/b.ts')).toBeCloseTo(starts * perStart.b, 2);
  expect([...ranks.values()].reduce((sum, rank) => sum + rank)).toBeCloseTo(1, 9);
});

test('what only passes on leads to what it passes on; tests lead nowhere and have no rank', async () => {
  const importers = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`src/user${i}.ts`, importing('./barrel')]));
  const tests = Object.fromEntries(
    Array.from({ length: 9 }, (_, i) => [`test/a${i}.test.ts`, importing('../src/side')]),
  );
  const ranks = await ranksOf({
    ...importers,
    ...tests,
    'src/barrel.ts': "export * from './deep';\n",
    'src/deep.ts': 'export const deep = 1;\n',
    'src/side.ts': 'export const side = 1;\n',
  });
  expect(ranks.get('src/deep.ts')).toBeGreaterThan(ranks.get('src/user0.ts')! * 3);
  expect(ranks.get('src/side.ts')).toBeCloseTo(ranks.get('src/user0.ts')!, 9);
  expect(ranks.has('test/a0.test.ts')).toBe(false);
});

test('imports lead to other packages of the repository, and within Python packages', async () => {
  const ranks = await ranksOf({
    'packages/core/package.json': JSON.stringify({ name: '@some/core', main: './dist/main.js' }),
    'packages/core/src/main.ts': 'export const main = 1;\n',
    'packages/core/src/part.ts': 'export const part = 1;\n',
    'packages/app/one.ts': importing('@some/core'),
    'packages/app/two.ts': importing('@some/core', '@some/core/part', '@some/other'),
    'tool/__init__.py': '',
    'tool/base.py': 'BASE = 1\n',
    'tool/run.py': 'from .base import BASE\n',
  });
  const plain = ranks.get('packages/app/one.ts')!;
  expect(ranks.get('packages/core/src/main.ts')).toBeGreaterThan(4 * plain);
  expect(ranks.get('packages/core/src/part.ts')).toBeGreaterThan(plain);
  expect(ranks.get('tool/base.py')).toBeGreaterThan(ranks.get('tool/run.py')!);
});

test('a package shows what its manifest names, or what its build was made of; a broken manifest shows nothing', () => {
  const { entries, documentOf } = packagesOf(
    documentsOf({
      'package.json': '{ "name": ',
      'a/package.json': JSON.stringify({
        name: 'a',
        exports: { '.': { import: './dist/esm/start.mjs', types: './dist/start.d.ts' }, './extra': './extra/index.js' },
        bin: { run: 'bin/run.js' },
      }),
      'a/src/start.ts': '',
      'a/extra/index.js': '',
      'a/bin/run.js': '',
      'a/src/inner.ts': '',
      'b/package.json': '["b"]',
      'c/package.json': JSON.stringify({ name: '@c/c', main: '../../outside.js' }),
      'c/src/index.ts': '',
    }),
  );
  expect([...entries].sort()).toEqual(['a/bin/run.js', 'a/extra/index.js', 'a/src/start.ts', 'c/src/index.ts']);
  expect(documentOf('a')).toBe('a/src/start.ts');
  expect(documentOf('a/extra')).toBe('a/extra/index.js');
  expect(documentOf('a/inner')).toBe('a/src/inner.ts');
  expect(documentOf('@c/c')).toBe('c/src/index.ts');
  expect([documentOf('b'), documentOf('@c'), documentOf('react'), documentOf('a/absent')]).toEqual([
    null,
    null,
    null,
    null,
  ]);
});
