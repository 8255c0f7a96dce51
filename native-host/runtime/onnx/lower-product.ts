/** Matrix products, and the factors around them that a product takes along without a pass of its own. */
import type { Node, Value } from '../../graph/value.ts';
import type { OnnxBuilder } from './builder.ts';
import { exactProduct, roundedProduct } from './coded-product.ts';
import type { Lowering, LoweringContext } from './lower.ts';

export const productLowerings: Record<string, Lowering> = {
  matmul: (context) => [product(context.node, context)],

  affine: (context) => {
    const {
      builder,
      inputs: [x],
      node,
    } = context;
    const { factor, offset } = node.attributes;
    if (isScaledProduct(node)) return [product(node.inputs[0]!.node, context, factor)];
    const scaled = factor === 1 ? x! : builder.one('Mul', [x!, builder.float(factor)]);
    return [offset === 0 ? scaled : builder.one('Add', [scaled, builder.float(offset)])];
  },
};

function isScaledProduct({ op, attributes, inputs }: Node): boolean {
  if (op.name !== 'affine' || attributes.offset !== 0) return false;
  return inputs[0]!.node.op.name === 'matmul' && takesFactor(inputs[0]!.node);
}

/** The CPU has a fast path for the product of a single row, and it takes no factor along. */
function takesFactor({ outputs }: Node): boolean {
  const rows = outputs[0]!.shape[0]!;
  return typeof rows === 'number' && rows > 1;
}

/** factor · the matmul node's product, with the factors that its operands bear. */
function product(node: Node, context: LoweringContext, factor = 1): string {
  const { builder, nameOf, coded } = context;
  const { transposeLeft, transposeRight } = node.attributes;
  let total = factor;
  const operand = (value: Value): string => {
    const { op, inputs, attributes } = value.node;
    if (op.name === 'affine' && attributes.offset === 0 && takesFactor(node)) {
      total *= attributes.factor;
      return operand(inputs[0]!);
    }
    // Such a product is a weight's gradient, far behind the forward pass: cheaper to multiply again than to keep.
    if (op.name === 'swiglu' && transposeLeft) {
      return builder.one('Mul', [plainSilu(builder, nameOf(inputs[0]!)).silu, nameOf(inputs[1]!)]);
    }
    return nameOf(value);
  };
  const weight = coded.get(node.inputs[1]!);
  if (weight !== undefined) {
    const left = operand(node.inputs[0]!);
    const { name } = node.inputs[1]!.node.attributes;
    const of = { name, weight, transposed: transposeRight };
    const result = context.generates ? roundedProduct(builder, left, of) : exactProduct(builder, left, of);
    return total === 1 ? result : builder.one('Mul', [result, builder.float(total)]);
  }
  const [left, right] = node.inputs.map(operand);
  return builder.product(left!, right!, transposeLeft, transposeRight, total);
}

/**
 * sigmoid and silu as gradients need them. The forward pass has a node of its own for silu, so that equal nodes are not
 * made one and kept from there on: that would be three matrices of the widest kind in each layer.
 */
export function plainSilu(builder: OnnxBuilder, gate: string): { sigmoid: string; silu: string } {
  const sigmoid = builder.one('Sigmoid', [gate]);
  return { sigmoid, silu: builder.one('Mul', [gate, sigmoid]) };
}
