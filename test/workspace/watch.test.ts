import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FolderChange, type FolderWatch, watchError, watchFolder } from '../../workspace/watch.ts';

let folder: string;
let watch: FolderWatch | null = null;
let batches: FolderChange[][];
let errors: Error[];

beforeEach(() => {
  folder = realpathSync.native(mkdtempSync(join(tmpdir(), 'lift-watch-')));
  batches = [];
  errors = [];
});

afterEach(async () => {
  await watch?.close();
  watch = null;
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: { leftOut?: string[] } = {}): Promise<void> {
  watch = await watchFolder(folder, {
    debounceMilliseconds: 60,
    ...options,
    onChanges: (changes) => batches.push(changes),
    onError: (error) => errors.push(error),
  });
}

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** What was told since the last call; a marker file at the end shows that nothing more comes. */
async function told(): Promise<Record<string, string>> {
  const marker = 'marker.txt';
  write(marker, String(batches.length));
  await waitUntil(() => batches.some((batch) => batch.some(({ path }) => path === marker)));
  const changes = batches.splice(0).flat();
  return Object.fromEntries(changes.filter(({ path }) => path !== marker).map(({ path, kind }) => [path, kind]));
}

async function waitUntil(happened: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !happened(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(happened()).toBe(true);
}

describe('watchFolder', () => {
  it('tells what is written, created, replaced and removed', async () => {
    write('lib/old.ts', 'export const a = 1;\n');
    write('lib/gone.ts', 'x\n');
    write('lib/replaced.ts', 'x\n');
    await start();
    write('lib/old.ts', 'export const a = 2;\n');
    write('new.ts', 'y\n');
    rmSync(join(folder, 'lib/gone.ts'));
    // As editors save: a temporary file takes the place of the file.
    writeFileSync(join(folder, 'lib/replaced.ts.tmp'), 'z\n');
    renameSync(join(folder, 'lib/replaced.ts.tmp'), join(folder, 'lib/replaced.ts'));
    expect(await told()).toEqual({
      'lib/old.ts': 'changed',
      'new.ts': 'changed',
      'lib/gone.ts': 'removed',
      'lib/replaced.ts': 'changed',
    });
  });

  it('tells every file of folders that come, move and go', async () => {
    write('a/one.ts', '1\n');
    write('a/deep/two.ts', '2\n');
    await start();
    write('made/at/once/three.ts', '3\n');
    renameSync(join(folder, 'a'), join(folder, 'b'));
    expect(await told()).toEqual({
      'a/deep/two.ts': 'removed',
      'a/one.ts': 'removed',
      'b/deep/two.ts': 'changed',
      'b/one.ts': 'changed',
      'made/at/once/three.ts': 'changed',
    });
    write('made/at/once/three.ts', '4\n');
    write('b/deep/two.ts', '5\n');
    // A new folder may be told a second time, when its own watch begins.
    expect(await told()).toMatchObject({ 'b/deep/two.ts': 'changed', 'made/at/once/three.ts': 'changed' });
    rmSync(join(folder, 'b'), { recursive: true });
    expect(await told()).toMatchObject({ 'b/deep/two.ts': 'removed', 'b/one.ts': 'removed' });
  });

  it('puts what happens together into one batch', async () => {
    await start();
    for (let i = 0; i < 20; i++) write(`file-${String(i).padStart(2, '0')}.ts`, `${i}\n`);
    await waitUntil(() => batches.flat().length >= 20);
    expect(batches).toHaveLength(1);
    expect(batches[0]!.map(({ path }) => path)).toEqual(batches[0]!.map(({ path }) => path).sort());
  });

  it('never enters what the rules or the caller leave out', async () => {
    write('.gitignore', 'build/\n*.log\n!kept.log\n');
    write('build/out.js', '1\n');
    write('node_modules/some/index.js', '1\n');
    write('store/manifest.json', '{}\n');
    mkdirSync(join(folder, '.git'));
    await start({ leftOut: [join(folder, 'store')] });
    write('build/out.js', '2\n');
    write('node_modules/some/index.js', '2\n');
    write('store/manifest.json', '{"a":1}\n');
    write('.git/index', 'x');
    write('debug.log', 'x\n');
    write('kept.log', 'x\n');
    expect(await told()).toEqual({ 'kept.log': 'changed' });
  });

  it('follows the rules when they change', async () => {
    write('notes/a.md', 'a\n');
    write('data/b.md', 'b\n');
    write('.liftignore', 'data/\n');
    await start();
    write('.liftignore', 'notes/\n');
    expect(await told()).toEqual({ '.liftignore': 'changed' });
    await waitUntil(() => {
      write('data/b.md', `${Math.random()}\n`);
      return batches.flat().some(({ path }) => path === 'data/b.md');
    });
    await told();
    write('notes/a.md', 'changed\n');
    expect(await told()).not.toHaveProperty('notes/a.md');
  });

  it('does not follow links', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'lift-outside-'));
    try {
      symlinkSync(outside, join(folder, 'link'));
      symlinkSync(folder, join(folder, 'loop'));
      await start();
      writeFileSync(join(outside, 'file.ts'), 'x\n');
      expect(await told()).toEqual({});
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  it('says that the folder is gone', async () => {
    write('a.ts', '1\n');
    await start();
    rmSync(folder, { recursive: true });
    await waitUntil(() => errors.length > 0);
    expect(errors[0]!.message).toMatch(/is gone/);
  });

  it('tells nothing after it was closed', async () => {
    await start();
    write('a.ts', '1\n');
    await watch!.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(batches).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('takes one watch for a folder, none for a file', async () => {
    for (let i = 0; i < 10; i++) for (let j = 0; j < 20; j++) write(`folder-${i}/file-${j}.ts`, 'x\n');
    await start();
    expect(inotifyWatches()).toBe(11);
  });
});

describe('watchError', () => {
  it('says what to do about each limit', () => {
    const coded = (code: string) => Object.assign(new Error('no'), { code });
    expect(watchError('/a', coded('ENOSPC')).message).toMatch(/fs\.inotify\.max_user_watches/);
    expect(watchError('/a', coded('EMFILE')).message).toMatch(/max_user_instances/);
    expect(watchError('/a', coded('EIO')).message).toMatch(/The system says: no/);
  });
});

function inotifyWatches(): number {
  const { stdout } = spawnSync('sh', ['-c', `cat /proc/${process.pid}/fdinfo/* | grep -c ^inotify`], {
    encoding: 'utf8',
  });
  return Number(stdout);
}
