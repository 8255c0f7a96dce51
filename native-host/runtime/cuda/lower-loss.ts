/**
 * Losses over the vocabulary, a slice of rows at a time: the slice's logits, its losses and, where the program wants them,
 * the gradients, which take the place of the logits.
 */
import type { Node } from '../../graph/value.ts';
import type { KernelLaunch } from './kernel-table.ts';
import { crossEntropyRows, distillationRows, type LossRows, weightedSum } from './kernels/launches/loss.ts';
import { type ProductShape, product } from './kernels/launches/product.ts';
import { rowsOf } from './lower-math.ts';
import { planned } from './lower-product.ts';
import { type Lowering, type LoweringContext, matrix, numbers, shapeOf } from './lowering-context.ts';
import type { Area, StoredType } from './plan.ts';

/** A slice has a multiple of this many rows, as many as the largest tile of a product. */
const sliceRows = 128;

/** The launch of one slice: its losses, and the gradient of its logits. */
type RowsLaunch = (context: LoweringContext, node: Node, first: number, slice: LossRows<Area>) => KernelLaunch<Area>;

const lossBySlices =
  (launchOf: RowsLaunch): Lowering =>
  (context, node) => {
    const { builder } = context;
    const hidden = context.read(node.inputs[0]!, 'bfloat16');
    const embedding = context.read(node.inputs[1]!, 'bfloat16');
    const weights = context.read(node.inputs.at(-1)!, 'float32');
    const [rows, width] = hidden.shape as [number, number];
    const vocabulary = embedding.shape[0]!;
    const [loss, perToken] = [context.write(node.outputs[0]!), context.write(node.outputs[1]!)];
    if (node.outputs[2] !== undefined) context.write(node.outputs[2], 'float32');
    const gradientNode = context.gradientOf.get(node);
    const gradients = gradientNode?.outputs.map((value) => context.write(value)) ?? [];
    if (gradientNode !== undefined) context.markDone(gradientNode);
    const [ofHidden, ofEmbedding] = gradients;

    const most = Math.max(sliceRows, Math.floor(context.options.logitsOfSlice / vocabulary / sliceRows) * sliceRows);
    // Alone, losses say which token is likeliest, and that wants every digit; gradients are rounded anyway.
    const type: StoredType = ofHidden === undefined ? 'float32' : 'float16';
    // Rows of logits begin where they can be read in whole pieces.
    const stride = Math.ceil(vocabulary / 8) * 8;
    const space = builder.scratch(type, [Math.min(most, rows), stride]);
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      const logits = { ...numbers(space), stride };
      const sliceOfHidden = rowsOf(hidden, first, count);
      const shape = { m: count, n: vocabulary, k: width };
      multiply(context, { ...shape, orientation: 'Nt' }, matrix(sliceOfHidden), matrix(embedding), logits);
      const ofLogits = ofHidden === undefined ? null : { at: space.area, stride };
      const tokens = rowsOf(perToken, first, count).area;
      const slice = {
        logits,
        weights: rowsOf(weights, first, count).area,
        gradient: ofLogits,
        perToken: tokens,
        rows: count,
        vocabulary,
        ...(node.attributes.softCap === undefined ? {} : { softCap: node.attributes.softCap }),
      };
      builder.launch(launchOf(context, node, first, slice));
      if (ofLogits === null) continue;
      const back = { m: count, n: width, k: vocabulary };
      multiply(
        context,
        { ...back, orientation: 'Nn' },
        ofLogits,
        matrix(embedding),
        matrix(rowsOf(ofHidden!, first, count)),
      );
      if (ofEmbedding === undefined) continue;
      const across: ProductShape = { orientation: 'Tn', m: vocabulary, n: width, k: count };
      multiply(context, across, ofLogits, matrix(sliceOfHidden), matrix(ofEmbedding), first > 0);
    }
    builder.launch(weightedSum(perToken.area, weights.area, loss.area, rows));
  };

export const lossLowerings: Record<string, Lowering> = {
  vocabCrossEntropy: lossBySlices((context, node, first, slice) => {
    const labels = rowsOf(context.read(node.inputs[2]!, 'int32'), first, slice.rows);
    const correct = rowsOf(context.read(node.outputs[2]!), first, slice.rows);
    return crossEntropyRows(slice, labels.area, correct.area);
  }),

  vocabDistillation: lossBySlices((context, node, first, slice) => {
    const topIds = rowsOf(context.read(node.inputs[2]!, 'int32'), first, slice.rows);
    const topLogProbabilities = rowsOf(context.read(node.inputs[3]!, 'float32'), first, slice.rows);
    const topCount = shapeOf(node.inputs[2]!)[1]!;
    const teacher = { topIds: topIds.area, topLogProbabilities: topLogProbabilities.area, topCount };
    return distillationRows(slice, teacher);
  }),
};

function multiply(
  context: LoweringContext,
  shape: ProductShape,
  left: { at: Area; stride: number },
  right: { at: Area; stride: number },
  out: ReturnType<typeof matrix>,
  accumulate = false,
): void {
  const { plan, partial } = planned(context, shape);
  context.builder.launch(...product(shape, { left, right, out, partial, accumulate }, plan));
}
