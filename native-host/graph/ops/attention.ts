import { apply, applyOne, type Op, requireShapes, type Value } from '../value.ts';

export interface AttentionShape {
  /** Query heads H. */
  heads: number;
  /** Key/value heads G; query head h reads key/value head ⌊h·G/H⌋. */
  keyValueHeads: number;
  /** Head size D. */
  headDim: number;
  /** How many positions a position sees, itself included; absent: all before it. */
  window?: number;
  /** Scores s become c · tanh(s / c), of a size below c; absent: they stay. */
  softCap?: number;
}

const ropeOp: Op = {
  name: 'rope',
  shape: (inputs, { headDim }) => {
    const [x, positions, cosines, sines] = inputs;
    const half = cosines!.shape[1] as number;
    const fits =
      (x!.shape[1] as number) % headDim === 0 &&
      positions!.dtype === 'int32' &&
      half <= headDim / 2 &&
      sines!.shape[1] === half;
    requireShapes(fits, 'rope', inputs, 'x [N, H·D], int32 positions [N], cosines and sines [P, R/2], R ≤ D');
    return [{ shape: x!.shape, dtype: 'float32' }];
  },
  vjp: ({ inputs: [, positions, cosines, sines], attributes }, [cotangent]) => [
    applyOne(ropeOp, [cotangent!, positions!, cosines!, sines!], { ...attributes, inverse: !attributes.inverse }),
    null,
    null,
    null,
  ],
};

/**
 * Rotary position embedding in Hugging Face's rotate-half convention: x [N, H·D], int32 positions [N], tables of
 * cosines and sines [P, R/2] by position, for the first R columns of each head; the rest stays as it is.
 * Source: Su et al., "RoFormer", 2021.
 */
export function rope(x: Value, positions: Value, cosines: Value, sines: Value, headDim: number): Value {
  return applyOne(ropeOp, [x, positions, cosines, sines], { headDim, inverse: false });
}

function checkHeads(name: string, inputs: readonly Value[], { heads, keyValueHeads, headDim }: AttentionShape): void {
  const [q, k, v] = inputs;
  const fits =
    q!.shape[1] === heads * headDim &&
    k!.shape[1] === keyValueHeads * headDim &&
    v!.shape[1] === keyValueHeads * headDim &&
    heads % keyValueHeads === 0;
  requireShapes(fits, name, inputs, `q [N, ${heads}·${headDim}], k and v [N, ${keyValueHeads}·${headDim}]`);
}

const causalAttentionOp: Op = {
  name: 'causalAttention',
  shape: (inputs, attributes) => {
    checkHeads('causalAttention', inputs, attributes as unknown as AttentionShape);
    requireShapes(inputs[3]!.shape.length === 2, 'causalAttention', inputs, 'sequence ids [B, T]');
    return [{ shape: inputs[0]!.shape, dtype: 'float32' }];
  },
  vjp: (node, [cotangent]) => {
    const attributes = { ...node.attributes, forward: node };
    return [...apply(causalAttentionGradOp, [...node.inputs, node.outputs[0]!, cotangent!], attributes), null];
  },
};

const causalAttentionGradOp: Op = {
  name: 'causalAttentionGrad',
  shape: ([q, k, v]) => [q!, k!, v!].map(({ shape }) => ({ shape, dtype: 'float32' })),
};

/**
 * Grouped-query attention within packed rows: q [N, H·D], k and v [N, G·D], int32 sequenceIds [B, T]. A position sees
 * itself and the earlier positions of its row that carry the same sequence id, as far back as the window reaches. Scores
 * are scaled by 1/√D.
 */
export function causalAttention(q: Value, k: Value, v: Value, sequenceIds: Value, shape: AttentionShape): Value {
  return applyOne(causalAttentionOp, [q, k, v, sequenceIds], { ...shape });
}

const cachedAttentionOp: Op = {
  name: 'cachedAttention',
  shape: (inputs, attributes) => {
    checkHeads('cachedAttention', inputs, attributes as unknown as AttentionShape);
    return [{ shape: inputs[0]!.shape, dtype: 'float32' }];
  },
};

/**
 * Attention of n new positions over t cached ones and themselves, causally: q [n, H·D], k and v [n, G·D],
 * pastK and pastV [t, G·D]. For generating; it has no gradient.
 */
export function cachedAttention(
  q: Value,
  k: Value,
  v: Value,
  pastK: Value,
  pastV: Value,
  shape: AttentionShape,
): Value {
  return applyOne(cachedAttentionOp, [q, k, v, pastK, pastV], { ...shape });
}

const gatedBlendOp: Op = {
  name: 'gatedBlend',
  shape: (inputs) => {
    const [a, b, gate] = inputs;
    const heads = gate!.shape[1] as number;
    const fits = a!.shape[1] === b!.shape[1] && (a!.shape[1] as number) % heads === 0;
    requireShapes(fits, 'gatedBlend', inputs, 'a and b [N, H·D], gate [N, H]');
    return [{ shape: a!.shape, dtype: 'float32' }];
  },
  vjp: (node, [cotangent]) => apply(gatedBlendGradOp, [...node.inputs, cotangent!]),
};

const gatedBlendGradOp: Op = {
  name: 'gatedBlendGrad',
  shape: ([a, b, gate]) => [a!, b!, gate!].map(({ shape }) => ({ shape, dtype: 'float32' })),
};

/** (1 − gate) · a + gate · b, one gate a head: a and b [N, H·D], gate [N, H]. */
export function gatedBlend(a: Value, b: Value, gate: Value): Value {
  return applyOne(gatedBlendOp, [a, b, gate]);
}
