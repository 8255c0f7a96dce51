import { expect, test } from 'vitest';
import { emptyLedger, type Ledger, type Visit } from '../../native-host/study/ledger.ts';
import { priorShares } from '../../native-host/study/prior-shares.ts';
import type { Lesson } from '../../native-host/train/material.ts';

const segment = (path: string, start: number): Lesson => ({
  kind: 'segment',
  hash: `${path} ${start}`,
  path,
  key: `${path}:${start}`,
  start,
  size: 100,
  item: () => ({ tokens: [], weights: [] }),
});
const lessons = [segment('a', 0), segment('a', 90), segment('b', 0), segment('c', 0)];
const [a, a90, b, c] = lessons as [Lesson, Lesson, Lesson, Lesson];
const visit = (correct: number): Visit => ({ visits: 1, last: { correct, counted: 100, nll: 1 } });
const passed: Visit = { visits: 1, last: null };
const measured: Ledger = {
  ...emptyLedger(),
  documents: new Map(
    ['a', 'b', 'c'].map((path) => [path, { hash: '1', correct: 42, counted: 84, unlearned: 0, pieces: '' }]),
  ),
};
const sharesOf = (before: Ledger, fresh: Lesson[], visited: [Lesson, Visit][]) =>
  Object.fromEntries(priorShares(before, lessons, new Set(fresh), new Map(visited)));

test('the first time a segment counts as it went, and not at all before it was visited', () => {
  expect(sharesOf(emptyLedger(), lessons, [[a, visit(80)]])).toEqual({ a: 0.4, b: 0, c: 0 });
});

test('what is not visited keeps the last measurement of its document, unless its text is new', () => {
  expect(sharesOf(measured, [c], [[a, visit(100)]])).toEqual({ a: 0.75, b: 0.5, c: 0 });
});

test('what an earlier sitting trained goes as the rest does, or as it was measured', () => {
  const visited: [Lesson, Visit][] = [
    [a, visit(60)],
    [a90, visit(60)],
    [b, passed],
  ];
  expect(sharesOf(emptyLedger(), lessons, visited).b).toBe(0.6);
  expect(sharesOf(measured, [], visited).b).toBe(0.5);
});
