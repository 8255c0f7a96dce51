import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commitOf } from '../../native-host/corpus/commit.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lift-commit-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const identity = ['-c', 'user.name=Someone', '-c', 'user.email=someone@example.org'];

/** Runs Git itself, of whose files it is known what they mean. */
function git(folder: string, ...args: string[]): string {
  const settings = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  const env = { ...process.env, ...settings };
  return execFileSync('git', [...identity, ...args], { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' }).trim();
}

function repository(): string {
  const folder = join(root, 'repository');
  mkdirSync(join(folder, 'src', 'inner'), { recursive: true });
  git(root, 'init', '--quiet', 'repository');
  return folder;
}

function commit(folder: string, text: string): string {
  writeFileSync(join(folder, 'src', 'file.txt'), text);
  git(folder, 'add', '.');
  git(folder, 'commit', '--quiet', '-m', text);
  return git(folder, 'rev-parse', 'HEAD');
}

test('a branch, its folders, a detached head, and refs that were packed', async () => {
  const folder = repository();
  expect(await commitOf(folder)).toBeNull();
  const first = commit(folder, 'one');
  const second = commit(folder, 'two');
  expect(first).not.toBe(second);
  expect(await commitOf(folder)).toBe(second);
  expect(await commitOf(join(folder, 'src', 'inner'))).toBe(second);
  git(folder, 'checkout', '--quiet', first);
  expect(await commitOf(folder)).toBe(first);
  git(folder, 'checkout', '--quiet', '-b', 'a/branch');
  git(folder, 'pack-refs', '--all');
  expect(await commitOf(folder)).toBe(first);
  // A loose ref is newer than a packed one.
  const third = commit(folder, 'three');
  expect(await commitOf(folder)).toBe(third);
});

test('a linked work tree has a commit of its own', async () => {
  const folder = repository();
  const first = commit(folder, 'one');
  const linked = join(root, 'linked');
  git(folder, 'worktree', 'add', '--quiet', '-b', 'other', linked);
  const second = commit(folder, 'two');
  expect(await commitOf(linked)).toBe(first);
  const third = commit(linked, 'three');
  expect(await commitOf(linked)).toBe(third);
  expect(await commitOf(folder)).toBe(second);
});

test('no work tree, and files that are not what Git writes', async () => {
  expect(await commitOf(root)).toBeNull();
  expect(await commitOf(join(root, 'nowhere'))).toBeNull();
  const odd = join(root, 'odd');
  mkdirSync(join(odd, '.git', 'HEAD'), { recursive: true });
  expect(await commitOf(odd)).toBeNull();
  rmSync(join(odd, '.git', 'HEAD'), { recursive: true });
  for (const head of ['', 'ref: refs/heads/.invalid\n', 'ref: ../../secret\n', 'abc\n', 'z'.repeat(40)]) {
    writeFileSync(join(odd, '.git', 'HEAD'), head);
    expect(await commitOf(odd), JSON.stringify(head)).toBeNull();
  }
  rmSync(join(odd, '.git'), { recursive: true });
  writeFileSync(join(odd, '.git'), 'no folder is named here');
  expect(await commitOf(odd)).toBeNull();
});
