import { elementCount } from '../../graph/value.ts';
import type { Lowering } from './lower.ts';
import { plainSilu } from './lower-product.ts';

const elementwise =
  (opType: string): Lowering =>
  ({ builder, inputs }) => [builder.one(opType, inputs)];

const rowSize = (shape: readonly (number | string)[]) => shape[shape.length - 1] as number;

export const mathLowerings: Record<string, Lowering> = {
  add: elementwise('Add'),
  multiply: elementwise('Mul'),
  scaleBy: elementwise('Mul'),
  sigmoid: elementwise('Sigmoid'),

  after: ({ builder, inputs: [value, ...others] }) => [builder.after(value!, others)],

  // One Slice each: webgpu's Split has no more outputs than a shader has storage buffers.
  unflatten: ({ builder, inputs: [flat], node }) => {
    let end = 0;
    return (node.attributes.shapes as number[][]).map((shape) => {
      const start = end;
      end += elementCount(shape);
      const part = builder.one('Slice', [flat!, builder.int64([start]), builder.int64([end]), builder.int64([0])]);
      return builder.reshape(part, shape);
    });
  },

  flatten: ({ builder, inputs }) => {
    const flat = inputs.map((name) => builder.reshape(name, [-1]));
    return [flat.length === 1 ? flat[0]! : builder.one('Concat', flat, { axis: 0 })];
  },

  swiglu: ({ builder, inputs: [gate, up] }) => {
    const silu = builder.one('QuickGelu', [gate!], { alpha: { float: 1 } }, 'com.microsoft');
    return [builder.one('Mul', [silu, up!])];
  },

  // d silu(g) / dg = σ(g) · (1 + g − silu(g))
  swigluGateGrad: ({ builder, inputs: [gate, up, cotangent] }) => {
    const { sigmoid, silu } = plainSilu(builder, gate!);
    const bracket = builder.one('Add', [builder.one('Sub', [gate!, silu]), builder.float(1)]);
    const slope = builder.one('Mul', [sigmoid, bracket]);
    return [builder.one('Mul', [builder.one('Mul', [cotangent!, up!]), slope])];
  },
  addBias: elementwise('Add'),
  columnSum: ({ builder, inputs: [x] }) => [builder.one('ReduceSum', [x!, builder.int64([0])], { keepdims: 0 })],

  perHeadLinear: ({ builder, inputs: [x, weight], node }) => {
    const [heads, out, inner] = node.inputs[1]!.shape as number[];
    return [
      mergeHeads(
        builder,
        builder.product(splitHeads(builder, x!, heads!, inner!), weight!, false, true),
        heads! * out!,
      ),
    ];
  },
  perHeadInputGrad: ({ builder, inputs: [cotangent, weight], node }) => {
    const [heads, out, inner] = node.inputs[1]!.shape as number[];
    return [
      mergeHeads(builder, builder.product(splitHeads(builder, cotangent!, heads!, out!), weight!), heads! * inner!),
    ];
  },
  perHeadWeightGrad: ({ builder, inputs: [cotangent, x], node }) => {
    const [heads, out, inner] = node.attributes.weightShape as number[];
    return [
      builder.product(splitHeads(builder, cotangent!, heads!, out!), splitHeads(builder, x!, heads!, inner!), true),
    ];
  },

  embedding: ({ builder, inputs: [table, ids] }) => [builder.one('Gather', [table!, ids!], { axis: 0 })],
  lastRow: ({ builder, inputs: [x] }) => [builder.one('Gather', [x!, builder.int64([-1])], { axis: 0 })],
  embeddingGrad: ({ builder, inputs: [ids, cotangent], node }) => {
    const zeros = builder.one('ConstantOfShape', [builder.int64(node.outputs[0]!.shape as number[])]);
    return [addRowsAt(builder, zeros, ids!, cotangent!)];
  },

  rmsNorm: ({ builder, inputs: [x, weight], node }) => {
    const group = rowSize(node.inputs[1]!.shape);
    const width = rowSize(node.inputs[0]!.shape);
    const attributes = { axis: -1, epsilon: { float: node.attributes.epsilon } };
    const rows = groupRows(builder, x!, width, group);
    const y = builder.one('SimplifiedLayerNormalization', [rows, weight!], attributes);
    return [group === width ? y : builder.reshape(y, [-1, width])];
  },

  // dx = a·r − x·r³·mean(a·x), where a = dy·weight and r = 1/√(mean(x²) + ε)
  rmsNormInputGrad: ({ builder, inputs: [x, weight, cotangent], node }) => {
    const group = rowSize(node.inputs[1]!.shape);
    const width = rowSize(node.inputs[0]!.shape);
    const { rows, inverse } = inverseRms(builder, x!, width, group, node.attributes.epsilon);
    const a = builder.one('Mul', [groupRows(builder, cotangent!, width, group), weight!]);
    const mean = builder.reduceLast('ReduceMean', builder.one('Mul', [a, rows]));
    const square = builder.one('Mul', [inverse, inverse]);
    const factor = builder.one('Mul', [builder.one('Mul', [square, inverse]), mean]);
    const dx = builder.one('Sub', [builder.one('Mul', [a, inverse]), builder.one('Mul', [rows, factor])]);
    return [group === width ? dx : builder.reshape(dx, [-1, width])];
  },
  rmsNormWeightGrad: ({ builder, inputs: [x, cotangent], node }) => {
    const group = rowSize(node.inputs[2]!.shape);
    const width = rowSize(node.inputs[0]!.shape);
    const { rows, inverse } = inverseRms(builder, x!, width, group, node.attributes.epsilon);
    const normed = builder.one('Mul', [rows, inverse]);
    const product = builder.one('Mul', [groupRows(builder, cotangent!, width, group), normed]);
    return [builder.one('ReduceSum', [product, builder.int64([0])], { keepdims: 0 })];
  },

  euclideanNorm: ({ builder, inputs: [x] }) => {
    const norm = euclideanNorm(builder, x!);
    return [norm, builder.one('Reciprocal', [builder.one('Add', [norm, builder.float(1e-12)])])];
  },

  adamw: ({ builder, inputs: [parameters, first, second, gradient, learningRate, step], node }) => {
    const { beta1, beta2, epsilon, weightDecay, clipNorm } = node.attributes;
    const number = (value: number) => builder.float(value);
    const mul = (a: string, b: string) => builder.one('Mul', [a, b]);
    const norm = euclideanNorm(builder, gradient!);
    const ratio = builder.one('Div', [number(clipNorm), builder.one('Add', [norm, number(1e-6)])]);
    const clip = builder.one('Min', [ratio, number(1)]);
    const correction = (beta: number) => builder.one('Sub', [number(1), builder.one('Pow', [number(beta), step!])]);
    const rootOfSecond = builder.one('Sqrt', [correction(beta2)]);

    // The scalars are folded together first, so that each vector is passed over as few times as possible.
    const toFirst = mul(clip, number(1 - beta1));
    const toSecond = mul(mul(clip, clip), number(1 - beta2));
    const nextFirst = builder.one('Add', [mul(first!, number(beta1)), mul(gradient!, toFirst)]);
    const square = mul(gradient!, gradient!);
    const nextSecond = builder.one('Add', [mul(second!, number(beta2)), mul(square, toSecond)]);
    const denominator = builder.one('Add', [builder.one('Sqrt', [nextSecond]), mul(number(epsilon), rootOfSecond)]);
    const rate = mul(learningRate!, builder.one('Div', [rootOfSecond, correction(beta1)]));
    const update = mul(builder.one('Div', [nextFirst, denominator]), rate);
    const kept = builder.one('Sub', [number(1), mul(learningRate!, number(weightDecay))]);
    const decayed = weightDecay === 0 ? parameters! : mul(parameters!, kept);
    return [builder.one('Sub', [decayed, update]), nextFirst, nextSecond, norm];
  },
};

type Builder = Parameters<Lowering>[0]['builder'];

/** √Σ x² over all elements. */
function euclideanNorm(builder: Builder, x: string): string {
  return builder.one('Sqrt', [builder.one('ReduceSumSquare', [x], { keepdims: 0 })]);
}

/** x [N, width] as rows of one group each, and 1/√(mean(x²) + ε) of each row. The webgpu norm does not give it. */
function inverseRms(
  builder: Builder,
  x: string,
  width: number,
  group: number,
  epsilon: number,
): { rows: string; inverse: string } {
  const rows = groupRows(builder, x, width, group);
  const mean = builder.reduceLast('ReduceMean', builder.one('Mul', [rows, rows]));
  const root = builder.one('Sqrt', [builder.one('Add', [mean, builder.float(epsilon)])]);
  return { rows, inverse: builder.one('Reciprocal', [root]) };
}

function groupRows(builder: Builder, x: string, width: number, group: number): string {
  return group === width ? x : builder.reshape(x, [-1, group]);
}

/** [N, H·d] → [H, N, d] */
function splitHeads(builder: Builder, x: string, heads: number, size: number): string {
  return builder.transpose(builder.reshape(x, [-1, heads, size]), [1, 0, 2]);
}

/** [H, N, d] → [N, H·d] */
function mergeHeads(builder: Builder, x: string, width: number): string {
  return builder.reshape(builder.transpose(x, [1, 0, 2]), [-1, width]);
}

/** table [V, C] with row i of x [N, C] added at ids[i]. */
export function addRowsAt(builder: Builder, table: string, ids: string, x: string): string {
  const indices = builder.reshape(builder.cast(ids, 'int64'), [-1, 1]);
  return builder.one('ScatterND', [table, indices, x], { reduction: 'add' });
}
