// So many logits that the onnx backend works in slices, against the formula written out. Fewer are in ops.test.ts.
import { afterAll, describe, expect, test } from 'vitest';
import { grad } from '../../native-host/graph/grad.ts';
import { vocabCrossEntropy } from '../../native-host/graph/ops/loss.ts';
import { input, scalar } from '../../native-host/graph/ops/source.ts';
import { normalNumbers, uniformNumbers } from '../../native-host/model/random.ts';
import { float32, int32 } from '../../native-host/runtime/device.ts';
import { floats, openTestDevice, relativeError, testableDevices } from './devices.ts';

const rows = 2100;
const vocabulary = 16_384;
const width = 2;
/** Of no weight: every third row, and all of one slice. */
const isLeftOut = (row: number) => row % 3 === 0 || (row >= 700 && row < 1400);

function randomProblem() {
  const normal = normalNumbers(1);
  const uniform = uniformNumbers(2);
  return {
    hidden: Float32Array.from({ length: rows * width }, () => normal()),
    embedding: Float32Array.from({ length: vocabulary * width }, () => normal()),
    labels: Int32Array.from({ length: rows }, () => Math.floor(uniform() * vocabulary)),
    weights: Float32Array.from({ length: rows }, (_, row) => (isLeftOut(row) ? 0 : uniform())),
  };
}

/** One row after another, in double precision. */
function lossByHand({ hidden, embedding, labels, weights }: ReturnType<typeof randomProblem>) {
  const perToken = new Float64Array(rows);
  const ofHidden = new Float64Array(hidden.length);
  const ofEmbedding = new Float64Array(embedding.length);
  const exponentials = new Float64Array(vocabulary);
  for (let row = 0; row < rows; row++) {
    const [first, second, weight] = [hidden[2 * row]!, hidden[2 * row + 1]!, weights[row]!];
    let total = 0;
    for (let id = 0; id < vocabulary; id++) {
      exponentials[id] = Math.exp(first * embedding[2 * id]! + second * embedding[2 * id + 1]!);
      total += exponentials[id]!;
    }
    perToken[row] = -Math.log(exponentials[labels[row]!]! / total);
    for (let id = 0; id < vocabulary; id++) {
      const ofLogit = weight * (exponentials[id]! / total - Number(id === labels[row]));
      ofHidden[2 * row]! += ofLogit * embedding[2 * id]!;
      ofHidden[2 * row + 1]! += ofLogit * embedding[2 * id + 1]!;
      ofEmbedding[2 * id]! += ofLogit * first;
      ofEmbedding[2 * id + 1]! += ofLogit * second;
    }
  }
  return { perToken, ofHidden, ofEmbedding };
}

// An emulated card would take minutes; its slices are of other sizes, and tested with it.
describe.each(testableDevices().names.filter((name) => name !== 'cuda'))('a loss in slices on %s', (name) => {
  const device = openTestDevice(name);
  afterAll(() => device.close());

  test('loss, and gradients of hidden states and embedding', async () => {
    const problem = randomProblem();
    const hidden = input('hidden', [rows, width]);
    const embedding = input('embedding', [vocabulary, width]);
    const losses = vocabCrossEntropy(hidden, embedding, input('labels', [rows], 'int32'), input('weights', [rows]));
    const [ofHidden, ofEmbedding] = grad(losses.loss, [hidden, embedding], scalar(1));
    const program = { name: 'loss', outputs: { ...losses, ofHidden: ofHidden!, ofEmbedding: ofEmbedding! } };
    const executable = await device.compile(program, { weights: new Map() });
    const { host } = await executable.run({
      hidden: float32(problem.hidden, [rows, width]),
      embedding: float32(problem.embedding, [vocabulary, width]),
      labels: int32(problem.labels),
      weights: float32(problem.weights),
    });
    const wanted = lossByHand(problem);
    const counted = (perToken: ArrayLike<number>) => Array.from(perToken).filter((_, row) => !isLeftOut(row));
    expect(relativeError(counted(floats(host.perToken!)), counted(wanted.perToken))).toBeLessThan(1e-4);
    expect(relativeError(floats(host.ofHidden!), wanted.ofHidden)).toBeLessThan(1e-3);
    expect(relativeError(floats(host.ofEmbedding!), wanted.ofEmbedding)).toBeLessThan(1e-3);
    await executable.release();
  });
});
