import { expect, test } from 'vitest';
import {
  earlyEpochsOf,
  fullCurriculum,
  isLargeRefresh,
  refreshCurriculum,
} from '../../native-host/study/curriculum.ts';
import type { Lesson } from '../../native-host/train/material.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';

const recipe = recipeFor(1e6, 512);
const uniform = () => 0.5;
const lesson = (kind: Lesson['kind'], path: string, start: number, size: number): Lesson => ({
  kind,
  hash: `${kind} ${path} ${start}`,
  path,
  key: `${path}:${start}`,
  start,
  size,
  item: () => ({ tokens: [], weights: [] }),
});

/** Documents of a thousand tokens, each one segment and one question. */
function corpusOf(documents: number): Lesson[] {
  const paths = Array.from({ length: documents }, (_, i) => `document${i}`);
  return [
    ...paths.map((path) => lesson('segment', path, 0, 1000)),
    ...paths.map((path) => lesson('question', path, 0, 0)),
  ];
}

const segmentsOf = (visits: readonly Lesson[]) => visits.filter(({ kind }) => kind === 'segment');
const pathsIn = (visits: readonly Lesson[]) => new Set(visits.map(({ path }) => path)).size;

test('a corpus of ordinary size is gone through in order, then as it comes', () => {
  const lessons = corpusOf(20);
  const { epoch, epochsOfParts } = fullCurriculum(lessons, recipe, { byParts: true });
  expect(epochsOfParts).toBe(0);
  const first = epoch(0, uniform);
  expect(first.inOrder).toBe(true);
  expect(segmentsOf(first.visits)).toEqual(lessons.slice(0, 20));
  const later = epoch(1, uniform);
  expect(later.inOrder).toBe(false);
  expect(later.visits.filter(({ kind }) => kind === 'question')).toHaveLength(20 * recipe.wordingsInEarlyEpochs);
});

test('of a large one the most important part comes first, then ever larger ones that hold it, then everything', () => {
  const lessons = corpusOf(1000);
  const { epoch, epochsOfParts } = fullCurriculum(lessons, recipe, { byParts: true });
  const epochs = Array.from({ length: epochsOfParts + 3 }, (_, number) => epoch(number, uniform));
  const sizes = [64, 128, 256, 1000].flatMap((size) => [size, size, size]);
  expect(epochs.map(({ visits }) => pathsIn(visits))).toEqual(sizes);
  expect(epochs.map(({ isWhole }) => isWhole)).toEqual(sizes.map((_, i) => i === sizes.length - 1));
  for (const { visits } of epochs) expect(visits.some(({ path }) => path === 'document0')).toBe(true);
  const { visits } = epoch(3, uniform);
  expect(visits.filter(({ kind }) => kind === 'question')).toHaveLength(128 * recipe.wordingsInEarlyEpochs);
});

test('each epoch visits some segments of every document, every third of a long one, and three epochs all', () => {
  const long = Array.from({ length: 7 }, (_, i) => lesson('segment', 'long', 90 * i, 240));
  const [short, ...two] = [
    lesson('segment', 'short', 0, 9),
    lesson('segment', 'two', 0, 240),
    lesson('segment', 'two', 90, 240),
  ];
  const { epoch, roundsBegin } = fullCurriculum([...long, short!, ...two], recipe, { byParts: true });
  const visitsOf = (number: number) => epoch(number, uniform).visits;
  expect(Math.round(recipe.segmentLength / recipe.stride)).toBe(3);
  expect(visitsOf(0)).toEqual([long[0], long[3], long[6], short, two[0]]);
  expect(visitsOf(1)).toEqual([long[1], long[4], short, two[1]]);
  expect(visitsOf(2)).toEqual([long[2], long[5], short, two[0]]);
  expect(visitsOf(3)).toEqual(visitsOf(0));
  expect([0, 1, 2, 3].map((number) => epoch(number, uniform).isWhole)).toEqual([false, false, true, true]);
  expect([0, 1, 5, 6, 7].map(roundsBegin)).toEqual([0, 0, 0, 6, 7]);
});

test('after six early epochs all segments are visited each time, and questions are asked less', () => {
  const long = Array.from({ length: 7 }, (_, i) => lesson('segment', 'long', 90 * i, 240));
  const question = lesson('question', 'long', 0, 0);
  const { epoch } = fullCurriculum([...long, question], recipe, { byParts: true });
  expect(earlyEpochsOf(recipe)).toBe(6);
  const visitsOf = (number: number) => epoch(number, uniform).visits;
  const asked = (wordings: number) => Array.from({ length: wordings }, () => question);
  expect(recipe.wordingsInEarlyEpochs).toBeGreaterThan(recipe.wordingsPerEpoch);
  expect(visitsOf(5)).toEqual([long[2], long[5], ...asked(recipe.wordingsInEarlyEpochs)]);
  expect(visitsOf(6)).toEqual([...long, ...asked(recipe.wordingsPerEpoch)]);
});

test('the wordings of a question are spread over the first epoch', () => {
  const lessons = corpusOf(10);
  const { visits } = fullCurriculum(lessons, recipe, { byParts: true }).epoch(0, uniform);
  const questions = lessons.slice(10);
  expect(visits.slice(10)).toEqual(Array.from({ length: recipe.wordingsInEarlyEpochs }, () => questions).flat());
});

test('three epochs of each part of a large corpus visit all its segments', () => {
  const lessons = corpusOf(1000);
  const { epoch, epochsOfParts, roundsBegin } = fullCurriculum(lessons, recipe, { byParts: true });
  const segmentsIn = (numbers: readonly number[]) =>
    new Set(numbers.flatMap((number) => segmentsOf(epoch(number, uniform).visits))).size;
  expect([segmentsIn([0, 1, 2]), segmentsIn([3, 4, 5])]).toEqual([64, 128]);
  expect(segmentsIn([epochsOfParts, epochsOfParts + 1, epochsOfParts + 2])).toBe(1000);
  expect([1, 5, 8, 9, 11, 14, 15].map(roundsBegin)).toEqual([0, 3, 6, 9, 9, 9, 15]);
});

test('who asks for passes gets passes', () => {
  const lessons = corpusOf(20);
  const { epoch } = fullCurriculum(lessons, recipe);
  for (const number of [0, 1]) {
    const { visits, isWhole } = epoch(number, uniform);
    expect(segmentsOf(visits)).toEqual(lessons.slice(0, 20));
    expect(isWhole).toBe(true);
  }
});

test('what is known is left out of the first epoch alone', () => {
  const lessons = corpusOf(10);
  const known = new Set([...lessons.slice(0, 4), ...lessons.slice(10, 14)]);
  const { epoch } = fullCurriculum(lessons, recipe, { known });
  expect(pathsIn(epoch(0, uniform).visits)).toBe(6);
  expect(pathsIn(epoch(1, uniform).visits)).toBe(10);
});

test('a refresh of little visits all that is new each time, one of much in rounds, and twice as much that is known', () => {
  const fresh = [
    ...Array.from({ length: 6 }, (_, i) => lesson('segment', 'changed', 90 * i, 240)),
    lesson('question', 'changed', 0, 0),
  ];
  const known = corpusOf(40);
  expect(isLargeRefresh({ fresh, known: known.slice(0, 60) })).toBe(true);
  expect(isLargeRefresh({ fresh, known })).toBe(false);
  const newIn = (visits: readonly Lesson[]) => visits.filter(({ path }) => path === 'changed');
  const little = refreshCurriculum({ fresh, known });
  const { visits, isWhole } = little.epoch(0, uniform);
  expect(isWhole).toBe(true);
  expect(new Set(newIn(visits))).toEqual(new Set(fresh));
  expect(visits.length).toBe(3 * newIn(visits).length);

  const much = refreshCurriculum({ fresh, known }, 3);
  const rounds = [0, 1, 2, 3].map((number) => much.epoch(number, uniform));
  expect(rounds.map((round) => round.isWhole)).toEqual([false, false, true, true]);
  expect(rounds.map((round) => segmentsOf(newIn(round.visits)).map(({ start }) => start / 90))).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
    [0, 3],
  ]);
  for (const round of rounds) expect(newIn(round.visits)).toContain(fresh[6]);
});

test('a refresh leaves out what is learned, and counts it among what is known', () => {
  const segments = Array.from({ length: 6 }, (_, i) => lesson('segment', 'changed', 90 * i, 240));
  const questions = Array.from({ length: 3 }, (_, i) => lesson('question', `asked-${i}`, 0, 0));
  const learned = new Set<Lesson>();
  const fresh = [...segments, ...questions];
  const { epoch } = refreshCurriculum({ fresh, known: [] }, 3, learned);
  const all = epoch(2, uniform).visits;
  expect(new Set(all)).toEqual(new Set([segments[2], segments[5], ...questions]));

  for (const each of [...segments.slice(0, 5), ...questions.slice(0, 2)]) learned.add(each);
  const { visits } = epoch(3, uniform);
  // The round of this epoch has no segment left: those of the others come, so that it is not empty.
  const left = visits.filter((each) => !learned.has(each));
  expect(new Set(left)).toEqual(new Set([segments[5], questions[2]]));
  expect(visits.length - left.length).toBe(learned.size);

  for (const each of fresh) learned.add(each);
  expect(epoch(4, uniform)).toMatchObject({ visits: [], isWhole: true });
});
