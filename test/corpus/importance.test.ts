import { expect, it } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { byImportance, byUse } from '../../native-host/corpus/importance.ts';

it('puts the README first, then manifests, entry points, sources, documentation, tests, data and what is generated', () => {
  const order = [
    'README.md',
    'package.json',
    'src/index.ts',
    'src/parse.ts',
    'src/deep/scan.ts',
    'docs/guide.md',
    'packages/a/package.json',
    'test/parse.test.ts',
    'src/data.json',
    'CHANGELOG.md',
    'dist/index.js',
  ];
  const documents = order.map((path) => documentFrom(path, 'x'));
  expect(byImportance([...documents].reverse()).map((one) => one.path)).toEqual(order);
  expect(byImportance(documents).map((one) => one.path)).toEqual(order);
});

it('puts before that what is at hand and what was changed lately, and sources by how much leans on them', () => {
  const paths = [
    'README.md',
    'package.json',
    'src/index.ts',
    'src/a.ts',
    'src/b.ts',
    'src/c.ts',
    'src/d.ts',
    'docs/guide.md',
  ];
  const documents = [...paths, 'lib/deep/x.ts', 'lib/y.ts', 'test/a.test.ts'].map((path) => documentFrom(path, 'x'));
  const ranks = new Map([
    ['src/index.ts', 0.2],
    ['src/a.ts', 0.1],
    ['src/b.ts', 0.1],
    ['src/c.ts', 0.4],
    ['src/d.ts', 0.1],
    ['lib/y.ts', 0.05],
  ]);
  // A test that was changed is no source, and a file may be gone; src/d.ts is at hand as well.
  const recent = ['test/a.test.ts', 'src/gone.ts', 'src/b.ts', 'src/d.ts'];
  const ordered = byUse(documents, { first: ['docs/guide.md', 'lib', 'src/d.ts'], recent, ranks });
  expect(ordered.map(({ path }) => path)).toEqual([
    ...['docs/guide.md', 'lib/y.ts', 'lib/deep/x.ts', 'src/d.ts'],
    ...['src/b.ts', 'README.md', 'package.json', 'src/c.ts', 'src/index.ts', 'src/a.ts', 'test/a.test.ts'],
  ]);
});
