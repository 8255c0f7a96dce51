/**
 * Matrix products, and the sums that they are parts of: a product adds what else is in the sum, a bias among it, on its
 * way to memory. LoRA's second product becomes a panel of the product that it is added to.
 */
import type { Node, Value } from '../../graph/value.ts';
import { isTakenIn, storedScale } from './fusion.ts';
import * as elementwise from './kernels/launches/elementwise.ts';
import { rmsNormInputGrad } from './kernels/launches/rows.ts';
import { normShape } from './lower-math.ts';
import { emitHeadProducts, emitProduct, factorOf, type Product, productOf } from './lower-product.ts';
import { type Lowering, type LoweringContext, numbers, shapeOf } from './lowering-context.ts';
import { type Stored, sizeOf } from './plan.ts';

/** Something that a sum adds up. */
type Term = { product: Product } | { normGradient: Node } | { value: Value };

// A panel is copied in pieces of this many rows or columns whatever its own depth is.
const deepestPanel = 128;

export const sumLowerings: Record<string, Lowering> = {
  matmul: (context, node) => {
    const out = node.outputs[0]!;
    if (isTakenIn(context, out)) return;
    const scale = storedScale(context, out);
    if (scale === 1) emitSum(context, out, termsOf(context, out));
    else {
      const stored = context.builder.scratch('bfloat16', shapeOf(out));
      context.setScaled(out, emitProduct(context, productOf(node, scale), stored), scale);
    }
  },

  add: (context, node) => {
    const out = node.outputs[0]!;
    if (!isTakenIn(context, out)) emitSum(context, out, termsOf(context, out));
  },

  affine: (context, node) => {
    const [x, out] = [node.inputs[0]!, node.outputs[0]!];
    const { factor, offset } = node.attributes;
    if (isTakenIn(context, out)) return;
    if (isTakenIn(context, x)) return emitSum(context, out, termsOf(context, out));
    const make = () => {
      const from = context.read(x);
      const made = context.write(out);
      context.builder.launch(elementwise.affine(numbers(from), numbers(made), factor, offset, sizeOf(made.shape)));
      return made;
    };
    // A product takes a factor of its operands along without a pass of its own.
    if (offset === 0) context.postpone(out, make);
    else make();
  },

  addBias: (context, node) => {
    const [x, bias] = node.inputs as [Value, Value];
    const out = node.outputs[0]!;
    emitSum(context, out, isTakenIn(context, x) ? termsOf(context, x) : [{ value: x }], context.read(bias));
  },

  rmsNormInputGrad: (context, node) => {
    const out = node.outputs[0]!;
    if (!isTakenIn(context, out)) emitSum(context, out, [{ normGradient: node }]);
  },

  perHeadLinear: (context, node) => emitHeadProducts(context, node, 'Nt', shapeOf(node.inputs[1]!)),
  perHeadInputGrad: (context, node) => emitHeadProducts(context, node, 'Nn', shapeOf(node.inputs[1]!)),
  perHeadWeightGrad: (context, node) => emitHeadProducts(context, node, 'Tn', node.attributes.weightShape),
};

/** What a value is the sum of, as far as no one else reads the parts. */
function termsOf(context: LoweringContext, value: Value): Term[] {
  const { node } = value;
  if (node.op.name === 'matmul') return [{ product: productOf(node) }];
  if (node.op.name === 'affine') return [{ product: productOf(node.inputs[0]!.node, node.attributes.factor) }];
  if (node.op.name === 'rmsNormInputGrad') return [{ normGradient: node }];
  return node.inputs.flatMap((input): Term[] =>
    isTakenIn(context, input) ? termsOf(context, input) : [{ value: input }],
  );
}

function emitSum(context: LoweringContext, value: Value, terms: readonly Term[], bias: Stored | null = null): void {
  const { builder } = context;
  const plain = terms.flatMap((term) => ('value' in term ? [context.read(term.value)] : []));
  const normGradients = terms.flatMap((term) => ('normGradient' in term ? [term.normGradient] : []));
  const products = withPanels(
    context,
    terms.flatMap((term) => ('product' in term ? [term.product] : [])),
  );
  const out = context.write(value);
  const count = sizeOf(out.shape);
  let begun = false;
  let openBias = bias;
  for (const node of normGradients) {
    const [x, weight, cotangent] = node.inputs.map((input) => numbers(context.read(input)));
    const added = begun ? out : plain.shift();
    const inputs = { x: x!, weight: weight!, cotangent: cotangent! };
    const shape = normShape(node, node.inputs[1]!);
    builder.launch(rmsNormInputGrad(inputs, numbers(out), shape, added === undefined ? null : numbers(added)));
    begun = true;
  }
  for (const product of products) {
    emitProduct(context, product, out, { added: plain.shift() ?? null, bias: openBias, accumulate: begun });
    openBias = null;
    begun = true;
  }
  if (!begun && plain.length === 1) {
    builder.launch(
      elementwise.addBias(numbers(plain[0]!), numbers(openBias!), numbers(out), count / out.shape[1]!, out.shape[1]!),
    );
    return;
  }
  let sum = begun ? out : plain.shift()!;
  for (const other of plain) {
    builder.launch(elementwise.add(numbers(sum), numbers(other), numbers(out), count));
    sum = out;
  }
}

/** Products of little depth go along with another of the sum that has the same form. */
function withPanels(context: LoweringContext, products: readonly Product[]): Product[] {
  const shallow = products.filter(({ depth }) => depth <= deepestPanel);
  const result: Product[] = [];
  const used = new Set<Product>();
  for (const product of products) {
    if (shallow.includes(product)) continue;
    const panel = shallow.find((other) => !used.has(other) && canJoin(context, product, other));
    if (panel !== undefined) used.add(panel);
    result.push({ ...product, panel: panel ?? null });
  }
  return [...result, ...shallow.filter((product) => !used.has(product))];
}

function canJoin(context: LoweringContext, product: Product, panel: Product): boolean {
  const difference = factorOf(context, product) / factorOf(context, panel) - 1;
  return product.orientation === panel.orientation && Math.abs(difference) < 1e-6;
}
