/** Losses of a slice of logits, and the optimizer. */
import { type KernelLaunch, launch } from '../../kernel-table.ts';
import { blocksFor, type Matrix, place } from './places.ts';

/** More teacher tokens than this a row are refused. */
export const mostTopTokens = 64;

export interface LossRows<Buffer> {
  /** [rows, vocabulary]; float32 is exact, float16 halves the traffic. */
  logits: Matrix<Buffer>;
  /** float32 [rows]; read only where a gradient is wanted. */
  weights: Buffer | null;
  /** bfloat16 [rows, vocabulary]; may lie where 16-bit logits do. Null: no gradient. */
  gradient: { at: Buffer; stride: number } | null;
  /** float32 [rows] */
  perToken: Buffer;
  rows: number;
  vocabulary: number;
  /** Logits z are c · tanh(z / c); absent: they stay. */
  softCap?: number;
}

function lossFields<Buffer>(slice: LossRows<Buffer>) {
  const { logits, weights, gradient, perToken, rows, vocabulary, softCap = 0 } = slice;
  if (gradient !== null && weights === null) throw new Error('a gradient of a loss wants the weights of its rows');
  return {
    ...place('logits', logits),
    logitsStride: logits.stride,
    weights,
    gradient: gradient?.at ?? null,
    gradientStride: gradient?.stride ?? 0,
    perToken,
    rows,
    vocabulary,
    cap: softCap,
  };
}

/** The loss of each row, whether it is right, and the gradient with respect to the logits times the row's weight. */
export function crossEntropyRows<Buffer>(
  slice: LossRows<Buffer>,
  labels: Buffer,
  correct: Buffer,
): KernelLaunch<Buffer> {
  return launch('crossEntropyRows', [slice.rows, 1, 1], { ...lossFields(slice), labels, correct });
}

/** KL to a teacher's topCount likeliest tokens: topIds int32 and topLogProbabilities float32 [rows, topCount]. */
export function distillationRows<Buffer>(
  slice: LossRows<Buffer>,
  { topIds, topLogProbabilities, topCount }: { topIds: Buffer; topLogProbabilities: Buffer; topCount: number },
): KernelLaunch<Buffer> {
  if (topCount > mostTopTokens) throw new Error(`distillation takes ${mostTopTokens} tokens a row, not ${topCount}`);
  const teacher = { topIds, topLogProbabilities, topCount };
  return launch('distillationRows', [slice.rows, 1, 1], { ...lossFields(slice), ...teacher });
}

/** out, a float32 = Σ values · weights over `count` float32. */
export function weightedSum<Buffer>(values: Buffer, weights: Buffer, out: Buffer, count: number): KernelLaunch<Buffer> {
  return launch('weightedSum', [1, 1, 1], { values, weights, out, count });
}

/** Floats of scratch memory for the norm of a vector. */
export const normPartial = 512;

/** norm, a float32 = √Σ x² over `count` float32; inverse = 1 / (norm + 1e-12); `partial`: normPartial floats. */
export function euclideanNorm<Buffer>(
  x: Buffer,
  partial: Buffer,
  { norm, inverse }: { norm: Buffer; inverse: Buffer | null },
  count: number,
): KernelLaunch<Buffer>[] {
  const blocks = Math.min(normPartial, blocksFor(count, 1024));
  return [
    launch('sumOfSquares', [blocks, 1, 1], { x, partial, count }),
    launch('euclideanNorm', [1, 1, 1], { partial, norm, inverse, count: blocks }),
  ];
}

export interface AdamwMemory<Buffer> {
  parameters: Buffer;
  first: Buffer;
  second: Buffer;
  gradient: Buffer;
  /** Scalars on the device, float32. */
  learningRate: Buffer;
  step: Buffer;
  norm: Buffer;
  /** May be the three that they follow. */
  nextParameters: Buffer;
  nextFirst: Buffer;
  nextSecond: Buffer;
  /** bfloat16 copy of the next parameters; null: none. */
  rounded: Buffer | null;
}

/** One AdamW step on vectors of `count` float32; settings as graph/ops/optimizer.ts has them. */
export function adamw<Buffer>(
  memory: AdamwMemory<Buffer>,
  settings: { beta1: number; beta2: number; epsilon: number; weightDecay: number; clipNorm: number },
  count: number,
): KernelLaunch<Buffer> {
  const { beta1, beta2, epsilon, weightDecay, clipNorm } = settings;
  const numbers = { beta1, beta2, epsilon, weightDecay, clipNorm, count };
  return launch('adamw', [blocksFor(count, 256), 1, 1], { ...memory, ...numbers });
}
