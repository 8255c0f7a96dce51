/** What an adapter is trained on, as training items: segments of documents and questions about facts. */

import { type Fact, factKey } from '../corpus/questions/fact.ts';
import { wordingsOf } from '../corpus/questions/wordings.ts';
import type { Segment } from '../corpus/segments.ts';
import { type ModelText, questionItem, segmentItem } from './items.ts';
import type { TrainingItem } from './packing.ts';

/** Something to learn. Its hash tells whether it was learned before, its key what it is about. */
export interface Lesson {
  kind: 'segment' | 'question';
  hash: string;
  path: string;
  key: string;
  /** Tokens of a segment; of a question 0. */
  size: number;
  /** A training item; for a question in one of its trained wordings, picked by a number in [0, 1). */
  item(choice: number): TrainingItem;
}

/**
 * `context`: tokens of the document's head and tail that are shown before the segment, where the window has room for
 * them (contextualised segments).
 */
export function segmentLesson(
  text: ModelText,
  segment: Segment,
  context: readonly number[],
  rowLength: number,
): Lesson {
  const { path, hash, start, tokens } = segment;
  const item = segmentItem(text, path, tokens, 1, context);
  if (item.tokens.length > rowLength)
    throw new RangeError(`a segment of ${path} does not fit a row of ${rowLength} tokens`);
  return { kind: 'segment', hash, path, key: `${path}:${start}`, size: tokens.length, item: () => item };
}

/** Null where no trained wording fits a row. `weight` is what a token of an answer counts, a segment's counting 1. */
export function questionLesson(text: ModelText, fact: Fact, weight: number, rowLength: number): Lesson | null {
  const questions = wordingsOf(fact)
    .filter(({ heldBack }) => !heldBack)
    .map((wording) => wording.text);
  // Encoded when asked for: a large repository has more wordings than memory should hold.
  const itemOf = (question: string) => questionItem(text, question, fact.answer, weight);
  const longest = Math.max(0, ...questions.map((question) => question.length)) + fact.answer.length;
  const fitting =
    longest < rowLength / 2 ? questions : questions.filter((question) => itemOf(question).tokens.length <= rowLength);
  if (fitting.length === 0) return null;
  return {
    kind: 'question',
    hash: fact.id,
    path: fact.path,
    key: factKey(fact),
    size: 0,
    item: (choice) => itemOf(fitting[Math.floor(choice * fitting.length)]!),
  };
}
