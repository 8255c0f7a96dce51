import { afterAll, beforeAll, expect, test } from 'vitest';
import { anchorChat } from '../../native-host/study/anchors/anchor-chat.ts';
import { anchorCode } from '../../native-host/study/anchors/anchor-code.ts';
import { anchorProse } from '../../native-host/study/anchors/anchor-prose.ts';
import { anchorLessons, withAnchors } from '../../native-host/study/anchors/anchors.ts';
import { generalChat, generalCode, generalProse } from '../../native-host/study/eval/general-texts.ts';
import type { Curriculum } from '../../native-host/train/lift.ts';
import type { Lesson } from '../../native-host/train/material.ts';
import { openTestDevice } from '../runtime/devices.ts';
import { openTinyModel, type TinyModel } from '../train/tiny-training.ts';

const device = openTestDevice();
let tiny: TinyModel;
let anchors: Lesson[];
beforeAll(async () => {
  tiny = await openTinyModel();
  anchors = await anchorLessons(device, tiny.model, 256, new AbortController().signal);
}, 120_000);
afterAll(async () => {
  await device.close();
  await tiny.remove();
});

const segment = (i: number): Lesson => {
  const key = `a.ts:${i}`;
  return {
    kind: 'segment',
    hash: key,
    path: 'a.ts',
    key,
    start: i,
    size: 200,
    item: () => ({ tokens: [], weights: [] }),
  };
};
const segments = Array.from({ length: 300 }, (_, i) => segment(i));
const plain: Curriculum = {
  epoch: (number) => ({ visits: number === 9 ? [] : segments, inOrder: number === 0, isWhole: true }),
};
const uniform = () => 0.25;
const sizeOf = (lessons: readonly Lesson[]) => lessons.reduce((sum, { size }) => sum + size, 0);

test('every anchor fits a row and has a teacher', () => {
  expect(anchors.length).toBeGreaterThan(50);
  expect(new Set(anchors.map(({ hash }) => hash)).size).toBe(anchors.length);
  for (const { item, size } of anchors) {
    const { tokens, weights, teacher } = item(0);
    expect(tokens).toHaveLength(size);
    expect(size).toBeLessThanOrEqual(256);
    expect(teacher!.ids.length / 20).toBe(weights.filter((weight) => weight !== 0).length - Number(weights[0] !== 0));
  }
});

test('about a twentieth of the tokens are of anchors, spread over what is visited in its order', () => {
  const { visits, inOrder } = withAnchors(plain, anchors).epoch(0, uniform);
  expect(inOrder).toBe(true);
  expect(visits.filter(({ kind }) => kind === 'segment')).toEqual(segments);
  const added = visits.filter(({ kind }) => kind === 'anchor');
  expect(sizeOf(added) / sizeOf(visits)).toBeGreaterThan(0.04);
  expect(sizeOf(added) / sizeOf(visits)).toBeLessThan(0.06);
  // None comes twice before all came once.
  expect(new Set(added).size).toBe(Math.min(added.length, anchors.length));
  const places = visits.flatMap(({ kind }, i) => (kind === 'anchor' ? [i] : []));
  const gaps = places.slice(1).map((place, i) => place - places[i]!);
  expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
});

test('an epoch with nothing to visit stays one', () => {
  expect(withAnchors(plain, anchors).epoch(9, uniform).visits).toEqual([]);
  expect(withAnchors(plain, [])).toBe(plain);
});

test('what ability is measured with is in no anchor', () => {
  const linesOf = (texts: readonly string[]) =>
    texts
      .flatMap((text) => text.split('\n'))
      .map((line) => line.trim())
      .filter((line) => line.length > 24);
  const chatOf = (chat: readonly { question: string; answer: string }[]) => chat.flatMap((one) => Object.values(one));
  const measured = new Set(linesOf([generalCode, generalProse, ...chatOf(generalChat)]));
  const used = linesOf([...anchorCode, ...anchorProse].map(({ text }) => text).concat(chatOf(anchorChat)));
  expect(used.length).toBeGreaterThan(200);
  expect(used.filter((line) => measured.has(line))).toEqual([]);
});
