/** Attention over packed rows and over a cache, its gradients, and decoding of a few positions. */
import { attentionHeadSizes, type KernelLaunch, launch } from '../../kernel-table.ts';
import { blocksFor, type Matrix, place } from './places.ts';

export interface AttentionSizes {
  /** Rows of the batch; 1 over a cache. */
  rows: number;
  /** Queries of a row. */
  length: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
  /** Positions that a position sees, itself included; absent: all before it. */
  window?: number;
  /** Scores s become c · tanh(s / c); absent: they stay. */
  softCap?: number;
}

/** For the kernels a window as well, longer than any row. */
const allPositions = 2 ** 30;

/** What the kernels take of scores that are not scaled yet: 0 stands for none. */
function scoreFields({ headDim, window, softCap = 0 }: AttentionSizes) {
  const root = Math.sqrt(headDim);
  return { scale: 1 / root, window: window ?? allPositions, cap: softCap * root };
}

interface Bfloats<Buffer> {
  at: Buffer;
  stride: number;
}

/** q [rows · length, heads · headDim], k and v [rows · (past + length), keyValueHeads · headDim], all bfloat16. */
export interface AttentionInputs<Buffer> {
  q: Bfloats<Buffer>;
  k: Bfloats<Buffer>;
  v: Bfloats<Buffer>;
  /** int32 [rows, length]; null: one sequence a row. */
  sequenceIds: Buffer | null;
  /** An int32 on the device: keys before the first query's own, all of them seen; null: none. */
  past: Buffer | null;
}

/**
 * The end of the kernels' names, for the smallest size of heads that there are kernels for, and how they cut the work:
 * queries and kept positions of a block, and into how many blocks the columns of a key's gradient. `capability` is the
 * card's compute capability times ten. Errors: Error where the head is larger than all of them.
 */
function kernelsFor(headDim: number, capability = 80) {
  const size = attentionHeadSizes.find((each) => headDim <= each);
  const widest = attentionHeadSizes.at(-1);
  if (size === undefined)
    throw new Error(`attention kernels take heads of up to ${widest} columns, and got ${headDim}`);
  if (size === 256) return { ending: `${size}`, queries: 64, kept: 64, parts: 2 } as const;
  if (capability === 90) return { ending: `Hopper${size}`, queries: 128, kept: 128, parts: 1 } as const;
  return { ending: `${size}`, queries: 128, kept: 64, parts: 1 } as const;
}

function attentionFields<Buffer>(
  { q, k, v, sequenceIds, past }: AttentionInputs<Buffer>,
  outStride: number,
  sizes: AttentionSizes,
) {
  const strides = { queryStride: q.stride, keyStride: k.stride, valueStride: v.stride, outStride };
  const { rows, length, heads, keyValueHeads, headDim } = sizes;
  const shape = { rows, length, heads, keyValueHeads, headDim };
  return { q: q.at, k: k.at, v: v.at, sequenceIds, past, ...strides, ...shape, ...scoreFields(sizes) };
}

/**
 * out as q; logSumExp [rows, heads, length] float32 is for the gradient, null where none is wanted. Sequence ids and a
 * past exclude each other.
 */
export function attentionForward<Buffer>(
  inputs: AttentionInputs<Buffer>,
  out: Bfloats<Buffer>,
  logSumExp: Buffer | null,
  sizes: AttentionSizes,
  capability = 80,
): KernelLaunch<Buffer> {
  if (inputs.past !== null && (inputs.sequenceIds !== null || sizes.rows !== 1)) {
    throw new Error('attention over a cache has one row and no sequence ids');
  }
  const fields = { ...attentionFields(inputs, out.stride, sizes), out: out.at, logSumExp };
  const { rows, length, heads, headDim } = sizes;
  const { ending, queries } = kernelsFor(headDim, capability);
  const kernel = `attentionForward${ending}` as const;
  return launch<typeof kernel, Buffer>(kernel, [blocksFor(length, queries), heads, rows], fields);
}

export interface AttentionGradients<Buffer> {
  out: Bfloats<Buffer>;
  cotangent: Bfloats<Buffer>;
  logSumExp: Buffer;
  /** Scratch, float32 [rows, heads, length]. */
  delta: Buffer;
  ofQ: Bfloats<Buffer>;
  ofK: Bfloats<Buffer>;
  ofV: Bfloats<Buffer>;
}

/** Cotangents of q, k and v; all bfloat16. */
export function attentionGrad<Buffer>(
  inputs: AttentionInputs<Buffer>,
  { out, cotangent, logSumExp, delta, ofQ, ofK, ofV }: AttentionGradients<Buffer>,
  sizes: AttentionSizes,
  capability = 80,
): KernelLaunch<Buffer>[] {
  const { rows, length, heads, keyValueHeads, headDim } = sizes;
  const given = { cotangent: cotangent.at, logSumExp, delta, cotangentStride: cotangent.stride };
  const fields = { ...attentionFields({ ...inputs, past: null }, out.stride, sizes), ...given };
  const ofKeys = { ...fields, ofK: ofK.at, ofV: ofV.at, ofKStride: ofK.stride, ofVStride: ofV.stride };
  const ofQueries = { ...fields, ofQ: ofQ.at, ofQStride: ofQ.stride };
  const { ending, kept, parts } = kernelsFor(headDim, capability);
  const tiles = blocksFor(length, kept);
  const keyKernel = `attentionKeyGrad${ending}` as const;
  const queryKernel = `attentionQueryGrad${ending}` as const;
  return [
    launch<'attentionDelta', Buffer>('attentionDelta', [blocksFor(rows * length * heads, 8), 1, 1], {
      ...{ out: out.at, cotangent: cotangent.at, delta, outStride: out.stride, cotangentStride: cotangent.stride },
      ...{ rows, length, heads, headDim },
    }),
    launch<typeof keyKernel, Buffer>(keyKernel, [tiles, keyValueHeads * parts, rows], ofKeys),
    launch<typeof queryKernel, Buffer>(queryKernel, [tiles, heads, rows], ofQueries),
  ];
}

/** Parts that decoding cuts what it sees of a cache of up to `capacity` positions into. */
export function decodeSplits(capacity: number, sizes: AttentionSizes, multiprocessors: number): number {
  const blocks = sizes.length * sizes.keyValueHeads;
  const seen = Math.min(capacity, sizes.window ?? capacity);
  return Math.max(1, Math.min(Math.ceil((2 * multiprocessors) / blocks), Math.ceil(seen / 64), 64));
}

/** Floats of scratch memory for attentionDecode. */
export const decodePartial = ({ length, heads, headDim }: AttentionSizes, splits: number): number =>
  length * heads * splits * (headDim + 2);

/**
 * out [length, heads · headDim] for a few new positions (attentionForward is for many): k and v are the caches, with the
 * new positions' rows already in them. `partial`: decodePartial(sizes, splits) floats.
 */
export function attentionDecode<Buffer>(
  { q, k, v, past }: Omit<AttentionInputs<Buffer>, 'sequenceIds' | 'past'> & { past: Buffer },
  out: Matrix<Buffer>,
  partial: Buffer,
  sizes: AttentionSizes,
  splits: number,
): KernelLaunch<Buffer>[] {
  const { length, heads, keyValueHeads, headDim } = sizes;
  kernelsFor(headDim);
  const shape = { length, heads, headDim, splits };
  const eights = Math.ceil(heads / keyValueHeads / 8);
  const strides = { queryStride: q.stride, keyStride: k.stride, valueStride: v.stride };
  return [
    launch<'attentionDecode', Buffer>('attentionDecode', [splits, keyValueHeads * eights, length], {
      ...{ q: q.at, keys: k.at, values: v.at, past, partial, ...strides },
      ...{ ...shape, keyValueHeads, ...scoreFields(sizes) },
    }),
    launch<'attentionDecodeFinish', Buffer>('attentionDecodeFinish', [heads, length, 1], {
      ...{ partial, ...place('out', out), outStride: out.stride, ...shape },
    }),
  ];
}
