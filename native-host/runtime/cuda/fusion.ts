/** Which nodes have no launch of their own, because the one that reads them does their work. */
import type { Value } from '../../graph/value.ts';
import type { LoweringContext } from './lowering-context.ts';

/** Whether the one node that reads this product, sum or norm's gradient computes it as a part of its own. */
export function isTakenIn(context: LoweringContext, value: Value): boolean {
  const reader = context.onlyReader(value);
  if (reader === null) return false;
  const { op, attributes, inputs } = value.node;
  const takesSums = reader.op.name === 'add' || (reader.op.name === 'addBias' && reader.inputs[0] === value);
  switch (op.name) {
    case 'matmul':
      if (storedScale(context, value) !== 1) return false;
      return takesSums || (reader.op.name === 'affine' && reader.attributes.offset === 0);
    case 'add':
      return takesSums;
    case 'affine':
      return takesSums && attributes.offset === 0 && isTakenIn(context, inputs[0]!);
    case 'rmsNormInputGrad':
      return reader.op.name === 'add';
    default:
      return false;
  }
}

/**
 * The factor that this value is stored with: LoRA's first product is stored times alpha / rank, so that the second one
 * can be the panel of another product, which has no factor of its own.
 */
export function storedScale(context: LoweringContext, value: Value): number {
  if (value.node.op.name !== 'matmul' || context.hasPlace(value)) return 1;
  for (const reader of context.readersOf(value)) {
    if (reader.op.name !== 'matmul' || reader.inputs[0] !== value || reader.attributes.transposeLeft) continue;
    const scaled = context.onlyReader(reader.outputs[0]!);
    if (scaled?.op.name !== 'affine' || scaled.attributes.offset !== 0 || scaled.attributes.factor === 0) continue;
    if (context.onlyReader(scaled.outputs[0]!)?.op.name === 'add') return scaled.attributes.factor;
  }
  return 1;
}

/** What a product reads in place of the value, and the factor that it is to be multiplied with. */
export function operandOf(context: LoweringContext, value: Value): { value: Value; factor: number } {
  let factor = 1;
  let source = value;
  while (isPlainFactor(context, source)) {
    factor *= source.node.attributes.factor;
    source = source.node.inputs[0]!;
  }
  return { value: source, factor: factor / storedScale(context, source) };
}

function isPlainFactor(context: LoweringContext, { node }: Value): boolean {
  return node.op.name === 'affine' && node.attributes.offset === 0 && !isTakenIn(context, node.inputs[0]!);
}
