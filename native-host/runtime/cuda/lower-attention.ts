import { gatedBlend, gatedBlendGrad } from './kernels/launches/elementwise.ts';
import { type Lowering, numbers, shapeOf } from './lowering-context.ts';

export const attentionLowerings: Record<string, Lowering> = {
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

function headsOf({ inputs: [a, , gate] }: Parameters<Lowering>[1]) {
  const [rows, heads] = shapeOf(gate!) as [number, number];
  return { rows, heads, headDim: shapeOf(a!)[1]! / heads };
}
