import { expect, it } from 'vitest';
import { folderShares } from '../../../src/folders/folder-shares.ts';

it('weights shares by tokens and puts the largest folder first', () => {
  const shares = folderShares([
    { path: 'README.md', tokens: 50, absorbed: 1, dirty: false },
    { path: 'src/a.ts', tokens: 300, absorbed: 0.5, dirty: true },
    { path: 'src/deep/b.ts', tokens: 100, absorbed: 0.9, dirty: true },
    { path: 'lib/c.ts', tokens: 50, absorbed: 0, dirty: false },
    { path: 'empty/d.ts', tokens: 0, absorbed: 0, dirty: false },
  ]);
  expect(shares).toEqual([
    { path: 'src', tokens: 400, absorbed: 0.6, dirty: 2 },
    { path: '', tokens: 50, absorbed: 1, dirty: 0 },
    { path: 'lib', tokens: 50, absorbed: 0, dirty: 0 },
    { path: 'empty', tokens: 0, absorbed: 0, dirty: 0 },
  ]);
  expect(folderShares([])).toEqual([]);
});
