/** One matrix product: its operands, the factors that they bear, and the kernel for its form. */
import type { Node, Value } from '../../graph/value.ts';
import { operandOf } from './fusion.ts';
import { copyRows } from './kernels/launches/elementwise.ts';
import {
  type Orientation,
  type ProductPlan,
  type ProductShape,
  planProduct,
  product as productLaunches,
} from './kernels/launches/product.ts';
import { mostVectorRows, quantizedProduct, vectorProduct } from './kernels/launches/weights.ts';
import { type LoweringContext, matrix, numbers, shapeOf } from './lowering-context.ts';
import { type Area, part, type Stored } from './plan.ts';

export interface Product {
  left: Value;
  right: Value;
  orientation: Orientation | 'Tt';
  /** Length of the sums. */
  depth: number;
  /** Beside the factors that the operands bear. */
  factor: number;
  panel: Product | null;
}

export interface Additions {
  added: Stored | null;
  bias: Stored | null;
  /** Adds to what is there already. */
  accumulate: boolean;
}

const nothing: Additions = { added: null, bias: null, accumulate: false };

export function productOf(node: Node, factor = 1): Product {
  const [left, right] = node.inputs as [Value, Value];
  const { transposeLeft, transposeRight } = node.attributes;
  const orientation = `${transposeLeft ? 'T' : 'N'}${transposeRight ? 't' : 'n'}` as Product['orientation'];
  const depth = shapeOf(left)[transposeLeft ? 0 : 1]!;
  return { left, right, orientation, depth, factor, panel: null };
}

/** Emits the product into `out`, which it returns. */
export function emitProduct(
  context: LoweringContext,
  product: Product,
  out: Stored,
  { added, bias, accumulate }: Additions = nothing,
): Stored {
  const { builder } = context;
  const [m, n] = out.shape as [number, number];
  const { panel, depth } = product;
  const left = readOperand(context, product.left);
  const more = {
    factor: factorOf(context, product),
    ...(added === null ? {} : { added: matrix(added) }),
    ...(bias === null ? {} : { bias: numbers(bias) }),
  };
  const ofPanel = panel && {
    left: matrix(readOperand(context, panel.left)),
    right: matrix(readOperand(context, panel.right)),
  };
  const codes =
    product.orientation === 'Nt' || product.orientation === 'Nn'
      ? context.codesOf(operandOf(context, product.right).value)
      : null;
  if (product.orientation === 'Nt' && m <= mostVectorRows && !accumulate) {
    const weight = codes ?? matrix(readOperand(context, product.right));
    const panelOfRows = ofPanel === null ? {} : { panel: { ...ofPanel, k: panel!.depth } };
    builder.launch(
      vectorProduct({ rows: m, n, k: depth }, { x: matrix(left), weight, out: matrix(out), ...panelOfRows, ...more }),
    );
    return out;
  }
  const shape: ProductShape = {
    orientation: product.orientation === 'Tt' ? 'Tn' : product.orientation,
    ...{ m, n, k: depth, panelK: panel?.depth ?? 0 },
  };
  const memory = {
    left: matrix(left),
    out: matrix(out),
    accumulate,
    ...more,
    ...(ofPanel === null ? {} : { panel: ofPanel }),
  };
  if (codes !== null) {
    builder.launch(quantizedProduct(shape, codes, memory));
    return out;
  }
  const right = readOperand(context, product.right);
  const { plan, partial } = planned(context, shape);
  const straight = matrix(product.orientation === 'Tt' ? turned(context, right) : right);
  builder.launch(...productLaunches(shape, { ...memory, right: straight, partial }, plan));
  return out;
}

/** How a product is cut, and the memory that this takes. */
export function planned(context: LoweringContext, shape: ProductShape): { plan: ProductPlan; partial: Area | null } {
  const plan = planProduct(shape, context.options.multiprocessors, context.options.capability);
  const floats = plan.partialFloats;
  return { plan, partial: floats === 0 ? null : context.builder.scratch('float32', [floats]).area };
}

/** The product's factor with those that its operands bear. */
export function factorOf(context: LoweringContext, { factor, left, right }: Product): number {
  return factor * operandOf(context, left).factor * operandOf(context, right).factor;
}

function readOperand(context: LoweringContext, value: Value): Stored {
  return context.readScaled(operandOf(context, value).value, 'bfloat16');
}

/** A product for each head's columns: weight [H, out, inner]. */
export function emitHeadProducts(
  context: LoweringContext,
  node: Node,
  orientation: Orientation,
  [heads, outer, inner]: readonly number[],
): void {
  const { builder } = context;
  const [left, right] = node.inputs.map((value) => context.read(value, 'bfloat16'));
  const out = context.write(node.outputs[0]!);
  const rows = left!.shape[0]!;
  const batch = heads!;
  // Columns of one head in the left operand, the right one and the result; of a weight, its elements.
  const [shape, ofLeft, ofRight, ofOut] = (
    {
      Nt: [{ m: rows, n: outer!, k: inner! }, inner!, outer! * inner!, outer!],
      Nn: [{ m: rows, n: inner!, k: outer! }, outer!, outer! * inner!, inner!],
      Tn: [{ m: outer!, n: inner!, k: rows }, outer!, inner!, outer! * inner!],
    } as const
  )[orientation];
  const whole: ProductShape = { ...shape, orientation, batch };
  const { plan, partial } = planned(context, whole);
  const memory = {
    ...{ left: matrix(left!), right: matrix(right!), out: matrix(out), partial },
    batchStrides: { left: ofLeft, right: ofRight, out: ofOut },
  };
  builder.launch(...productLaunches(whole, memory, plan));
}

/** The matrix [n, k] as [k, n], column by column: no model asks for leftᵀ · rightᵀ, and there is no kernel for it. */
function turned(context: LoweringContext, matrixToTurn: Stored): Stored {
  const [n, k] = matrixToTurn.shape as [number, number];
  const result = context.builder.scratch('bfloat16', [k, n]);
  for (let row = 0; row < n; row++) {
    const from = { ...numbers(part(matrixToTurn, row * k, [k, 1])), stride: 1 };
    const to = { ...numbers(part(result, row, [k, 1])), stride: n };
    context.builder.launch(copyRows(from, to, k, 1));
  }
  return result;
}
