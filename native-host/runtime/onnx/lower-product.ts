/** Matrix products, and the factors and sums around them that a product takes along without a pass of its own. */
import type { Node, Value } from '../../graph/value.ts';
import type { OnnxBuilder } from './builder.ts';
import type { Lowering, LoweringContext } from './lower.ts';

/** factor · left · right, either transposed first. */
interface Product {
  left: string;
  right: string;
  transposeLeft: boolean;
  transposeRight: boolean;
  factor: number;
}

export const productLowerings: Record<string, Lowering> = {
  matmul: (context) => [emit(context.builder, productOf(context.node, context))],

  affine: (context) => {
    const {
      builder,
      inputs: [x],
      node,
    } = context;
    const { factor, offset } = node.attributes;
    if (isScaledProduct(node)) return [emit(builder, productOf(node.inputs[0]!.node, context, factor))];
    const scaled = factor === 1 ? x! : builder.one('Mul', [x!, builder.float(factor)]);
    return [offset === 0 ? scaled : builder.one('Add', [scaled, builder.float(offset)])];
  },

  add: (context) => {
    const { builder, inputs, node } = context;
    // Of two products the later one: the other is likely to be computed by then.
    for (const i of [1, 0]) {
      const product = summandProduct(context, node.inputs[i]!);
      if (product === null) continue;
      const attributes = {
        transA: Number(product.transposeLeft),
        transB: Number(product.transposeRight),
        alpha: { float: product.factor },
      };
      return [builder.one('Gemm', [product.left, product.right, inputs[1 - i]!], attributes)];
    }
    return [builder.one('Add', inputs)];
  },
};

/** The product that a summand is and that nothing else reads; null where it is none. */
function summandProduct(context: LoweringContext, value: Value): Product | null {
  const { node } = value;
  if (context.usesOf(value) > 1) return null;
  if (node.op.name === 'matmul' && takesFactor(node)) return productOf(node, context);
  const [source] = node.inputs;
  if (!isScaledProduct(node) || context.usesOf(source!) > 1) return null;
  return productOf(source!.node, context, node.attributes.factor);
}

function isScaledProduct({ op, attributes, inputs }: Node): boolean {
  if (op.name !== 'affine' || attributes.offset !== 0) return false;
  return inputs[0]!.node.op.name === 'matmul' && takesFactor(inputs[0]!.node);
}

/** The CPU has a fast path for the product of a single row, and it takes neither a factor nor a summand along. */
function takesFactor({ outputs }: Node): boolean {
  const rows = outputs[0]!.shape[0]!;
  return typeof rows === 'number' && rows > 1;
}

/** factor · the matmul node's product, with the factors that its operands bear. */
function productOf(node: Node, { builder, nameOf }: LoweringContext, factor = 1): Product {
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
  const [left, right] = node.inputs.map(operand);
  return { left: left!, right: right!, transposeLeft, transposeRight, factor: total };
}

function emit(builder: OnnxBuilder, { left, right, transposeLeft, transposeRight, factor }: Product): string {
  return builder.product(left, right, transposeLeft, transposeRight, factor);
}

/**
 * sigmoid and silu as gradients need them. The forward pass has a node of its own for silu, so that equal nodes are not
 * made one and kept from there on: that would be three matrices of the widest kind in each layer.
 */
export function plainSilu(builder: OnnxBuilder, gate: string): { sigmoid: string; silu: string } {
  const sigmoid = builder.one('Sigmoid', [gate]);
  return { sigmoid, silu: builder.one('Mul', [gate, sigmoid]) };
}
