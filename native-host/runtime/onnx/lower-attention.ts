import type { AttentionShape } from '../../graph/ops/attention.ts';
import type { Node } from '../../graph/value.ts';
import type { OnnxBuilder } from './builder.ts';
import type { Lowering } from './lower.ts';
import { capScores, maskedScore } from './lower-causal-attention.ts';

export const attentionLowerings: Record<string, Lowering> = {
  rope: ({ builder, inputs: [x, positions, cosines, sines], node }) => {
    const { headDim, inverse } = node.attributes;
    const width = node.inputs[0]!.shape[1] as number;
    const rows = builder.one('Unsqueeze', [x!, builder.int64([0])]);
    const positionRow = builder.one('Unsqueeze', [builder.cast(positions!, 'int64'), builder.int64([0])]);
    const signedSines = inverse ? builder.one('Neg', [sines!]) : sines!;
    const columns = 2 * (node.inputs[2]!.shape[1] as number);
    const partial = columns === headDim ? {} : { rotary_embedding_dim: columns };
    const attributes = { num_heads: width / headDim, interleaved: 0, ...partial };
    const turned = builder.one(
      'RotaryEmbedding',
      [rows, positionRow, cosines!, signedSines],
      attributes,
      'com.microsoft',
    );
    return [builder.one('Squeeze', [turned, builder.int64([0])])];
  },

  cachedAttention: ({ builder, inputs: [q, k, v, pastK, pastV], node, saved }) => {
    const { heads, keyValueHeads, headDim, window, softCap } = node.attributes as unknown as AttentionShape;
    const keys = builder.one('Concat', [pastK!, k!], { axis: 0 });
    const values = builder.one('Concat', [pastV!, v!], { axis: 0 });
    saved.set(node, { keys, values });
    const headsFirst = (x: string, count: number) =>
      builder.transpose(builder.reshape(x, [-1, count, headDim]), [1, 0, 2]);
    // Query heads of one key/value head go below one another: [G, H/G·n, D].
    const queries = builder.reshape(headsFirst(q!, heads), [keyValueHeads, -1, headDim]);
    const scores = builder.product(queries, headsFirst(keys, keyValueHeads), false, true, 1 / Math.sqrt(headDim));
    const { capped } = capScores(builder, scores, softCap);
    const { rows, mask } = cacheMask(builder, k!, pastK!, window);
    const perHead = builder.one('Reshape', [
      capped,
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

/** Additive mask [n, t + n] for n new positions after t cached ones, and n as a tensor [1]. */
function cacheMask(
  builder: OnnxBuilder,
  newRows: string,
  past: string,
  window: number | undefined,
): { rows: string; mask: string } {
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
  const notLater = builder.one('LessOrEqual', [keyIndex, queryIndex]);
  const within = () => {
    const last = builder.one('Add', [keyIndex, builder.int64([window!], [])]);
    return builder.one('And', [notLater, builder.one('Greater', [last, queryIndex])]);
  };
  const allowed = window === undefined ? notLater : within();
  return { rows, mask: builder.one('Where', [allowed, builder.float(0), builder.float(maskedScore)]) };
}

function gateShapes(builder: OnnxBuilder, node: Node) {
  const heads = node.inputs[2]!.shape[1] as number;
  const size = (node.inputs[0]!.shape[1] as number) / heads;
  return { heads, perHead: (x: string) => builder.reshape(x, [-1, heads, size]) };
}
