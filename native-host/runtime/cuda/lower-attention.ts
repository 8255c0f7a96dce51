import type { Node, Value } from '../../graph/value.ts';
import {
  type AttentionSizes,
  attentionDecode,
  attentionForward,
  attentionGrad,
  decodePartial,
  decodeSplits,
} from './kernels/launches/attention.ts';
import { appendRows, gatedBlend, gatedBlendGrad } from './kernels/launches/elementwise.ts';
import { mostVectorRows } from './kernels/launches/weights.ts';
import { rowsOf } from './lower-math.ts';
import { type Lowering, type LoweringContext, matrix, numbers, shapeOf } from './lowering-context.ts';
import type { Area, Stored } from './plan.ts';

export const attentionLowerings: Record<string, Lowering> = {
  causalAttention: (context, node) => {
    const inputs = packedInputs(context, node);
    const out = context.write(node.outputs[0]!, 'bfloat16');
    const sizes = packedSizes(node);
    const { capability } = context.options;
    const wantsGradient = context.gradientOf.has(node);
    const logSumExp = context.builder.scratch('float32', [sizes.rows * sizes.heads * sizes.length]);
    if (wantsGradient) context.saved.set(node, { logSumExp });
    context.builder.launch(
      attentionForward(inputs, matrix(out), wantsGradient ? logSumExp.area : null, sizes, capability),
    );
  },

  causalAttentionGrad: (context, node) => {
    const forward: Node = node.attributes.forward;
    const sizes = packedSizes(forward);
    const { capability } = context.options;
    const [out, cotangent] = node.inputs.slice(4).map((value) => matrix(context.read(value, 'bfloat16')));
    const [ofQ, ofK, ofV] = node.outputs.map((value) => matrix(context.write(value, 'bfloat16')));
    const { logSumExp } = context.saved.get(forward)!;
    const delta = context.builder.scratch('float32', [sizes.rows * sizes.heads * sizes.length]).area;
    const memory = {
      out: out!,
      cotangent: cotangent!,
      logSumExp: logSumExp!.area,
      delta,
      ofQ: ofQ!,
      ofK: ofK!,
      ofV: ofV!,
    };
    context.builder.launch(...attentionGrad(packedInputs(context, forward), memory, sizes, capability));
  },

  cachedAttention: (context, node) => {
    const [q, k, v] = node.inputs.slice(0, 3).map((value) => context.read(value, 'bfloat16'));
    const sizes = { ...headSizes(node), rows: 1, length: q!.shape[0]! };
    const [keys, values] = [k!, v!].map((fresh, i) => withPast(context, node.inputs[3 + i]!, fresh));
    const inputs = { q: matrix(q!), k: matrix(keys!.all), v: matrix(values!.all), past: keys!.past };
    const { capability } = context.options;
    if (sizes.length > mostVectorRows) {
      const out = context.write(node.outputs[0]!, 'bfloat16');
      context.builder.launch(attentionForward({ ...inputs, sequenceIds: null }, matrix(out), null, sizes, capability));
      return;
    }
    const out = context.write(node.outputs[0]!);
    const splits = decodeSplits(keys!.all.shape[0]!, sizes, context.options.multiprocessors);
    const partial = context.builder.scratch('float32', [decodePartial(sizes, splits)]).area;
    context.builder.launch(...attentionDecode(inputs, matrix(out), partial, sizes, splits));
  },

  gatedBlend: (context, node) => {
    const [a, b, gate] = node.inputs.map((value) => numbers(context.read(value)));
    const out = context.write(node.outputs[0]!);
    context.builder.launch(gatedBlend({ a: a!, b: b!, gate: gate! }, numbers(out), headsOf(node)));
  },

  gatedBlendGrad: (context, node) => {
    const [a, b, gate, cotangent] = node.inputs.map((value) => numbers(context.read(value)));
    const [ofA, ofB, ofGate] = node.outputs.map((value) => numbers(context.write(value)));
    const inputs = { a: a!, b: b!, gate: gate!, cotangent: cotangent! };
    context.builder.launch(gatedBlendGrad(inputs, { ofA: ofA!, ofB: ofB!, ofGate: ofGate! }, headsOf(node)));
  },
};

function headSizes({ attributes }: Node): Omit<AttentionSizes, 'rows' | 'length'> {
  const { heads, keyValueHeads, headDim, window, softCap } = attributes;
  return {
    ...{ heads, keyValueHeads, headDim },
    ...(window === undefined ? {} : { window }),
    ...(softCap === undefined ? {} : { softCap }),
  };
}

function packedInputs(context: LoweringContext, { inputs }: Node) {
  const [q, k, v] = inputs.slice(0, 3).map((value) => matrix(context.read(value, 'bfloat16')));
  return { q: q!, k: k!, v: v!, sequenceIds: context.read(inputs[3]!, 'int32').area, past: null };
}

function packedSizes(node: Node): AttentionSizes {
  const [rows, length] = shapeOf(node.inputs[3]!) as [number, number];
  return { ...headSizes(node), rows, length };
}

/** The new rows behind those of the past, and where it stands how many these are. */
function withPast(context: LoweringContext, past: Value, fresh: Stored): { all: Stored; past: Area } {
  const [rows, columns] = fresh.shape as [number, number];
  const slot = context.options.caches.findIndex((cache) => cache.past === past.node.attributes.name);
  if (past.node.op.name === 'input' && slot >= 0) {
    const all = context.shared({ kind: 'cache', slot }, 'bfloat16', [context.options.cacheCapacity, columns]);
    const length = context.shared({ kind: 'past' }, 'int32', []).area;
    context.builder.launch(appendRows(matrix(fresh), numbers(all), length, rows, columns));
    return { all, past: length };
  }
  const before = context.read(past, 'bfloat16');
  const count = before.shape[0]!;
  const all = context.builder.scratch('bfloat16', [count + rows, columns]);
  if (count > 0) context.builder.copy(rowsOf(all, 0, count), before);
  context.builder.copy(rowsOf(all, count, rows), fresh);
  return { all, past: context.shared({ kind: 'number', value: count }, 'int32', []).area };
}

function headsOf({ inputs: [a, , gate] }: Parameters<Lowering>[1]) {
  const [rows, heads] = shapeOf(gate!) as [number, number];
  return { rows, heads, headDim: shapeOf(a!)[1]! / heads };
}
