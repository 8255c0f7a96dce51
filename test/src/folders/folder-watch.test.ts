// The watch in its worker thread, as it is built, with real files.
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RunningFolderWatch, startFolderWatch } from '../../../src/folders/folder-watch.ts';
import type { FolderChange } from '../../../workspace/watch.ts';

const workerFile = fileURLToPath(new URL('../../../dist/watch-worker.js', import.meta.url));

let folder: string;
let watch: RunningFolderWatch;
let changes: Map<string, FolderChange['kind']>;
let batches: number;
let errors: string[];

beforeEach(() => {
  if (!existsSync(workerFile)) throw new Error('dist/watch-worker.js is missing: run `npm run build` first');
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lift-folder-watch-')));
  changes = new Map();
  batches = 0;
  errors = [];
});
afterEach(() => {
  watch.dispose();
  rmSync(folder, { recursive: true, force: true });
});

function write(path: string, text = 'x\n'): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function start(exclude: string[] = []): Promise<void> {
  return new Promise((resolve) => {
    watch = startFolderWatch({
      workerFile,
      folder,
      leftOut: [],
      exclude,
      onReady: resolve,
      onChanges: (batch) => {
        batches += 1;
        for (const { path, kind } of batch) changes.set(path, kind);
      },
      onError: (message) => errors.push(message),
    });
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 3000 && !condition(); attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(condition()).toBe(true);
}

it('tells what changes, but nothing of what is left out', async () => {
  write('src/a.ts');
  write('.gitignore', 'build/\n');
  await start(['*.csv']);
  write('build/out.js');
  write('data.csv');
  write('src/b.ts');
  await until(() => changes.size > 0);
  expect(Object.fromEntries(changes)).toEqual({ 'src/b.ts': 'changed' });
  expect(errors).toEqual([]);
});

it('tells thousands of changes in few batches', async () => {
  for (let file = 0; file < 1500; file++) write(`src/folder-${file % 50}/file-${file}.ts`);
  await start();
  for (let file = 0; file < 1500; file++) write(`src/folder-${file % 50}/file-${file}.ts`, `${file}\n`);
  await until(() => changes.size === 1500);
  expect(batches).toBeLessThan(30);
});

it('tells when the folder is gone', async () => {
  write('a.ts');
  await start();
  rmSync(folder, { recursive: true });
  await until(() => errors.length > 0);
  expect(errors).toEqual([expect.stringContaining(`The folder ${folder} is gone`)]);
});

it('tells nothing after it is over', async () => {
  await start();
  watch.dispose();
  write('late.ts');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(changes.size + errors.length).toBe(0);
});
