/** Floating-point operations of a program: those of its matrix products, two a multiply-add. */
import { elementCount, type Node, nodesInOrder } from '../graph/value.ts';
import type { Program } from '../runtime/device.ts';

export interface FlopCount {
  /** Products with frozen weights, the output embedding among them. */
  frozen: number;
  /** Products with trained matrices and the gradients of these. */
  adapter: number;
  /** Scores and mixes over what each position may see: itself and what is before it in its row. */
  attention: number;
  total: number;
}

/** Counts what the program needs, whatever a backend does beyond that. Elementwise work counts as nothing. */
export function programFlops(program: Program): FlopCount {
  const count = { frozen: 0, adapter: 0, attention: 0 };
  for (const node of nodesInOrder(Object.values(program.outputs))) {
    const { name } = node.op;
    if (name === 'matmul') count[hasFrozenWeight(node) ? 'frozen' : 'adapter'] += matmulFlops(node);
    else if (name === 'causalAttention') count.attention += 2 * attentionProduct(node);
    // The four products of the gradient: dO·Vᵀ, Pᵀ·dO, dS·K, dSᵀ·Q.
    else if (name === 'causalAttentionGrad') count.attention += 4 * attentionProduct(node.attributes.forward);
    else if (name === 'vocabCrossEntropy' || name === 'vocabDistillation') count.frozen += vocabularyProduct(node);
    else if (name === 'vocabCrossEntropyGrad' || name === 'vocabDistillationGrad') {
      count.frozen += vocabularyProduct(node) * (node.attributes.wantsEmbedding ? 2 : 1);
    }
  }
  return { ...count, total: count.frozen + count.adapter + count.attention };
}

function hasFrozenWeight(node: Node): boolean {
  return node.inputs.some(({ node: source }) => source.op.name === 'weight');
}

function matmulFlops(node: Node): number {
  const left = node.inputs[0]!.shape as number[];
  const inner = node.attributes.transposeLeft ? left[0]! : left[1]!;
  return 2 * elementCount(node.outputs[0]!.shape) * inner;
}

/** One product of attention, over the T·(T + 1)/2 pairs of positions that are not masked. */
function attentionProduct(node: Node): number {
  const [batch, length] = node.inputs[3]!.shape as [number, number];
  return batch * length * (length + 1) * node.attributes.heads * node.attributes.headDim;
}

function vocabularyProduct(node: Node): number {
  const [hidden, embedding] = node.inputs;
  return 2 * elementCount(hidden!.shape) * (embedding!.shape[0] as number);
}
