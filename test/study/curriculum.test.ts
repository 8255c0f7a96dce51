import { expect, test } from 'vitest';
import { fullCurriculum } from '../../native-host/study/curriculum.ts';
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

const pathsIn = (visits: readonly Lesson[]) => new Set(visits.map(({ path }) => path)).size;

test('a corpus of ordinary size is gone through in order, then as a whole', () => {
  const lessons = corpusOf(20);
  const { epoch, epochsOfParts } = fullCurriculum(lessons, recipe, { byParts: true });
  expect(epochsOfParts).toBe(0);
  expect(epoch(0, false, uniform)).toEqual({ visits: lessons.slice(0, 20), inOrder: true, isWhole: true });
  const later = epoch(1, true, uniform);
  expect(later).toMatchObject({ inOrder: false, isWhole: true });
  expect(later.visits).toHaveLength(20 + 20 * recipe.wordingsPerEpoch);
});

test('of a large one the most important part comes first, then ever larger ones that hold it, then everything', () => {
  const lessons = corpusOf(1000);
  const { epoch, epochsOfParts } = fullCurriculum(lessons, recipe, { byParts: true });
  const epochs = Array.from({ length: epochsOfParts + 1 }, (_, number) => epoch(number, true, uniform));
  const sizes = [...[64, 64, 64], ...[128, 128, 128], ...[256, 256, 256], 1000];
  expect(epochs.map(({ visits }) => pathsIn(visits))).toEqual(sizes);
  expect(epochs.map(({ isWhole }) => isWhole)).toEqual(sizes.map((size) => size === 1000));
  for (const { visits } of epochs) expect(visits[0]).toBe(lessons[0]);
  const { visits } = epoch(3, true, uniform);
  expect(visits.filter(({ kind }) => kind === 'question')).toHaveLength(128 * recipe.wordingsPerEpoch);
});

test('what is known is left out of the first epoch alone', () => {
  const lessons = corpusOf(10);
  const known = new Set([...lessons.slice(0, 4), ...lessons.slice(10, 14)]);
  const { epoch } = fullCurriculum(lessons, recipe, { known });
  expect(pathsIn(epoch(0, true, uniform).visits)).toBe(6);
  expect(pathsIn(epoch(1, true, uniform).visits)).toBe(10);
});
