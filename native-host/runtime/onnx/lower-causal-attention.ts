/**
 * Attention within packed rows, in blocks of queries: a block is multiplied with the keys up to its own end only, so that
 * with four blocks three eighths of the work, all of it masked, are left out.
 */
import type { AttentionShape } from '../../graph/ops/attention.ts';
import type { Node } from '../../graph/value.ts';
import type { OnnxBuilder } from './builder.ts';
import type { Lowering } from './lower.ts';

/** Large enough to give a masked score no weight, small enough that no sum with it overflows. */
export const maskedScore = -1e9;

// Smaller blocks leave out more, but their products are slower and their parts have to be put together.
const fewestRows = 128;
const mostBlocks = 4;

/** Sizes of an attention over B rows of T positions, with the blocks that T falls into. */
interface Layout extends AttentionShape {
  batch: number;
  length: number;
  blocks: readonly { start: number; end: number }[];
}

export const causalAttentionLowerings: Record<string, Lowering> = {
  causalAttention: ({ builder, inputs: [q, k, v, sequenceIds], node, saved, gradientOf }) => {
    const layout = layoutOf(node);
    const queryBlocks = cutRows(builder, toHeads(builder, q!, layout, layout.heads), layout);
    const allKeys = toHeads(builder, k!, layout, layout.keyValueHeads);
    const allValues = toHeads(builder, v!, layout, layout.keyValueHeads);
    const kept: Record<string, string> = {};
    const mixed = layout.blocks.map(({ start, end }, i) => {
      const queries = groupHeads(builder, queryBlocks[i]!, layout);
      const keys = firstRows(builder, allKeys, end, layout);
      const values = firstRows(builder, allValues, end, layout);
      const scores = builder.product(queries, keys, false, true, scaleOf(layout));
      const { capped, tanh } = capScores(builder, scores, layout.softCap);
      if (tanh !== null) kept[`tanh ${i}`] = tanh;
      const perHead = builder.reshape(capped, [layout.batch, layout.heads, end - start, end]);
      const allowed = builder.one('Add', [perHead, blockMask(builder, sequenceIds!, layout, start, end)]);
      const weights = groupHeads(builder, builder.one('Softmax', [allowed], { axis: -1 }), layout, end);
      Object.assign(kept, { [`queries ${i}`]: queries, [`keys ${i}`]: keys, [`values ${i}`]: values });
      kept[`weights ${i}`] = weights;
      return ungroupHeads(builder, builder.product(weights, values), layout, end - start);
    });
    if (gradientOf.has(node)) saved.set(node, kept);
    return [fromHeads(builder, joinRows(builder, mixed), layout.heads * layout.headDim)];
  },

  // With P = softmax(s·QKᵀ + mask): dV = Pᵀ·dO, dS = P·(dO·Vᵀ − rowsum(dO·O)), dQ = s·dS·K, dK = s·dSᵀ·Q. Of capped scores
  // c·tanh(S/c) the gradient is dS·(1 − tanh²).
  causalAttentionGrad: ({ builder, inputs: [, , , , output, cotangent], node, saved }) => {
    const { forward } = node.attributes;
    const layout = layoutOf(forward);
    const kept = saved.get(forward)!;
    const scale = scaleOf(layout);
    const product = builder.reshape(builder.one('Mul', [cotangent!, output!]), [
      layout.batch,
      layout.length,
      layout.heads,
      layout.headDim,
    ]);
    const rowSums = builder.transpose(builder.reduceLast('ReduceSum', product), [0, 2, 1, 3]);
    const sumBlocks = cutRows(builder, rowSums, layout);
    const outputBlocks = cutRows(builder, toHeads(builder, cotangent!, layout, layout.heads), layout);
    const ofQueries: string[] = [];
    const ofKeys: string[] = [];
    const ofValues: string[] = [];
    layout.blocks.forEach(({ start, end }, i) => {
      const part = (name: string) => kept[`${name} ${i}`]!;
      const ofOutput = groupHeads(builder, outputBlocks[i]!, layout);
      const ofWeights = builder.product(ofOutput, part('values'), false, true);
      const centred = builder.one('Sub', [ofWeights, groupHeads(builder, sumBlocks[i]!, layout, 1)]);
      const ofCapped = builder.one('Mul', [centred, part('weights')]);
      const ofScores = layout.softCap === undefined ? ofCapped : throughTanh(builder, ofCapped, part('tanh'));
      const ofBlock = builder.product(ofScores, part('keys'), false, false, scale);
      ofQueries.push(ungroupHeads(builder, ofBlock, layout, end - start));
      ofKeys.push(builder.product(ofScores, part('queries'), true, false, scale));
      ofValues.push(builder.product(part('weights'), ofOutput, true, false));
    });
    const keyWidth = layout.keyValueHeads * layout.headDim;
    return [
      fromHeads(builder, joinRows(builder, ofQueries), layout.heads * layout.headDim),
      fromHeads(builder, sumOfFirstRows(builder, ofKeys, layout), keyWidth),
      fromHeads(builder, sumOfFirstRows(builder, ofValues, layout), keyWidth),
    ];
  },
};

/** Bytes of the weights of a causalAttention node, all its blocks together. */
export function attentionWeightBytes(node: Node): number {
  const { batch, heads, blocks } = layoutOf(node);
  return 4 * batch * heads * blocks.reduce((sum, { start, end }) => sum + (end - start) * end, 0);
}

function layoutOf(node: Node): Layout {
  const shape = node.attributes as unknown as AttentionShape;
  const [batch, length] = node.inputs[3]!.shape as [number, number];
  const count = Math.min(mostBlocks, Math.max(1, Math.floor(length / fewestRows)));
  const bound = (i: number) => Math.floor((i * length) / count);
  const blocks = Array.from({ length: count }, (_, i) => ({ start: bound(i), end: bound(i + 1) }));
  return { ...shape, batch, length, blocks };
}

/** Scores as the softmax takes them: cap · tanh(scores / cap), and the tanh; or as they are. */
export function capScores(
  builder: OnnxBuilder,
  scores: string,
  cap: number | undefined,
): { capped: string; tanh: string | null } {
  if (cap === undefined) return { capped: scores, tanh: null };
  const tanh = builder.one('Tanh', [builder.one('Mul', [scores, builder.float(1 / cap)])]);
  return { capped: builder.one('Mul', [tanh, builder.float(cap)]), tanh };
}

function throughTanh(builder: OnnxBuilder, cotangent: string, tanh: string): string {
  const slope = builder.one('Sub', [builder.float(1), builder.one('Mul', [tanh, tanh])]);
  return builder.one('Mul', [cotangent, slope]);
}

const scaleOf = ({ headDim }: Layout) => 1 / Math.sqrt(headDim);

/** [B·T, h·D] → [B, h, T, D] */
function toHeads(builder: OnnxBuilder, x: string, { batch, length, headDim }: Layout, heads: number): string {
  return builder.transpose(builder.reshape(x, [batch, length, heads, headDim]), [0, 2, 1, 3]);
}

/** [B, h, T, D] → [B·T, h·D] */
function fromHeads(builder: OnnxBuilder, x: string, width: number): string {
  return builder.reshape(builder.transpose(x, [0, 2, 1, 3]), [-1, width]);
}

/** [B, H, t, c] → [B, G, H/G·t, c]: the query heads of one key/value head below one another. */
function groupHeads(builder: OnnxBuilder, x: string, layout: Layout, columns = layout.headDim): string {
  if (layout.heads === layout.keyValueHeads) return x;
  return builder.reshape(x, [layout.batch, layout.keyValueHeads, -1, columns]);
}

/** [B, G, H/G·t, D] → [B, H, t, D] */
function ungroupHeads(builder: OnnxBuilder, x: string, layout: Layout, rows: number): string {
  if (layout.heads === layout.keyValueHeads) return x;
  return builder.reshape(x, [layout.batch, layout.heads, rows, layout.headDim]);
}

/** [B, H, T, c] → [B, H, t, c] for each block. */
function cutRows(builder: OnnxBuilder, x: string, { blocks }: Layout): string[] {
  if (blocks.length === 1) return [x];
  const sizes = builder.int64(blocks.map(({ start, end }) => end - start));
  return builder.many('Split', [x, sizes], blocks.length, { axis: 2 });
}

function joinRows(builder: OnnxBuilder, parts: readonly string[]): string {
  return parts.length === 1 ? parts[0]! : builder.one('Concat', parts, { axis: 2 });
}

/** [B, G, T, D] → [B, G, end, D] */
function firstRows(builder: OnnxBuilder, x: string, end: number, { length }: Layout): string {
  if (end === length) return x;
  return builder.one('Slice', [x, builder.int64([0]), builder.int64([end]), builder.int64([2])]);
}

/** What the blocks give for the rows [B, G, end, D] that they read, added up to [B, G, T, D]. */
function sumOfFirstRows(builder: OnnxBuilder, parts: readonly string[], { blocks, length }: Layout): string {
  return parts.reduceRight((sum, part, i) => {
    const padding = builder.int64([0, 0, 0, 0, 0, 0, length - blocks[i]!.end, 0]);
    return builder.one('Add', [sum, builder.one('Pad', [part, padding])]);
  });
}

/** Additive mask [B, 1, end − start, end] of the queries from start to end: rows of the mask over all positions. */
function blockMask(builder: OnnxBuilder, sequenceIds: string, layout: Layout, start: number, end: number): string {
  const mask = packedMask(builder, sequenceIds, layout);
  if (end - start === layout.length) return mask;
  return builder.one('Slice', [mask, builder.int64([start, 0]), builder.int64([end, end]), builder.int64([2, 3])]);
}

/**
 * Additive mask [B, 1, T, T]: 0 where the key is of the same sequence, not later and within the window, else a large
 * negative number.
 */
function packedMask(builder: OnnxBuilder, sequenceIds: string, { length, window = length }: Layout): string {
  const causal = builder.once(`triangle ${length} ${window}`, () => {
    const triangle = new Uint8Array(length * length);
    for (let row = 0; row < length; row++) {
      triangle.fill(1, row * length + Math.max(0, row + 1 - window), row * length + row + 1);
    }
    return builder.constant('bool', [length, length], triangle);
  });
  const rows = builder.one('Unsqueeze', [sequenceIds, builder.int64([1, 3])]);
  const columns = builder.one('Unsqueeze', [sequenceIds, builder.int64([1, 2])]);
  const allowed = builder.one('And', [builder.one('Equal', [rows, columns]), causal]);
  return builder.one('Where', [allowed, builder.float(0), builder.float(maskedScore)]);
}
