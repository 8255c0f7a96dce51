import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FileFinder, withMentions } from '../../../src/view/mentions.ts';
import { fakeContext } from '../fake-context.ts';
import { openWindow, workspace } from '../fake-vscode.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const paths = [
  'src/range.ts',
  'src/parse-range.ts',
  'src/ranges/index.ts',
  'test/range.test.ts',
  'README.md',
  'src/r.ts',
];

function open(known = paths) {
  const { context, folders } = fakeContext();
  for (const path of known) folders.all[0]!.coverage.set(path, { path, tokens: 1, absorbed: 1, dirty: false });
  return new FileFinder(context.folders);
}

describe('finding files to mention', () => {
  beforeEach(() => openWindow('/a'));

  it('puts names that begin so first, then names that hold it, then paths, then letters in order', async () => {
    const found = await open().find('Range');
    expect(found.map(({ path }) => path)).toEqual([
      'src/range.ts',
      'test/range.test.ts',
      'src/parse-range.ts',
      'src/ranges/index.ts',
    ]);
    expect((await open().find('pange')).map(({ path }) => path)).toEqual(['src/parse-range.ts']);
    expect(found[0]!.folder).toBe('/a');
  });

  it('gives at most twenty, and nothing where nothing fits', async () => {
    expect(await open(Array.from({ length: 100 }, (_, index) => `file${index}.ts`)).find('')).toHaveLength(20);
    expect(await open().find('zzz')).toEqual([]);
  });

  it('lists the files itself while the host has told of none', async () => {
    const [found] = await open([]).find('by-the');
    expect(found).toEqual({ folder: '/a', path: 'listed/by-the-editor.ts' });
  });
});

describe('mentioned files', () => {
  beforeEach(() => openWindow('/a', '/b'));

  it('go along by the asked folder’s paths, and by the name of another one', () => {
    const mentions = [
      { folder: '/a', path: 'x.ts' },
      { folder: '/b', path: 'y.ts' },
    ];
    expect(withMentions([], mentions, workspace.workspaceFolders[0] as never).map(({ path }) => path)).toEqual([
      'x.ts',
      'b/y.ts',
    ]);
  });

  it('lie in the workspace', () => {
    const mentions = [
      { folder: '/a', path: '../x.ts' },
      { folder: '/etc', path: 'passwd' },
    ];
    expect(withMentions([], mentions, workspace.workspaceFolders[0] as never)).toEqual([]);
  });
});
