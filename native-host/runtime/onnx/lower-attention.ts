import type { AttentionShape } from '../../graph/ops/attention.ts';
import type { Node } from '../../graph/value.ts';
import type { OnnxBuilder } from './builder.ts';
import type { Lowering } from './lower.ts';

// Large enough to give a masked score no weight, small enough that no sum with it overflows.
const masked = -1e9;

export const attentionLowerings: Record<string, Lowering> = {
  rope: ({ builder, inputs: [x, positions, cosines, sines], node }) => {
    const { headDim, inverse } = node.attributes;
    const width = node.inputs[0]!.shape[1] as number;
    const rows = builder.one('Unsqueeze', [x!, builder.int64([0])]);
    const positionRow = builder.one('Unsqueeze', [builder.cast(positions!, 'int64'), builder.int64([0])]);
    const signedSines = inverse ? builder.one('Neg', [sines!]) : sines!;
    const attributes = { num_heads: width / headDim, interleaved: 0 };
    const turned = builder.one(
      'RotaryEmbedding',
      [rows, positionRow, cosines!, signedSines],
      attributes,
      'com.microsoft',
    );
    return [builder.one('Squeeze', [turned, builder.int64([0])])];
  },

  causalAttention: ({ builder, inputs: [q, k, v, sequenceIds], node, saved, gradientOf }) => {
    const shape = node.attributes as unknown as AttentionShape;
    const [batch, length] = node.inputs[3]!.shape as [number, number];
    const queries = groupQueries(builder, q!, batch, length, shape);
    const keys = toHeads(builder, k!, batch, length, shape.keyValueHeads, shape.headDim);
    const values = toHeads(builder, v!, batch, length, shape.keyValueHeads, shape.headDim);
    const scores = builder.product(queries, keys, false, true, 1 / Math.sqrt(shape.headDim));
    const perHead = builder.reshape(scores, [batch, shape.heads, length, length]);
    const allowed = builder.one('Add', [perHead, packedMask(builder, sequenceIds!, length)]);
    const weights = builder.reshape(builder.one('Softmax', [allowed], { axis: -1 }), [
      batch,
      shape.keyValueHeads,
      -1,
      length,
    ]);
    if (gradientOf.has(node)) saved.set(node, { queries, keys, values, weights });
    return [ungroupQueries(builder, builder.product(weights, values), batch, length, shape)];
  },

  // With P = softmax(s·QKᵀ + mask): dV = Pᵀ·dO, dS = P·(dO·Vᵀ − rowsum(dO·O)), dQ = s·dS·K, dK = s·dSᵀ·Q.
  causalAttentionGrad: ({ builder, inputs: [, , , , output, cotangent], node, saved }) => {
    const { forward, ...rest } = node.attributes;
    const shape = rest as unknown as AttentionShape;
    const [batch, length] = (forward as Node).inputs[3]!.shape as [number, number];
    const { queries, keys, values, weights } = saved.get(forward)!;
    const ofOutput = groupQueries(builder, cotangent!, batch, length, shape);
    const grouped = groupQueries(builder, output!, batch, length, shape);
    const rowSums = builder.reduceLast('ReduceSum', builder.one('Mul', [ofOutput, grouped]));
    const ofWeights = builder.product(ofOutput, values!, false, true);
    const ofScores = builder.one('Mul', [builder.one('Sub', [ofWeights, rowSums]), weights!]);
    const factor = 1 / Math.sqrt(shape.headDim);
    const merge = (x: string) => fromHeads(builder, x, shape.keyValueHeads * shape.headDim);
    return [
      ungroupQueries(builder, builder.product(ofScores, keys!, false, false, factor), batch, length, shape),
      merge(builder.product(ofScores, queries!, true, false, factor)),
      merge(builder.product(weights!, ofOutput, true, false)),
    ];
  },

  cachedAttention: ({ builder, inputs: [q, k, v, pastK, pastV], node, saved }) => {
    const { heads, keyValueHeads, headDim } = node.attributes as unknown as AttentionShape;
    const keys = builder.one('Concat', [pastK!, k!], { axis: 0 });
    const values = builder.one('Concat', [pastV!, v!], { axis: 0 });
    saved.set(node, { keys, values });
    const headsFirst = (x: string, count: number) =>
      builder.transpose(builder.reshape(x, [-1, count, headDim]), [1, 0, 2]);
    // Query heads of one key/value head go below one another: [G, H/G·n, D].
    const queries = builder.reshape(headsFirst(q!, heads), [keyValueHeads, -1, headDim]);
    const scores = builder.product(queries, headsFirst(keys, keyValueHeads), false, true, 1 / Math.sqrt(headDim));
    const { rows, mask } = cacheMask(builder, k!, pastK!);
    const perHead = builder.one('Reshape', [
      scores,
      builder.one('Concat', [builder.int64([heads]), rows, builder.int64([-1])], { axis: 0 }),
    ]);
    const weights = builder.one('Softmax', [builder.one('Add', [perHead, mask])], { axis: -1 });
    const grouped = builder.one('Reshape', [
      weights,
      builder.one('Concat', [builder.int64([keyValueHeads, -1]), builder.one('Shape', [keys], { start: 0, end: 1 })], {
        axis: 0,
      }),
    ]);
    const mixed = builder.product(grouped, headsFirst(values, keyValueHeads));
    const perQuery = builder.one('Reshape', [
      mixed,
      builder.one('Concat', [builder.int64([heads]), rows, builder.int64([headDim])], { axis: 0 }),
    ]);
    return [builder.reshape(builder.transpose(perQuery, [1, 0, 2]), [-1, heads * headDim])];
  },

  gatedBlend: ({ builder, inputs: [a, b, gate], node }) => {
    const { perHead, heads } = gateShapes(builder, node);
    const spread = builder.reshape(gate!, [-1, heads, 1]);
    const difference = builder.one('Sub', [perHead(b!), perHead(a!)]);
    const blended = builder.one('Add', [perHead(a!), builder.one('Mul', [difference, spread])]);
    return [builder.reshape(blended, [-1, node.inputs[0]!.shape[1] as number])];
  },

  gatedBlendGrad: ({ builder, inputs: [a, b, gate, cotangent], node }) => {
    const { perHead, heads } = gateShapes(builder, node);
    const width = node.inputs[0]!.shape[1] as number;
    const spread = builder.reshape(gate!, [-1, heads, 1]);
    const ofB = builder.one('Mul', [perHead(cotangent!), spread]);
    const ofA = builder.one('Sub', [perHead(cotangent!), ofB]);
    const difference = builder.one('Sub', [perHead(b!), perHead(a!)]);
    const ofGate = builder.reduceLast('ReduceSum', builder.one('Mul', [perHead(cotangent!), difference]));
    return [builder.reshape(ofA, [-1, width]), builder.reshape(ofB, [-1, width]), builder.reshape(ofGate, [-1, heads])];
  },
};

/** [B·T, h·D] → [B, h, T, D] */
function toHeads(builder: OnnxBuilder, x: string, batch: number, length: number, heads: number, size: number): string {
  return builder.transpose(builder.reshape(x, [batch, length, heads, size]), [0, 2, 1, 3]);
}

/** [B, h, T, D] → [B·T, h·D] */
function fromHeads(builder: OnnxBuilder, x: string, width: number): string {
  return builder.reshape(builder.transpose(x, [0, 2, 1, 3]), [-1, width]);
}

/** [B·T, H·D] → [B, G, H/G·T, D]: the query heads of one key/value head below one another. */
function groupQueries(builder: OnnxBuilder, x: string, batch: number, length: number, shape: AttentionShape): string {
  const perHead = toHeads(builder, x, batch, length, shape.heads, shape.headDim);
  if (shape.heads === shape.keyValueHeads) return perHead;
  return builder.reshape(perHead, [batch, shape.keyValueHeads, -1, shape.headDim]);
}

function ungroupQueries(builder: OnnxBuilder, x: string, batch: number, length: number, shape: AttentionShape): string {
  const perHead = builder.reshape(x, [batch, shape.heads, length, shape.headDim]);
  return fromHeads(builder, perHead, shape.heads * shape.headDim);
}

/** Additive mask [B, 1, T, T]: 0 where the key is of the same sequence and not later, else a large negative number. */
function packedMask(builder: OnnxBuilder, sequenceIds: string, length: number): string {
  const causal = builder.once(`triangle ${length}`, () => {
    const triangle = new Uint8Array(length * length);
    for (let row = 0; row < length; row++) triangle.fill(1, row * length, row * length + row + 1);
    return builder.constant('bool', [length, length], triangle);
  });
  const rows = builder.one('Unsqueeze', [sequenceIds, builder.int64([1, 3])]);
  const columns = builder.one('Unsqueeze', [sequenceIds, builder.int64([1, 2])]);
  const allowed = builder.one('And', [builder.one('Equal', [rows, columns]), causal]);
  return builder.one('Where', [allowed, builder.float(0), builder.float(masked)]);
}

/** Additive mask [n, t + n] for n new positions after t cached ones, and n as a tensor [1]. */
function cacheMask(builder: OnnxBuilder, newRows: string, past: string): { rows: string; mask: string } {
  const rows = builder.one('Shape', [newRows], { start: 0, end: 1 });
  const before = builder.one('Shape', [past], { start: 0, end: 1 });
  const zero = builder.int64([0], []);
  const one = builder.int64([1], []);
  const scalarOf = (x: string) => builder.one('Squeeze', [x]);
  const total = scalarOf(builder.one('Add', [before, rows]));
  const keyIndex = builder.one('Range', [zero, total, one]);
  const queryIndex = builder.one('Unsqueeze', [
    builder.one('Range', [scalarOf(before), total, one]),
    builder.int64([1]),
  ]);
  const allowed = builder.one('LessOrEqual', [keyIndex, queryIndex]);
  return { rows, mask: builder.one('Where', [allowed, builder.float(0), builder.float(masked)]) };
}

function gateShapes(builder: OnnxBuilder, node: Node) {
  const heads = node.inputs[2]!.shape[1] as number;
  const size = (node.inputs[0]!.shape[1] as number) / heads;
  return { heads, perHead: (x: string) => builder.reshape(x, [-1, heads, size]) };
}
