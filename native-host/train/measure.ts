/** Measuring by teacher forcing: what share of tokens is predicted right, and which answers come out whole. */
import { type ModelText, questionItem, segmentItem } from './items.ts';
import { type PackedBatch, packed, type TrainingItem } from './packing.ts';
import type { BatchShape } from './program.ts';
import type { BatchLoss } from './trainer.ts';

export interface Measurable {
  measure(batch: PackedBatch): Promise<BatchLoss>;
}

export interface TokenCount {
  correct: number;
  counted: number;
  /** Σ −log p over the counted tokens. */
  nll: number;
}

// The first tokens of a segment stand without the text before them: nobody could predict them from the path alone.
const uncountedTokens = 16;

/** Tokens of a document's non-overlapping segments, each after its path only, the first 16 of each not counted. */
export function recallItems(text: ModelText, path: string, tokens: Uint32Array, segmentLength: number): TrainingItem[] {
  return recallStarts(tokens.length, segmentLength).map((start) =>
    recallItem(text, path, tokens, start, segmentLength),
  );
}

/** Where the segments begin that measure a document of so many tokens. */
export function recallStarts(tokenCount: number, segmentLength: number): number[] {
  const starts: number[] = [];
  for (let start = 0; start + uncountedTokens < tokenCount; start += segmentLength) starts.push(start);
  return starts;
}

/** How many tokens the segments of a document count together. */
export function recallCount(tokenCount: number, segmentLength: number): number {
  const counted = (start: number) => Math.min(segmentLength, tokenCount - start) - uncountedTokens;
  return recallStarts(tokenCount, segmentLength).reduce((total, start) => total + counted(start), 0);
}

/** The one of them that begins at `start`; its source is the path. */
export function recallItem(
  text: ModelText,
  path: string,
  tokens: Uint32Array,
  start: number,
  segmentLength: number,
): TrainingItem {
  const part = tokens.subarray(start, start + segmentLength);
  const item = segmentItem(text, path, part, 1);
  const first = item.tokens.length - part.length + uncountedTokens;
  return { tokens: item.tokens, weights: item.weights.map((weight, i) => (i < first ? 0 : weight)), source: path };
}

/** Whether to go on: an AbortSignal, or a time that is over. */
export interface Stop {
  readonly aborted: boolean;
}

/** Correct and counted tokens by the items' source; when stopped, of what was measured until then. */
export async function measureItems(
  model: Measurable,
  items: Iterable<TrainingItem>,
  shape: BatchShape,
  signal?: Stop,
): Promise<Map<unknown, TokenCount>> {
  const counts = new Map<unknown, TokenCount>();
  for (const batch of packed(items, shape)) {
    if (signal?.aborted) break;
    const loss = await model.measure(batch);
    for (const { item, start } of batch.placed) {
      const before = counts.get(item.source);
      const count = countTokens(loss, batch, start, item.tokens.length);
      counts.set(item.source, before === undefined ? count : addCounts(before, count));
    }
  }
  return counts;
}

/** The tokens that carry loss among `length` positions from `start`. */
export function countTokens(
  { perToken, correct }: BatchLoss,
  batch: PackedBatch,
  start: number,
  length: number,
): TokenCount {
  const count = { correct: 0, counted: 0, nll: 0 };
  for (let i = start; i < start + length; i++) {
    if (batch.weights[i] === 0) continue;
    count.counted += 1;
    count.correct += correct[i]!;
    count.nll += perToken[i]!;
  }
  return count;
}

/** Share of the tokens that count which are predicted right; 0 where none counts. */
export function shareRight(counts: Iterable<Pick<TokenCount, 'correct' | 'counted'>>): number {
  let right = 0;
  let all = 0;
  for (const { correct, counted } of counts) {
    right += correct;
    all += counted;
  }
  return all === 0 ? 0 : right / all;
}

export function addCounts(left: TokenCount, right: TokenCount): TokenCount {
  return {
    correct: left.correct + right.correct,
    counted: left.counted + right.counted,
    nll: left.nll + right.nll,
  };
}

/**
 * Whether each answer would be generated exactly. Greedy decoding gives the answer if and only if every token of it,
 * the end included, is the likeliest one after those before it, so one pass over the given answer tells.
 */
export async function exactAnswers(
  model: Measurable,
  text: ModelText,
  questions: readonly { question: string; answer: string }[],
  shape: BatchShape,
  signal?: AbortSignal,
): Promise<boolean[]> {
  const items = questions.map(({ question, answer }, i) => ({ ...questionItem(text, question, answer, 1), source: i }));
  const fitting = items.filter(({ tokens }) => tokens.length <= shape.length);
  const counts = await measureItems(model, fitting, shape, signal);
  return questions.map((_, i) => {
    const count = counts.get(i);
    return count !== undefined && count.counted > 0 && count.correct === count.counted;
  });
}
