import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTokenizer, type Tokenizer } from '../../native-host/model/tokenizer.ts';
import { type Repository, readRepository, treeOf } from '../../native-host/study/repository.ts';
import { UnsavedTexts } from '../../native-host/unsaved-texts.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';

let root: string;
let folder: string;
let tokenizer: Tokenizer;
let repository: Repository;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'lift-unsaved-')));
  folder = join(root, 'repository');
  mkdirSync(join(folder, 'src'), { recursive: true });
  mkdirSync(join(folder, 'build'));
  const files = {
    '.gitignore': 'build/\n',
    'README.md': '# Queues\n\nThey keep their order.\n',
    'src/queue.ts': 'export const limit = 4;\n',
    'src/stack.ts': 'export const depth = 8;\n',
    'build/queue.js': 'export const limit = 4;\n',
    '.env': 'PASSWORD=hunter2\n',
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text);
  await makeTinyModel(join(root, 'model'));
  tokenizer = await openTokenizer(join(root, 'model'));
  repository = await readRepository(folder, tokenizer, null);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const pathsOf = ({ documents }: Repository) => documents.map(({ path }) => path).sort();

test('without any the repository is what is on disk', () => {
  expect(new UnsavedTexts().over(repository, tokenizer)).toBe(repository);
  expect(pathsOf(repository)).toEqual(['.gitignore', 'README.md', 'src/queue.ts', 'src/stack.ts']);
});

test('a changed text, a new file and a removed one are seen, until they are saved', () => {
  const unsaved = new UnsavedTexts();
  const text = 'export const limit = 4096;\n';
  unsaved.note(folder, [
    { path: 'src/queue.ts', kind: 'changed', text },
    { path: 'src/new.ts', kind: 'changed', text: 'export const fresh = true;\n' },
    { path: 'src/stack.ts', kind: 'removed' },
  ]);
  const seen = unsaved.over(repository, tokenizer);
  expect(pathsOf(seen)).toEqual(['.gitignore', 'README.md', 'src/new.ts', 'src/queue.ts']);
  expect(seen.documents[0]!.path).toBe('README.md');
  expect(seen.documents.find(({ path }) => path === 'src/queue.ts')!.text).toBe(text);
  expect(tokenizer.decode([...seen.tokens.get('src/queue.ts')!])).toBe(text);
  expect([...seen.tokens.keys()].sort()).toEqual(pathsOf(seen));
  expect(seen.tokenCount).toBe([...seen.tokens.values()].reduce((total, { length }) => total + length, 0));
  expect(seen.tree).toBe(treeOf(seen.documents));
  expect(seen.tree).not.toBe(repository.tree);
  expect(unsaved.pathsIn(folder).sort()).toEqual(['src/new.ts', 'src/queue.ts']);
  expect(unsaved.pathsIn(root)).toEqual([]);

  unsaved.note(folder, [
    { path: 'src/queue.ts', kind: 'changed' },
    { path: 'src/new.ts', kind: 'changed' },
    { path: 'src/stack.ts', kind: 'changed' },
  ]);
  expect(unsaved.over(repository, tokenizer).tree).toBe(repository.tree);
  expect(unsaved.pathsIn(folder)).toEqual([]);
});

test('what would be skipped on disk stays out: secrets, ignored files, generated ones', () => {
  const unsaved = new UnsavedTexts();
  const secret = 'export const token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";\n';
  unsaved.note(folder, [
    { path: '.env', kind: 'changed', text: 'PASSWORD=hunter3\n' },
    { path: '.env.local', kind: 'changed', text: 'PASSWORD=hunter4\n' },
    { path: 'build/queue.js', kind: 'changed', text: 'export const limit = 5;\n' },
    { path: 'src/queue.ts', kind: 'changed', text: secret },
    { path: 'src/app.min.js', kind: 'changed', text: 'let a;\n' },
    { path: 'src/empty.ts', kind: 'changed', text: ' \n' },
  ]);
  const seen = unsaved.over(repository, tokenizer);
  expect(pathsOf(seen)).toEqual(['.gitignore', 'README.md', 'src/stack.ts']);
  const reasons = new Map(seen.skipped.map(({ path, reason }) => [path, reason]));
  expect(reasons.get('src/queue.ts')).toMatch(/token/i);
  expect(reasons.get('src/app.min.js')).toBe('generated file');
  expect(JSON.stringify(seen.skipped)).not.toContain('ghp_');
});
