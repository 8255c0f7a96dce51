/** How much memory a program will take when it runs, told from its graph before it is compiled. */
import { elementCount, type Node, nodesInOrder, type Value } from '../../graph/value.ts';
import type { CodedTensor, FrozenWeights } from '../../model/coded-weights.ts';
import type { Program } from '../device.ts';
import { attentionWeightBytes } from './lower-causal-attention.ts';
import { logitBytes } from './lower-loss.ts';

const sources = new Set(['input', 'weight', 'constant']);

// Found by comparing with what processes took, at the shapes of bench/RESULTS.md: the session with its graph, and blocks
// of memory that tensors do not fill.
const sessionBytes = 100e6;
const unfilled = 1.2;

/**
 * Bytes that a program takes when it runs, with its session and the frozen weights that it reads, and of those in codes the
 * largest unfolded. Errors: ShapeError for a program with sizes that are known only at run time.
 */
export function neededBytes(program: Program, frozen: FrozenWeights = { weights: new Map() }): number {
  const { exact, coded, largestCoded } = weightBytes(program, frozen);
  return exact + coded + sessionBytes + unfilled * (peakBytes(program) + largestCoded);
}

/**
 * Bytes at the peak of a run: values from where they are computed to their last use, and what the lowerings of this
 * backend hold beside them. Weights and inputs do not count.
 * Errors: ShapeError for a program with sizes that are known only at run time.
 */
export function peakBytes(program: Program): number {
  const outputs = Object.values(program.outputs);
  const order = nodesInOrder(outputs);
  const lastUse = lastUses(order, outputs);
  const gradientOf = new Map(order.map((node) => [node.attributes.forward as Node | undefined, node]));
  const freed = new Map<Node, number>();
  let alive = 0;
  let peak = 0;
  const hold = (bytes: number, until: Node | undefined) => {
    alive += bytes;
    if (until !== undefined) freed.set(until, (freed.get(until) ?? 0) + bytes);
  };
  for (const node of order) {
    if (sources.has(node.op.name)) continue;
    for (const value of node.outputs) hold(4 * elementCount(value.shape), lastUse.get(value));
    // The weights wait for the gradient; the scores that they come from, and these with the mask, do not.
    if (node.op.name === 'causalAttention') {
      hold(attentionWeightBytes(node), gradientOf.get(node) ?? node);
      hold(2 * attentionWeightBytes(node), node);
      if (node.attributes.softCap !== undefined) hold(attentionWeightBytes(node), gradientOf.get(node) ?? node);
    }
    // Logits and probabilities of a slice.
    if (node.op.name === 'vocabCrossEntropy' || node.op.name === 'vocabDistillation') hold(2 * logitBytes(node), node);
    // Vectors between the gradient and the next parameters.
    if (node.op.name === 'adamw') hold(4 * 4 * elementCount(node.inputs[0]!.shape), node);
    peak = Math.max(peak, alive);
    alive -= freed.get(node) ?? 0;
  }
  return peak;
}

function weightBytes(program: Program, { weights, coded: codes = new Map() }: FrozenWeights) {
  const bytes = { exact: 0, coded: 0, largestCoded: 0 };
  for (const { op, attributes, outputs } of nodesInOrder(Object.values(program.outputs))) {
    if (op.name !== 'weight') continue;
    const plain = 4 * elementCount(outputs[0]!.shape);
    const matrix: CodedTensor | undefined = weights.has(attributes.name) ? undefined : codes.get(attributes.name);
    if (matrix === undefined) bytes.exact += plain;
    else {
      bytes.coded += matrix.codes.byteLength + matrix.scales.byteLength;
      bytes.largestCoded = Math.max(bytes.largestCoded, plain);
    }
  }
  return bytes;
}

/** The last node that reads each value, or that makes it where none does. What leaves the program stays to the end. */
function lastUses(order: readonly Node[], outputs: readonly Value[]): Map<Value, Node> {
  const last = new Map<Value, Node>();
  for (const node of order) {
    for (const value of node.outputs) last.set(value, node);
    for (const input of node.inputs) {
      // Of these two a product multiplies gate and up again (lower-product.ts).
      const again = input.node.op.name === 'swiglu' && node.op.name === 'matmul' && node.attributes.transposeLeft;
      for (const value of again ? input.node.inputs : [input]) last.set(value, node);
    }
  }
  for (const value of outputs) last.delete(value);
  return last;
}
