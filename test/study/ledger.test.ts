import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import {
  dirtyPaths,
  emptyLedger,
  type Ledger,
  ledgerOf,
  nextLedger,
  planLessons,
  readLedger,
  removeUnnamedLedgers,
  shareKnown,
  type Training,
  unlearnedPaths,
  type Visit,
  writeLedger,
} from '../../native-host/study/ledger.ts';
import type { Lesson } from '../../native-host/train/material.ts';
import { temporaryFolder } from '../store/store-fixture.ts';

let temporary: ReturnType<typeof temporaryFolder> | null = null;
afterEach(() => {
  temporary?.remove();
  temporary = null;
});

const snapshot = { documents: [], symbols: [] };
const nothing = () => ({ tokens: [], weights: [], source: null });
const segment = (path: string, start: number, hash: string): Lesson => ({
  kind: 'segment',
  hash,
  path,
  key: `${path}:${start}`,
  start,
  size: 100,
  item: nothing,
});
const question = (path: string, key: string, hash: string): Lesson => ({
  kind: 'question',
  hash,
  path,
  key,
  start: 0,
  size: 0,
  item: nothing,
});
const right = (correct: number, counted = 100): Visit => ({ visits: 1, last: { correct, counted, nll: 50 } });
const documents = (hashes: Record<string, string>) => Object.entries(hashes).map(([path, hash]) => ({ path, hash }));
const learned = (hash: string, correct: number, counted: number) => ({
  hash,
  correct,
  counted,
  unlearned: 0,
  pieces: '',
});
const noTokens = new Map<string, Uint32Array>();

/** The ledger after a training of documents whose tokens do not matter. */
function after(before: Ledger, lessons: readonly Lesson[], changes: Partial<Training> = {}): Ledger {
  const rest = { documents: [], counts: new Map(), snapshot };
  const training = { lessons, visited: visits(lessons), ...rest, ...changes };
  const tokens = new Map(training.documents.map(({ path }) => [path, new Uint32Array()]));
  return nextLedger(before, { tokens, ...training });
}

test('a segment is known wherever it stands in its file, a question by what it is about', () => {
  const ledger = ledgerOf([segment('a', 0, 'one'), segment('a', 90, 'two'), question('a', 'value LIMIT', '5')]);
  const moved = segment('a', 180, 'two');
  const edited = segment('a', 0, 'three');
  const sameAnswer = question('a', 'value LIMIT', '5');
  const otherAnswer = question('a', 'value LIMIT', '6');
  const plan = (lessons: Lesson[]) => planLessons(ledger, lessons, noTokens);
  expect(plan([edited, moved, sameAnswer])).toEqual({ fresh: [edited], known: [moved, sameAnswer] });
  expect(plan([otherAnswer])).toEqual({ fresh: [otherAnswer], known: [] });
});

test('X, then Y, then X again: X was contradicted, so it is not known', () => {
  const x = [segment('a', 0, 'x'), question('a', 'value LIMIT', 'x')];
  const y = [segment('a', 0, 'y'), question('a', 'value LIMIT', 'y')];
  const afterX = after(emptyLedger(), x, { documents: documents({ a: 'x' }) });
  expect(planLessons(afterX, x, noTokens).fresh).toEqual([]);
  const tokens = new Map([['a', Uint32Array.from({ length: 100 }, (_, i) => i)]]);
  const afterY = after(afterX, y, { documents: documents({ a: 'y' }) });
  expect(planLessons(afterY, x, tokens).fresh).toEqual(x);
});

test('what was never visited is not known, and what vanished is forgotten', () => {
  const lessons = [segment('a', 0, 'one'), segment('b', 0, 'two')];
  const before = ledgerOf([segment('gone', 0, 'three')]);
  const ledger = after(before, lessons, { visited: visits(lessons.slice(0, 1)), documents: documents({ a: '1' }) });
  expect([...ledger.lessons.keys()]).toEqual(['segment a:0']);
  expect(planLessons(ledger, lessons, noTokens).fresh).toEqual([lessons[1]]);
});

test('visits add up, and the loss is the last one', () => {
  const lesson = segment('a', 0, 'one');
  const first = after(emptyLedger(), [lesson], { visited: new Map([[lesson, right(10)]]) });
  const last = { visits: 2, last: { correct: 90, counted: 100, nll: 20 } };
  const second = after(first, [lesson], { visited: new Map([[lesson, last]]) });
  expect(second.lessons.get('segment a:0')).toEqual({ hash: 'one', path: 'a', visits: 3, loss: 0.2 });
  const third = after(second, [lesson], { visited: new Map([[lesson, { visits: 1, last: null }]]) });
  expect(third.lessons.get('segment a:0')).toEqual({ hash: 'one', path: 'a', visits: 4, loss: 0.2 });
});

test('a document of which no segment was trained is not absorbed, whatever is predicted right of it', () => {
  const lessons = [segment('a', 0, 'one'), segment('a', 90, 'two'), segment('b', 0, 'three')];
  const now = documents({ a: '1', b: '2', empty: '3' });
  const counts = new Map(['a', 'b', 'empty'].map((path) => [path, { correct: 80, counted: 160 }]));
  const ledger = after(emptyLedger(), lessons, { visited: visits(lessons.slice(0, 1)), documents: now, counts });
  expect(ledger.documents.get('a')).toMatchObject({ hash: '1', correct: 80, counted: 160, unlearned: 1 });
  expect(ledger.documents.get('b')).toMatchObject({ hash: '2', correct: 0, counted: 0, unlearned: 1 });
  expect(shareKnown(ledger, now, () => 100)).toBeCloseTo(0.5 / 3);
  expect(dirtyPaths(ledger, now)).toEqual([]);
  expect(unlearnedPaths(ledger, now)).toEqual(['a', 'b']);
});

test('dirty: changed, new and vanished documents', () => {
  const ledger: Ledger = {
    ...emptyLedger(),
    documents: new Map(['same', 'edited', 'gone'].map((path) => [path, learned('1', 1, 1)])),
  };
  const now = documents({ same: '1', edited: '2', fresh: '1' });
  expect(dirtyPaths(ledger, now)).toEqual(['edited', 'fresh', 'gone']);
  expect(unlearnedPaths(ledger, now)).toEqual(['edited', 'fresh', 'gone']);
});

test('a ledger is read as it was written; one that is damaged, missing or misnamed counts as none', async () => {
  temporary = temporaryFolder();
  const { path } = temporary;
  const lessons = [segment('a', 0, 'one'), question('a', 'value LIMIT', '5')];
  const ledger = after(emptyLedger(), lessons, {
    documents: documents({ a: '1' }),
    tokens: new Map([['a', Uint32Array.from({ length: 500 }, (_, i) => i)]]),
    snapshot: { documents: [['a', '1']], symbols: [['LIMIT', ['a']]] },
  });
  const name = await writeLedger(path, ledger);
  const other = await writeLedger(path, emptyLedger());
  expect(await readLedger(path, name)).toEqual(ledger);

  await removeUnnamedLedgers(path, [name]);
  expect(await readdir(join(path, 'ledgers'))).toEqual([`${name}.json`]);
  expect(await readLedger(path, other)).toBeNull();
  expect(await readLedger(path, '../escape')).toBeNull();
  expect(await readLedger(path, undefined)).toBeNull();
  await writeFile(join(path, 'ledgers', `${name}.json`), '{"lessons":[],"documents":[],"snapshot":{}}');
  expect(await readLedger(path, name)).toBeNull();
});

function visits(lessons: readonly Lesson[], correct = 50): Map<Lesson, Visit> {
  return new Map(lessons.map((lesson) => [lesson, right(correct)]));
}
