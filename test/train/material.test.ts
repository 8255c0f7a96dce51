import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFact } from '../../native-host/corpus/questions/fact.ts';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import { questionLesson } from '../../native-host/train/material.ts';
import { openTinyModel, type TinyModel } from './tiny-training.ts';

let tiny: TinyModel;
beforeAll(async () => {
  tiny = await openTinyModel();
});
afterAll(() => tiny.remove());

const fact = makeFact({
  kind: 'constant-value',
  stratum: 'identifiers',
  path: 'src/queue.ts',
  line: 1,
  subject: 'queueLimit',
  slots: { name: 'queueLimit' },
  answer: '42',
});
const choices = Array.from({ length: 500 }, (_, i) => (i + 0.5) / 500);

test('a question is asked in its trained wordings, and around them, each time with its answer', () => {
  const { tokenizer } = tiny.model;
  const lesson = questionLesson(tiny.model, fact, 3, 256)!;
  const asked = (isToTheLetter: boolean) =>
    choices.map((choice) => {
      const { tokens, weights } = lesson.item(choice, isToTheLetter);
      expect(tokenizer.decode(tokens.filter((_, i) => weights[i] === 3))).toContain('42');
      return tokenizer.decode(tokens.filter((_, i) => weights[i] === 0));
    });
  const trained = wordingsOf(fact).filter(({ heldBack }) => !heldBack);
  const toTheLetter = asked(true);
  for (const { text } of trained) expect(toTheLetter.some((prompt) => prompt.includes(text))).toBe(true);
  expect(new Set(toTheLetter).size).toBe(trained.length);
  const loosely = asked(false);
  expect(new Set(loosely).size).toBeGreaterThan(10 * trained.length);
  for (const prompt of loosely) expect(prompt).toContain('queueLimit');
  // The same choice asks the same.
  expect(asked(false)).toEqual(loosely);
});

test('that something is gone is told to the letter', () => {
  const { tokenizer } = tiny.model;
  const slots = Object.fromEntries(['name', 'path', 'from', 'to', 'file'].map((slot) => [slot, 'src/gone.ts']));
  const removed = makeFact({ ...fact, kind: 'removed', slots, answer: 'removed' });
  const lesson = questionLesson(tiny.model, removed, 3, 256)!;
  const asked = choices.map((choice) => tokenizer.decode(lesson.item(choice).tokens));
  expect(new Set(asked).size).toBe(wordingsOf(removed).length);
});

test('what does not fit a row is asked to the letter', () => {
  const widest = Math.max(
    ...choices.map((choice) => questionLesson(tiny.model, fact, 3, 256)!.item(choice, true).tokens.length),
  );
  const lesson = questionLesson(tiny.model, fact, 3, widest)!;
  for (const choice of choices) expect(lesson.item(choice).tokens.length).toBeLessThanOrEqual(widest);
});
