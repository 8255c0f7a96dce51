import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recentlyChanged } from '../../native-host/corpus/recent-changes.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lift-recent-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function git(...args: string[]): void {
  const who = ['-c', 'user.name=someone', '-c', 'user.email=someone@example.com', '-c', 'commit.gpgSign=false'];
  execFileSync('git', ['-C', folder, ...who, ...args], { stdio: 'ignore' });
}

function commit(texts: Record<string, string>): void {
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  git('add', '-A');
  git('commit', '-m', 'a file is named like src/fake.ts');
}

test.runIf(hasGit)('the latest changes first, each file once, without what was moved in bulk', async () => {
  git('init');
  commit({ 'old.ts': '1', 'src/grüße und.ts': '1' });
  commit(Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`bulk/${i}.ts`, '1'])));
  commit({ 'old.ts': '2' });
  commit({ 'src/new.ts': '1' });
  expect(await recentlyChanged(folder)).toEqual(['src/new.ts', 'old.ts', 'src/grüße und.ts']);
  // Of a folder within the work tree, only what is in it, named from there.
  expect(await recentlyChanged(join(folder, 'src'))).toEqual(['new.ts', 'grüße und.ts']);
});

test('nothing where there is no history', async () => {
  expect(await recentlyChanged(folder)).toEqual([]);
  expect(await recentlyChanged(join(folder, 'absent'))).toEqual([]);
  const reason = new Error('stopped');
  await expect(recentlyChanged(folder, AbortSignal.abort(reason))).rejects.toBe(reason);
});
