import { expect, it } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { byImportance } from '../../native-host/corpus/importance.ts';

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
