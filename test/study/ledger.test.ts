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
  size: 100,
  item: nothing,
});
const question = (path: string, key: string, hash: string): Lesson => ({
  kind: 'question',
  hash,
  path,
  key,
  size: 0,
  item: nothing,
});
const right = (correct: number, counted = 100): Visit => ({ visits: 1, last: { correct, counted, nll: 50 } });
const documents = (hashes: Record<string, string>) => Object.entries(hashes).map(([path, hash]) => ({ path, hash }));

test('a segment is known wherever it stands in its file, a question by what it is about', () => {
  const ledger = ledgerOf([segment('a', 0, 'one'), segment('a', 90, 'two'), question('a', 'value LIMIT', '5')]);
  const moved = segment('a', 180, 'two');
  const edited = segment('a', 0, 'three');
  const sameAnswer = question('a', 'value LIMIT', '5');
  const otherAnswer = question('a', 'value LIMIT', '6');
  expect(planLessons(ledger, [edited, moved, sameAnswer])).toEqual({ fresh: [edited], known: [moved, sameAnswer] });
  expect(planLessons(ledger, [otherAnswer])).toEqual({ fresh: [otherAnswer], known: [] });
});

test('X, then Y, then X again: X was contradicted, so it is not known', () => {
  const x = [segment('a', 0, 'x'), question('a', 'value LIMIT', 'x')];
  const y = [segment('a', 0, 'y'), question('a', 'value LIMIT', 'y')];
  const afterX = nextLedger(emptyLedger(), x, visits(x), documents({ a: 'x' }), new Map(), snapshot);
  expect(planLessons(afterX, x).fresh).toEqual([]);
  const afterY = nextLedger(afterX, y, visits(y), documents({ a: 'y' }), new Map(), snapshot);
  expect(planLessons(afterY, x).fresh).toEqual(x);
});

test('what was never visited is not known, and what vanished is forgotten', () => {
  const lessons = [segment('a', 0, 'one'), segment('b', 0, 'two')];
  const before = ledgerOf([segment('gone', 0, 'three')]);
  const ledger = nextLedger(before, lessons, visits(lessons.slice(0, 1)), documents({ a: '1' }), new Map(), snapshot);
  expect([...ledger.lessons.keys()]).toEqual(['segment a:0']);
  expect(planLessons(ledger, lessons).fresh).toEqual([lessons[1]]);
});

test('visits add up, and the loss is the last one', () => {
  const lesson = segment('a', 0, 'one');
  const first = nextLedger(emptyLedger(), [lesson], new Map([[lesson, right(10)]]), [], new Map(), snapshot);
  const last = { visits: 2, last: { correct: 90, counted: 100, nll: 20 } };
  const second = nextLedger(first, [lesson], new Map([[lesson, last]]), [], new Map(), snapshot);
  expect(second.lessons.get('segment a:0')).toEqual({ hash: 'one', path: 'a', visits: 3, loss: 0.2 });
});

test('a document counts as it was measured; stopped before that, as its visited segments went', () => {
  const lessons = [segment('a', 0, 'one'), segment('a', 90, 'two'), segment('b', 0, 'three')];
  const now = documents({ a: '1', b: '2' });
  const visited = visits(lessons.slice(0, 1), 80);
  const stopped = nextLedger(emptyLedger(), lessons, visited, now, new Map(), snapshot);
  expect(stopped.documents.get('a')).toEqual({ hash: '1', correct: 80, counted: 200 });
  expect(shareKnown(stopped, now, () => 100)).toBeCloseTo(0.2);

  const measured = new Map([['a', { correct: 150, counted: 168, nll: 1 }]]);
  const whole = nextLedger(emptyLedger(), lessons, visited, now, measured, snapshot);
  expect(whole.documents.get('a')).toEqual({ hash: '1', correct: 150, counted: 168 });
});

test('a stop keeps the last measurement of what it did not visit, unless that has changed', () => {
  const lessons = [segment('a', 0, 'one'), segment('b', 0, 'two'), segment('c', 0, 'three')];
  const now = documents({ a: '1', b: '2', c: 'changed' });
  const before: Ledger = {
    ...emptyLedger(),
    documents: new Map(['a', 'b', 'c'].map((path, i) => [path, { hash: `${i + 1}`, correct: 42, counted: 84 }])),
  };
  const ledger = nextLedger(before, lessons, visits(lessons.slice(0, 1), 100), now, new Map(), snapshot);
  const share = (path: string) => ledger.documents.get(path)!.correct / ledger.documents.get(path)!.counted;
  expect([share('a'), share('b'), share('c')]).toEqual([1, 0.5, 0]);
});

test('dirty: changed, new and vanished documents', () => {
  const ledger: Ledger = {
    ...emptyLedger(),
    documents: new Map(['same', 'edited', 'gone'].map((path) => [path, { hash: '1', correct: 1, counted: 1 }])),
  };
  expect(dirtyPaths(ledger, documents({ same: '1', edited: '2', fresh: '1' }))).toEqual(['edited', 'fresh', 'gone']);
});

test('a ledger is read as it was written; one that is damaged, missing or misnamed counts as none', async () => {
  temporary = temporaryFolder();
  const { path } = temporary;
  const lessons = [segment('a', 0, 'one'), question('a', 'value LIMIT', '5')];
  const ledger = nextLedger(emptyLedger(), lessons, visits(lessons), documents({ a: '1' }), new Map(), {
    documents: [['a', '1']],
    symbols: [['LIMIT', ['a']]],
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
