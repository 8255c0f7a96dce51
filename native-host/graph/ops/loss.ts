/**
 * Losses over the vocabulary. They take the hidden state and the output embedding rather than logits, so that a
 * backend can work in slices and the logits [N, V] never exist whole.
 */
import { apply, type Node, type Op, requireShapes, type Value } from '../value.ts';
import { scaleBy } from './elementwise.ts';

function perTokenOutputs(rows: Value['shape'][number]) {
  return [
    { shape: [], dtype: 'float32' as const },
    { shape: [rows], dtype: 'float32' as const },
    { shape: [rows], dtype: 'float32' as const },
  ];
}

/** Both losses have (hidden, embedding, …labels) as inputs and pass gradients to the first two, times a scalar. */
function vocabularyLossVjp(gradOp: Op): NonNullable<Op['vjp']> {
  return (node: Node, [cotangent, ofTokens, ofCorrect], wanted) => {
    if (ofTokens || ofCorrect) throw new Error(`only the first output of '${node.op.name}' has a gradient`);
    const attributes = { ...node.attributes, forward: node, wantsEmbedding: wanted[1] };
    const gradients = apply(gradOp, node.inputs, attributes);
    return node.inputs.map((_, i) => (i < 2 && wanted[i] ? scaleBy(gradients[i]!, cotangent!) : null));
  };
}

function vocabularyLossGrad(name: string): Op {
  return {
    name,
    shape: ([hidden, embedding], { wantsEmbedding }) =>
      [hidden!, ...(wantsEmbedding ? [embedding!] : [])].map(({ shape }) => ({ shape, dtype: 'float32' })),
  };
}

const vocabCrossEntropyOp: Op = {
  name: 'vocabCrossEntropy',
  shape: (inputs) => {
    const [hidden, embedding, labels, weights] = inputs;
    const fits =
      hidden!.shape[1] === embedding!.shape[1] && labels!.dtype === 'int32' && weights!.shape[0] === hidden!.shape[0];
    requireShapes(fits, 'vocabCrossEntropy', inputs, 'hidden [N, C], embedding [V, C], int32 labels [N], weights [N]');
    return perTokenOutputs(hidden!.shape[0]!);
  },
  vjp: vocabularyLossVjp(vocabularyLossGrad('vocabCrossEntropyGrad')),
};

export interface TokenLoss {
  /** Σ weights · loss, a scalar. The caller normalises by way of the weights. */
  loss: Value;
  /** The loss of each row [N], not weighted. Of a row with weight 0 it says nothing, and `correct` neither. */
  perToken: Value;
  /** 1 where the likeliest token is the label, else 0 [N]. */
  correct: Value;
}

/**
 * Next-token loss: hidden [N, C], embedding [V, C], int32 labels [N] in 0…V−1, weights [N] (0 leaves a row out). With a
 * cap c the logits z are c · tanh(z / c).
 */
export function vocabCrossEntropy(
  hidden: Value,
  embedding: Value,
  labels: Value,
  weights: Value,
  softCap: number | null = null,
): TokenLoss {
  const attributes = softCap === null ? {} : { softCap };
  const [loss, perToken, correct] = apply(vocabCrossEntropyOp, [hidden, embedding, labels, weights], attributes);
  return { loss: loss!, perToken: perToken!, correct: correct! };
}

const vocabDistillationOp: Op = {
  name: 'vocabDistillation',
  shape: (inputs) => {
    const [hidden, , topIds, topLogProbabilities] = inputs;
    const fits = topIds!.dtype === 'int32' && topIds!.shape[1] === topLogProbabilities!.shape[1];
    requireShapes(
      fits,
      'vocabDistillation',
      inputs,
      'hidden [N, C], embedding [V, C], int32 topIds and topLogProbabilities [N, K], weights [N]',
    );
    return perTokenOutputs(hidden!.shape[0]!).slice(0, 2);
  },
  vjp: vocabularyLossVjp(vocabularyLossGrad('vocabDistillationGrad')),
};

/**
 * Σ weights · KL(teacher ‖ student) over the teacher's K likeliest tokens: hidden [N, C], embedding [V, C], int32
 * topIds [N, K], topLogProbabilities [N, K] (as the teacher gave them, not renormalised), weights [N]. `softCap` and
 * `perToken` as for vocabCrossEntropy.
 */
export function vocabDistillation(
  hidden: Value,
  embedding: Value,
  topIds: Value,
  topLogProbabilities: Value,
  weights: Value,
  softCap: number | null = null,
): { loss: Value; perToken: Value } {
  const inputs = [hidden, embedding, topIds, topLogProbabilities, weights];
  const [loss, perToken] = apply(vocabDistillationOp, inputs, softCap === null ? {} : { softCap });
  return { loss: loss!, perToken: perToken! };
}
