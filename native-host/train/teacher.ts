/** The frozen base as a teacher: what it finds likely where an item's tokens stand, in one pass over each. */
import { frozenWeights } from '../model/coded-weights.ts';
import type { Device } from '../runtime/device.ts';
import type { Stop } from './measure.ts';
import { batchInputs, type PackedBatch, packed, type TrainingItem } from './packing.ts';
import { type BatchShape, logitsProgram } from './program.ts';
import { joinedTopTokens, type TopTokens, topTokens } from './top-tokens.ts';
import type { TrainableModel } from './trainer.ts';

/** Logits of a run: at most this many floats (32 MB). */
const mostLogits = 8 * 1024 * 1024;

/** The longest item of which all logits are in memory at once, up to a row of `longest`. */
export function longestTaught({ config }: TrainableModel, longest: number): number {
  return Math.max(1, Math.min(longest, Math.floor(mostLogits / config.vocabSize)));
}

/**
 * The items, each with what the base finds likely after the tokens before. Stopped, those that were reached.
 * Errors: RangeError where an item is longer than `length`.
 */
export async function withTeacher(
  device: Device,
  model: TrainableModel,
  items: Iterable<TrainingItem>,
  length: number,
  stop?: Stop,
): Promise<TrainingItem[]> {
  const shape: BatchShape = { rows: 1, length };
  const program = await device.compile(logitsProgram(model.config, shape), frozenWeights(model));
  const taught: TrainingItem[] = [];
  try {
    for (const batch of packed(items, shape)) {
      if (stop?.aborted) break;
      const { ids, positions, sequenceIds } = batchInputs(batch, 1);
      const { host } = await program.run({ ids: ids!, positions: positions!, sequenceIds: sequenceIds! });
      const logits = host.logits!.data as Float32Array;
      for (const { item, start } of batch.placed) {
        taught.push({ ...item, teacher: teacherOf(item, start, batch, logits, model.config.vocabSize) });
      }
    }
  } finally {
    await program.release();
  }
  return taught;
}

/** Of the item's positions that carry loss. */
function teacherOf(
  { tokens }: TrainingItem,
  start: number,
  { weights }: PackedBatch,
  logits: Float32Array,
  vocabSize: number,
): TopTokens {
  const positions = tokens.map((_, i) => start + i).filter((position) => weights[position] !== 0);
  const rows = positions.map((position) => logits.subarray(position * vocabSize, (position + 1) * vocabSize));
  return joinedTopTokens(rows.map((row) => topTokens(row, vocabSize)));
}
