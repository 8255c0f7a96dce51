/** What an adapter is trained on, as training items: segments of documents and questions about facts. */

import { type Fact, factKey } from '../corpus/questions/fact.ts';
import { loosened } from '../corpus/questions/loose-wording.ts';
import { filledIn, type Wording, wordingsOf } from '../corpus/questions/wordings.ts';
import type { Segment } from '../corpus/segments.ts';
import type { ChatMessage } from '../model/chat-template.ts';
import { uniformNumbers } from '../model/random.ts';
import { conversationItem, type ModelText, questionItem, segmentHeader, segmentItem } from './items.ts';
import type { TrainingItem } from './packing.ts';

/**
 * Something to learn. Its hash tells whether it was learned before, its key what it is about. What the base wrote, and
 * what holds the adapter to the base, are no part of the corpus: no ledger has them.
 */
export interface Lesson {
  kind: 'segment' | 'question' | 'selfStudy' | 'anchor';
  hash: string;
  path: string;
  key: string;
  /** Index of a segment's first token in its document, and how many it has; of a question 0. */
  start: number;
  size: number;
  /** A training item; for a question in one of its trained wordings, picked by a number in [0, 1), to the letter or loosely. */
  item(choice: number, isToTheLetter?: boolean): TrainingItem;
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
  if (segmentHeader(text, path).length + context.length + tokens.length > rowLength)
    throw new RangeError(`a segment of ${path} does not fit a row of ${rowLength} tokens`);
  const item = () => segmentItem(text, path, tokens, 1, context);
  return { kind: 'segment', hash, path, key: `${path}:${start}`, start, size: tokens.length, item };
}

/** The conversation that ends with a question, with texts before it; null: the bare question. */
export type ShownTexts = (question: string, answer: string, path: string, choice: number) => ChatMessage[] | null;

/**
 * Asked to the letter and loosely. Null where no trained wording fits a row. `weight` is what a token of an answer counts, a
 * segment's counting 1. `shown`:
 * what the question is asked with, picked by a number in [0, 1); without it, the bare question.
 */
export function questionLesson(
  text: ModelText,
  fact: Fact,
  weight: number,
  rowLength: number,
  shown?: ShownTexts,
): Lesson | null {
  const itemOf = (question: string) => questionItem(text, question, fact.answer, weight);
  const questions = trainedWordings(fact).map((wording) => wording.text);
  // That something moved or is gone is told for a while, and with fewer words it would ask what else is asked of its place.
  const isNotice = questions.length === wordingsOf(fact).length;
  const longest = questions.reduce((one, other) => (other.length > one.length ? other : one), '');
  const fits = (question: string) => itemOf(question).tokens.length <= rowLength;
  // Others may have more tokens in fewer characters, though never by half.
  const fit = longest.length + fact.answer.length < rowLength / 2 || itemOf(longest).tokens.length <= rowLength / 2;
  if (!fit && !questions.some(fits)) return null;
  return {
    kind: 'question',
    hash: fact.id,
    path: fact.path,
    key: factKey(fact),
    start: 0,
    size: 0,
    // Worded and encoded when asked for: a large repository has more wordings than memory should hold.
    item: (choice, isToTheLetter = false) => {
      const wordings = trainedWordings(fact);
      const fitting = fit ? wordings : wordings.filter((wording) => fits(wording.text));
      const place = choice * fitting.length;
      const { template, text: toTheLetter } = fitting[Math.floor(place)]!;
      const rest = place % 1;
      const question =
        isToTheLetter || isNotice
          ? toTheLetter
          : filledIn(loosened(template, fact.kind, uniformNumbers(rest * 2 ** 32)), fact);
      const messages = shown?.(question, fact.answer, fact.path, rest) ?? [{ role: 'user', content: question }];
      const item = conversationItem(text, messages, fact.answer, weight);
      return item.tokens.length <= rowLength ? item : itemOf(toTheLetter);
    },
  };
}

function trainedWordings(fact: Fact): Wording[] {
  return wordingsOf(fact).filter(({ heldBack }) => !heldBack);
}
