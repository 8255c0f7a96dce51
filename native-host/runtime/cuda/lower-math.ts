import type { Node, Value } from '../../graph/value.ts';
import * as elementwise from './kernels/launches/elementwise.ts';
import { adamw, euclideanNorm, normPartial } from './kernels/launches/loss.ts';
import * as byRows from './kernels/launches/rows.ts';
import { type Lowering, type LoweringContext, matrix, numbers, shapeOf } from './lowering-context.ts';
import { part, type Stored, sizeOf } from './plan.ts';

type Binary = typeof elementwise.multiply;

const binary =
  (launchOf: Binary): Lowering =>
  (context, node) => {
    const [left, right] = node.inputs.map((value) => numbers(context.read(value)));
    const out = context.write(node.outputs[0]!);
    context.builder.launch(launchOf(left!, right!, numbers(out), sizeOf(out.shape)));
  };

export const mathLowerings: Record<string, Lowering> = {
  // What these name is read where it lies.
  input: () => {},
  weight: () => {},
  constant: () => {},
  unflatten: () => {},

  flatten: (context, node) => {
    const flat = context.read(node.outputs[0]!);
    let start = 0;
    for (const value of node.inputs) {
      const shape = shapeOf(value);
      context.move(part(flat, start, shape), context.read(value));
      start += sizeOf(shape);
    }
  },

  after: (context, node) => context.postpone(node.outputs[0]!, () => context.read(node.inputs[0]!)),

  multiply: binary(elementwise.multiply),
  swiglu: binary(elementwise.swiglu),

  sigmoid: (context, node) => {
    const x = context.read(node.inputs[0]!);
    const out = context.write(node.outputs[0]!);
    context.builder.launch(elementwise.sigmoid(numbers(x), numbers(out), sizeOf(out.shape)));
  },

  scaleBy: (context, node) => {
    const [value, factor] = node.inputs as [Value, Value];
    const known = constantNumber(factor);
    if (known === 1)
      return context.postpone(node.outputs[0]!, () => context.read(value, context.typeOf(node.outputs[0]!)));
    const x = context.read(value);
    const out = context.write(node.outputs[0]!);
    const by = context.read(factor, 'float32').area;
    context.builder.launch(elementwise.scaleBy(numbers(x), by, numbers(out), sizeOf(out.shape)));
  },

  // The cotangent of up is multiply(cotangent, silu(gate)) beside it; one kernel makes both.
  swigluGateGrad: (context, node) => {
    const [gate, up, cotangent] = node.inputs.map((value) => numbers(context.read(value)));
    const ofGate = context.write(node.outputs[0]!);
    const twin = upGradient(context, node);
    const ofUp = twin === null ? null : context.write(twin.outputs[0]!);
    const inputs = { gate: gate!, up: up!, cotangent: cotangent! };
    const count = sizeOf(ofGate.shape);
    context.builder.launch(
      elementwise.swigluGrad(inputs, numbers(ofGate), ofUp === null ? null : numbers(ofUp), count),
    );
  },

  columnSum: (context, node) => {
    const x = context.read(node.inputs[0]!);
    const [rows, columns] = x.shape as [number, number];
    const out = context.write(node.outputs[0]!, 'float32');
    const partial = context.builder.scratch('float32', [elementwise.columnSumPartial(rows, columns)]);
    context.builder.launch(...elementwise.columnSum(numbers(x), out.area, partial.area, rows, columns));
  },

  embedding: (context, node) => {
    const [table, ids] = [context.read(node.inputs[0]!), context.read(node.inputs[1]!, 'int32')];
    const out = context.write(node.outputs[0]!);
    const [rows, columns] = out.shape as [number, number];
    context.builder.launch(byRows.embedding(numbers(table), ids.area, numbers(out), rows, columns));
  },

  embeddingGrad: (context, node) => {
    const [ids, cotangent] = [context.read(node.inputs[0]!, 'int32'), context.read(node.inputs[1]!)];
    const out = context.write(node.outputs[0]!, 'float32');
    const [rows, columns] = cotangent.shape as [number, number];
    context.builder.zero(out);
    context.builder.launch(byRows.embeddingGrad(ids.area, numbers(cotangent), out.area, rows, columns));
  },

  lastRow: (context, node) => {
    const x = context.read(node.inputs[0]!);
    const [rows, columns] = x.shape as [number, number];
    context.postpone(node.outputs[0]!, () => {
      const last = part(x, (rows - 1) * columns, [1, columns]);
      const wanted = context.typeOf(node.outputs[0]!);
      return wanted === x.type ? last : context.inType(last, wanted);
    });
  },

  rmsNorm: (context, node) => {
    const [x, weight] = node.inputs.map((value) => numbers(context.read(value)));
    const out = context.write(node.outputs[0]!);
    context.builder.launch(byRows.rmsNorm(x!, weight!, numbers(out), normShape(node, node.inputs[1]!)));
  },

  rmsNormWeightGrad: (context, node) => {
    const [x, cotangent] = node.inputs.map((value) => numbers(context.read(value)));
    const shape = normShape(node, node.inputs[2]!);
    const out = context.write(node.outputs[0]!, 'float32');
    const partial = context.builder.scratch('float32', [elementwise.columnSumPartial(shape.rows, shape.width)]);
    const inputs = { x: x!, cotangent: cotangent! };
    context.builder.launch(...byRows.rmsNormWeightGrad(inputs, out.area, partial.area, shape));
  },

  rope: (context, node) => {
    const [x, , cosines, sines] = node.inputs.map((value) => context.read(value));
    const positions = context.read(node.inputs[1]!, 'int32');
    const { headDim, inverse } = node.attributes;
    const turned = 2 * cosines!.shape[1]!;
    const out = context.write(node.outputs[0]!);
    const [rows, width] = out.shape as [number, number];
    const inputs = { x: matrix(x!), positions: positions.area, cosines: cosines!.area, sines: sines!.area };
    context.builder.launch(
      byRows.rope(inputs, matrix(out), { rows, heads: width / headDim, headDim, turned, inverse }),
    );
  },

  euclideanNorm: (context, node) => {
    const x = context.read(node.inputs[0]!, 'float32');
    const [norm, inverse] = node.outputs.map((value) => context.write(value, 'float32').area);
    const partial = context.builder.scratch('float32', [normPartial]);
    context.builder.launch(...euclideanNorm(x.area, partial.area, { norm: norm!, inverse: inverse! }, sizeOf(x.shape)));
  },

  adamw: (context, node) => {
    const [parameters, first, second, gradient, learningRate, step] = node.inputs.map(
      (value) => context.read(value, 'float32').area,
    );
    const [nextParameters, nextFirst, nextSecond, norm] = node.outputs.map(
      (value) => context.write(value, 'float32').area,
    );
    const count = sizeOf(shapeOf(node.outputs[0]!));
    const partial = context.builder.scratch('float32', [normPartial]);
    context.builder.launch(...euclideanNorm(gradient!, partial.area, { norm: norm!, inverse: null }, count));
    const memory = {
      ...{ parameters: parameters!, first: first!, second: second!, gradient: gradient! },
      ...{ learningRate: learningRate!, step: step!, norm: norm! },
      ...{ nextParameters: nextParameters!, nextFirst: nextFirst!, nextSecond: nextSecond!, rounded: null },
    };
    const { beta1, beta2, epsilon, weightDecay, clipNorm } = node.attributes;
    context.builder.launch(adamw(memory, { beta1, beta2, epsilon, weightDecay, clipNorm }, count));
  },
};

/** The groups of columns that a norm works on, as rows. */
export function normShape(node: Node, weight: Value): byRows.NormShape {
  const width = shapeOf(weight)[0]!;
  return { rows: sizeOf(shapeOf(node.inputs[0]!)) / width, width, epsilon: node.attributes.epsilon };
}

/** A scalar that is part of the program; null where it is computed or fed. */
function constantNumber({ node }: Value): number | null {
  return node.op.name === 'constant' && node.attributes.data.length === 1 ? node.attributes.data[0] : null;
}

/** multiply(cotangent, multiply(gate, sigmoid(gate))), which becomes a part of the other gradient's kernel; or null. */
function upGradient(context: LoweringContext, node: Node): Node | null {
  const [gate, , cotangent] = node.inputs as [Value, Value, Value];
  for (const reader of context.readersOf(cotangent)) {
    if (reader.op.name !== 'multiply' || reader.inputs[0] !== cotangent) continue;
    const silu = reader.inputs[1]!.node;
    if (silu.op.name !== 'multiply' || silu.inputs[0] !== gate) continue;
    const sigmoid = silu.inputs[1]!.node;
    if (sigmoid.op.name !== 'sigmoid' || sigmoid.inputs[0] !== gate) continue;
    if (context.onlyReader(silu.outputs[0]!) !== reader || context.onlyReader(sigmoid.outputs[0]!) !== silu) continue;
    context.markDone(sigmoid, silu, reader);
    return reader;
  }
  return null;
}

/** Memory of a value's rows, from a row on. */
export function rowsOf(stored: Stored, first: number, count: number): Stored {
  const [, ...columns] = stored.shape;
  return part(stored, first * sizeOf(columns), [count, ...columns]);
}
