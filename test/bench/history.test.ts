import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dayOfCommits } from '../../bench/repositories/history.ts';

let place: string;
let repository: string;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'lift-history-'));
  repository = join(place, 'repository');
  await mkdir(repository);
  git('init', '--quiet');
  await commit('first', '2025-03-01T10:00:00Z', { 'src/a.ts': 'a1', 'docs/x.md': 'x1' });
  await commit('second', '2025-03-01T11:00:00Z', { 'src/a.ts': 'a2' });
  await commit('third', '2025-03-02T01:00:00Z', { 'src/b.ts': 'b1' });
  // Of the same day in UTC, and not where its committer is.
  await commit('fourth', '2025-03-03T01:00:00+03:00', { 'src/a.ts': null, 'docs/x.md': 'x2' });
  await commit('elsewhere', '2025-03-02T23:00:00Z', { 'docs/x.md': 'x3' });
  await commit('fifth', '2025-03-04T00:00:00Z', { 'src/b.ts': 'b2' });
});
afterAll(() => rm(place, { recursive: true, force: true }));

function git(...args: string[]): void {
  execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args]);
}

async function commit(subject: string, date: string, files: Record<string, string | null>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const file = join(repository, path);
    await mkdir(dirname(file), { recursive: true });
    if (text === null) await rm(file);
    else await writeFile(file, text);
  }
  git('add', '--all');
  execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b.c', 'commit', '-qm', subject], {
    env: { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date },
  });
}

async function textsIn(folder: string): Promise<Record<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const texts = files.map(async ({ parentPath, name }) => [name, await readFile(join(parentPath, name), 'utf8')]);
  return Object.fromEntries(await Promise.all(texts));
}

test('the busiest day is replayed, from what was before it', async () => {
  const day = (await dayOfCommits(repository, ['src'], 20))!;
  expect(day.day).toBe('2025-03-02');
  expect(day.commits.map(({ name }) => name)).toEqual(['third', 'fourth']);
  const target = join(place, 'target');
  await day.before(target);
  expect(await textsIn(target)).toEqual({ 'a.ts': 'a2' });
  await day.commits[0]!.apply(target);
  expect(await textsIn(target)).toEqual({ 'a.ts': 'a2', 'b.ts': 'b1' });
  await day.commits[1]!.apply(target);
  expect(await textsIn(target)).toEqual({ 'b.ts': 'b1' });
  // Neither the repository's files nor its index know of it.
  const status = execFileSync('git', ['-C', repository, 'status', '--porcelain'], { encoding: 'utf8' });
  expect(status).toBe('');
});

test('only the last ones are taken', async () => {
  const day = (await dayOfCommits(repository, ['src'], 1))!;
  expect(day.commits.map(({ name }) => name)).toEqual(['fourth']);
  const target = join(place, 'last');
  await day.before(target);
  expect(await textsIn(target)).toEqual({ 'a.ts': 'a2', 'b.ts': 'b1' });
});

test('a folder that no commit changed has no day, and no repository is an error', async () => {
  expect(await dayOfCommits(repository, ['nothing'], 20)).toBeNull();
  await expect(dayOfCommits(place, ['src'], 20)).rejects.toThrow(/git/);
});
