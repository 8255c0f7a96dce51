/** Training items packed into rows of a fixed length, several to a row, each a sequence of its own. */
import { float32, type HostTensor, int32 } from '../runtime/device.ts';
import type { BatchShape } from './program.ts';
import { type TopTokens, topCount } from './top-tokens.ts';

export interface TrainingItem {
  tokens: readonly number[];
  /** Loss weight of each token as a thing to predict; the first token's is not used. */
  weights: readonly number[];
  /**
   * What a teacher finds likely where tokens with a weight stand, one position for each of them: it is learned in place of
   * these tokens.
   */
  teacher?: TopTokens;
  /** Whatever the caller wants to find its items again by. */
  source?: unknown;
}

export interface PlacedItem {
  item: TrainingItem;
  /** Index of the item's first token in the batch's B·T positions. */
  start: number;
}

export interface PackedBatch {
  shape: BatchShape;
  ids: Int32Array;
  positions: Int32Array;
  sequenceIds: Int32Array;
  labels: Int32Array;
  weights: Float32Array;
  /** Of the positions that are learned from a teacher; null where none is. Their own weights are 0. */
  taught: TaughtPositions | null;
  placed: PlacedItem[];
  /** Positions whose weight is not 0, those learned from a teacher among them. */
  trainedTokens: number;
  /** Σ weights, before normalising. */
  totalWeight: number;
}

/** For all positions of a batch, though most weights are 0: K likeliest tokens of each. */
export interface TaughtPositions {
  /** [B·T, K] */
  topIds: Int32Array;
  topLogProbabilities: Float32Array;
  /** [B·T] */
  weights: Float32Array;
}

const paddingSequence = -1;

/** All batches of `packed`. */
export function pack(items: Iterable<TrainingItem>, shape: BatchShape): PackedBatch[] {
  return [...packed(items, shape)];
}

/**
 * Packs items in order, each into the first row of the current batch that has room, and starts a new batch when none
 * has. Items are asked for when a batch is, so that a large corpus need not be in memory as items.
 * Errors: RangeError where an item is longer than a row, or has a teacher of another length.
 */
export function* packed(items: Iterable<TrainingItem>, shape: BatchShape): Generator<PackedBatch, void> {
  let batch = emptyBatch(shape);
  let used = new Array<number>(shape.rows).fill(0);
  for (const item of items) {
    const size = item.tokens.length;
    if (size > shape.length) throw new RangeError(`an item of ${size} tokens does not fit a row of ${shape.length}`);
    let row = used.findIndex((taken) => taken + size <= shape.length);
    if (row < 0) {
      yield batch;
      batch = emptyBatch(shape);
      used = new Array<number>(shape.rows).fill(0);
      row = 0;
    }
    place(batch, item, row * shape.length + used[row]!);
    used[row]! += size;
  }
  if (batch.placed.length > 0) yield batch;
}

function emptyBatch(shape: BatchShape): PackedBatch {
  const count = shape.rows * shape.length;
  return {
    shape,
    ids: new Int32Array(count),
    positions: new Int32Array(count),
    sequenceIds: new Int32Array(count).fill(paddingSequence),
    labels: new Int32Array(count),
    weights: new Float32Array(count),
    taught: null,
    placed: [],
    trainedTokens: 0,
    totalWeight: 0,
  };
}

function place(batch: PackedBatch, item: TrainingItem, start: number): void {
  const sequence = batch.placed.length;
  if (item.teacher !== undefined) batch.taught ??= nothingTaught(batch.ids.length);
  let rowOfTeacher = 0;
  item.tokens.forEach((token, i) => {
    batch.ids[start + i] = token;
    batch.positions[start + i] = i;
    batch.sequenceIds[start + i] = sequence;
    const next = item.tokens[i + 1];
    const weight = item.weights[i + 1];
    if (next === undefined || weight === undefined || weight === 0) return;
    if (item.teacher === undefined) {
      batch.labels[start + i] = next;
      batch.weights[start + i] = weight;
    } else {
      teach(batch.taught!, start + i, item.teacher, rowOfTeacher, weight);
      rowOfTeacher += 1;
    }
    batch.trainedTokens += 1;
    batch.totalWeight += weight;
  });
  if (item.teacher !== undefined && item.teacher.ids.length !== rowOfTeacher * topCount)
    throw new RangeError(`a teacher of ${item.teacher.ids.length / topCount} positions for ${rowOfTeacher} tokens`);
  batch.placed.push({ item, start });
}

function nothingTaught(count: number): TaughtPositions {
  return {
    topIds: new Int32Array(count * topCount),
    topLogProbabilities: new Float32Array(count * topCount),
    weights: new Float32Array(count),
  };
}

function teach(taught: TaughtPositions, position: number, teacher: TopTokens, row: number, weight: number): void {
  const [from, to] = [row * topCount, (row + 1) * topCount];
  taught.topIds.set(teacher.ids.subarray(from, to), position * topCount);
  taught.topLogProbabilities.set(teacher.logProbabilities.subarray(from, to), position * topCount);
  taught.weights[position] = weight;
}

/**
 * The inputs that the loss programs take, with the weights multiplied by `factor`; those of taught positions where there
 * are some.
 */
export function batchInputs(batch: PackedBatch, factor: number): Record<string, HostTensor> {
  const times = (weights: Float32Array) => (factor === 1 ? weights : weights.map((weight) => weight * factor));
  const { taught } = batch;
  return {
    ids: int32(batch.ids),
    positions: int32(batch.positions),
    sequenceIds: int32(batch.sequenceIds, [batch.shape.rows, batch.shape.length]),
    labels: int32(batch.labels),
    weights: float32(times(batch.weights)),
    ...(taught === null
      ? {}
      : {
          topIds: int32(taught.topIds, [batch.ids.length, topCount]),
          topLogProbabilities: float32(taught.topLogProbabilities, [batch.ids.length, topCount]),
          taughtWeights: float32(times(taught.weights)),
        }),
  };
}
