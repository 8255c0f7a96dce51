import type { Node } from '../../graph/value.ts';
import type { OnnxBuilder } from './builder.ts';
import type { Lowering } from './lower.ts';
import { addRowsAt } from './lower-math.ts';

// Logits of a slice of rows: at most this many floats (64 MB).
const sliceElements = 16 * 1024 * 1024;

/** How many slices the rows of a loss fall into. */
function sliceCount(node: Node): number {
  const rows = node.inputs[0]!.shape[0] as number;
  const vocabulary = node.inputs[1]!.shape[0] as number;
  return Math.ceil(rows / Math.max(1, Math.floor(sliceElements / vocabulary)));
}

/** Bytes of the logits of one slice of a loss. */
export function logitBytes(node: Node): number {
  const [rows, vocabulary] = [node.inputs[0]!.shape[0] as number, node.inputs[1]!.shape[0] as number];
  return 4 * Math.ceil(rows / sliceCount(node)) * vocabulary;
}

interface Slice {
  /** Names of this slice's rows of hidden [R, C], weights [R] and the op's other inputs. */
  parts: string[];
  /** Capped where the op asks for it. */
  logits: string;
  /** Softmax of the logits [R, V]. */
  probabilities: string;
  /** How the capped logits change with the others [R, V]; null where nothing is capped. */
  slopes: string | null;
}

/**
 * Works through the rows in slices. The gradient is computed along with the loss, so that the logits of a slice serve
 * both and are gone before the next slice, which waits for it. Where sizes may depend on values, rows with weight 0 have no
 * logits at all: of questions only the answers have a weight, which is a fifth of their tokens.
 */
function lossOverSlices(
  lossOf: (builder: OnnxBuilder, slice: Slice) => { perToken: string; correct?: string },
  gradOf: (builder: OnnxBuilder, slice: Slice, embedding: string, wantsEmbedding: boolean) => string[],
): Lowering {
  return ({ builder, inputs, node, saved, gradientOf, dynamicRows }) => {
    const [hidden, embedding, ...others] = inputs as [string, string, ...string[]];
    const rows = node.inputs[0]!.shape[0] as number;
    const count = sliceCount(node);
    const sizes = Array.from(
      { length: count },
      (_, i) => Math.floor(((i + 1) * rows) / count) - Math.floor((i * rows) / count),
    );
    const cut = (x: string) =>
      count === 1 ? [x] : builder.many('Split', [x, builder.int64(sizes)], count, { axis: 0 });
    const join = (parts: string[]) => (count === 1 ? parts[0]! : builder.one('Concat', parts, { axis: 0 }));
    const slicesOf = [hidden, ...others].map(cut);
    const gradient: Node | undefined = gradientOf.get(node);

    const perToken: string[] = [];
    const correct: string[] = [];
    const ofHidden: string[] = [];
    let ofEmbedding: string | undefined;
    let done: string[] = [];
    for (let i = 0; i < count; i++) {
      const all = slicesOf.map((names) => names[i]!);
      if (done.length > 0) all[0] = builder.after(all[0]!, done);
      const rowsOf = dynamicRows ? weightedRows(builder, all.at(-1)!, sizes[i]!) : allRows;
      const parts = all.map(rowsOf.taken);
      const { logits, slopes } = capLogits(builder, builder.product(parts[0]!, embedding, false, true), node);
      const slice = { parts, logits, slopes, probabilities: builder.one('Softmax', [logits], { axis: -1 }) };
      const { perToken: lossOfRows, correct: correctRows } = lossOf(builder, slice);
      perToken.push(rowsOf.putBack(lossOfRows, []));
      if (correctRows !== undefined) correct.push(rowsOf.putBack(correctRows, []));
      done = [perToken[i]!, ...(correctRows === undefined ? [] : [correct[i]!])];
      if (gradient === undefined) continue;
      const [hiddenPart, embeddingPart] = gradOf(builder, slice, embedding, gradient.attributes.wantsEmbedding);
      const width = node.inputs[0]!.shape[1] as number;
      ofHidden.push(builder.after(rowsOf.putBack(hiddenPart!, [width]), done));
      done = [ofHidden[i]!, ...(embeddingPart === undefined ? [] : [embeddingPart])];
      if (embeddingPart !== undefined) {
        ofEmbedding = ofEmbedding === undefined ? embeddingPart : builder.one('Add', [ofEmbedding, embeddingPart]);
      }
    }
    if (gradient !== undefined) saved.set(node, { hidden: join(ofHidden), embedding: ofEmbedding ?? '' });
    const weights = others[others.length - 1]!;
    const tokens = join(perToken);
    const total = builder.one('ReduceSum', [builder.one('Mul', [tokens, weights])], { keepdims: 0 });
    return correct.length > 0 ? [total, tokens, join(correct)] : [total, tokens];
  };
}

/** Which rows of a slice are worked with, and how what comes of them is put where they were. */
interface Rows {
  taken(x: string): string;
  putBack(x: string, rowShape: readonly number[]): string;
}

const allRows: Rows = { taken: (x) => x, putBack: (x) => x };

/** Rows whose weight is not 0; the others of the `count` get zeros. */
function weightedRows(builder: OnnxBuilder, weights: string, count: number): Rows {
  const indices = builder.reshape(builder.one('NonZero', [weights]), [-1]);
  return {
    taken: (x) => builder.one('Gather', [x, indices], { axis: 0 }),
    putBack: (x, rowShape) => {
      const zeros = builder.one('ConstantOfShape', [builder.int64([count, ...rowShape])]);
      return builder.one('ScatterND', [zeros, builder.reshape(indices, [-1, 1]), x]);
    },
  };
}

/** Logits z as c · tanh(z / c), with the slopes 1 − tanh², where the op has a cap c. */
function capLogits(builder: OnnxBuilder, logits: string, node: Node): { logits: string; slopes: string | null } {
  const { softCap } = node.attributes;
  if (softCap === undefined) return { logits, slopes: null };
  const tanh = builder.one('Tanh', [builder.one('Mul', [logits, builder.float(1 / softCap)])]);
  const slopes = builder.one('Sub', [builder.float(1), builder.one('Mul', [tanh, tanh])]);
  return { logits: builder.one('Mul', [tanh, builder.float(softCap)]), slopes };
}

/** What the forward op's lowering has already computed. */
const savedGradient: Lowering = ({ node, saved }) => {
  const { hidden, embedding } = saved.get(node.attributes.forward)!;
  return node.attributes.wantsEmbedding ? [hidden!, embedding!] : [hidden!];
};

/** Values [R, V] or those of the ids [R, K], times the slopes where there are any. */
function sloped(builder: OnnxBuilder, values: string, { slopes }: Slice, ids: string | null = null): string {
  if (slopes === null) return values;
  const wanted = ids === null ? slopes : builder.one('GatherElements', [slopes, ids], { axis: 1 });
  return builder.one('Mul', [values, wanted]);
}

const column = (builder: OnnxBuilder, x: string) => builder.one('Unsqueeze', [x, builder.int64([1])]);

/** log p of the ids [R, K]: logits − log Σ exp, where the likeliest token's probability tells the sum without overflow. */
function logProbabilities(builder: OnnxBuilder, { logits, probabilities }: Slice, ids: string): string {
  const highest = builder.reduceLast('ReduceMax', logits);
  const logOfHighest = builder.one('Log', [builder.reduceLast('ReduceMax', probabilities)]);
  const logOfSum = builder.one('Sub', [highest, logOfHighest]);
  return builder.one('Sub', [builder.one('GatherElements', [logits, ids], { axis: 1 }), logOfSum]);
}

export const lossLowerings: Record<string, Lowering> = {
  vocabCrossEntropy: lossOverSlices(
    (builder, slice) => {
      const labels = column(builder, slice.parts[1]!);
      const picked = builder.one('GatherElements', [slice.logits, labels], { axis: 1 });
      const isLikeliest = builder.one('GreaterOrEqual', [picked, builder.reduceLast('ReduceMax', slice.logits)]);
      const loss = builder.one('Neg', [logProbabilities(builder, slice, labels)]);
      return {
        perToken: builder.reshape(loss, [-1]),
        correct: builder.reshape(builder.cast(isLikeliest, 'float32'), [-1]),
      };
    },
    // d/dlogits = w·(p − onehot), so d/dhidden = w·(p·E − E[label]) and d/dE = (w·p)ᵀ·h − rows w·h added at the labels.
    // Of capped logits both parts are times the slopes.
    (builder, slice, embedding, wantsEmbedding) => {
      const [hidden, labels, weights] = slice.parts;
      const w = column(builder, weights!);
      const probabilities = sloped(builder, slice.probabilities, slice);
      const expected = builder.product(probabilities, embedding);
      const label = column(builder, labels!);
      const target = sloped(builder, builder.one('Gather', [embedding, labels!], { axis: 0 }), slice, label);
      const ofHidden = builder.one('Mul', [builder.one('Sub', [expected, target]), w]);
      if (!wantsEmbedding) return [ofHidden];
      const weighted = builder.one('Mul', [hidden!, w]);
      const spread = builder.product(probabilities, weighted, true, false);
      const ofLabels = sloped(builder, builder.one('Neg', [weighted]), slice, label);
      return [ofHidden, addRowsAt(builder, spread, labels!, ofLabels)];
    },
  ),
  vocabCrossEntropyGrad: savedGradient,

  vocabDistillation: lossOverSlices(
    (builder, slice) => {
      const [, ids, teacher] = slice.parts;
      const difference = builder.one('Sub', [teacher!, logProbabilities(builder, slice, ids!)]);
      const terms = builder.one('Mul', [builder.one('Exp', [teacher!]), difference]);
      return { perToken: builder.reshape(builder.reduceLast('ReduceSum', terms), [-1]) };
    },
    // With t the teacher's probabilities: d/dlogits = w·(p·Σt − t), so d/dhidden = w·(Σt·(p·E) − Σ t·E[id]).
    (builder, slice, embedding, wantsEmbedding) => {
      const [hidden, ids, teacher, weights] = slice.parts;
      const w = column(builder, weights!);
      const taught = builder.one('Exp', [teacher!]);
      const total = builder.reduceLast('ReduceSum', taught);
      const mass = sloped(builder, taught, slice, ids!);
      const probabilities = sloped(builder, slice.probabilities, slice);
      const expected = builder.one('Mul', [builder.product(probabilities, embedding), total]);
      const rows = builder.one('Gather', [embedding, ids!], { axis: 0 });
      const row = builder.product(builder.one('Unsqueeze', [mass, builder.int64([1])]), rows);
      const target = builder.one('Squeeze', [row, builder.int64([1])]);
      const ofHidden = builder.one('Mul', [builder.one('Sub', [expected, target]), w]);
      if (!wantsEmbedding) return [ofHidden];
      const weighted = builder.one('Mul', [hidden!, w]);
      const spread = builder.product(probabilities, builder.one('Mul', [weighted, total]), true, false);
      const each = builder.one('Mul', [
        builder.one('Unsqueeze', [builder.one('Neg', [mass]), builder.int64([2])]),
        builder.one('Unsqueeze', [weighted, builder.int64([1])]),
      ]);
      const flatRows = builder.one('Flatten', [each], { axis: 2 });
      return [ofHidden, addRowsAt(builder, spread, ids!, flatRows)];
    },
  ),
  vocabDistillationGrad: savedGradient,
};
