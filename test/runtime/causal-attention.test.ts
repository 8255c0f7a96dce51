// Rows long enough that the onnx backend works in blocks, against the formula written out. Short rows are in ops.test.ts.
import { afterAll, describe, expect, test } from 'vitest';
import { grad } from '../../native-host/graph/grad.ts';
import { type AttentionShape, causalAttention } from '../../native-host/graph/ops/attention.ts';
import { constant, input } from '../../native-host/graph/ops/source.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import { float32, int32 } from '../../native-host/runtime/device.ts';
import { allowedDeviation, deviation, floats, openTestDevice, testableDevices } from './devices.ts';

interface Problem extends AttentionShape {
  batch: number;
  length: number;
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  cotangent: Float32Array;
  sequenceIds: Int32Array;
}

function randomProblem(length: number, { heads, keyValueHeads, headDim }: AttentionShape): Problem {
  const batch = 2;
  const normal = normalNumbers(length);
  const random = (columns: number) => Float32Array.from({ length: batch * length * columns }, () => normal());
  // The first row holds one sequence, the second three and then padding.
  const ends = [Math.floor(length / 5), Math.floor(length / 2), Math.floor(0.9 * length)];
  const sequenceOf = (row: number, position: number) => {
    if (row === 0) return 0;
    const index = ends.findIndex((end) => position < end);
    return index < 0 ? -1 : 1 + index;
  };
  return {
    ...{ heads, keyValueHeads, headDim, batch, length },
    q: random(heads * headDim),
    k: random(keyValueHeads * headDim),
    v: random(keyValueHeads * headDim),
    cotangent: random(heads * headDim),
    sequenceIds: Int32Array.from({ length: batch * length }, (_, i) => sequenceOf(Math.floor(i / length), i % length)),
  };
}

/** One query after another, in double precision. */
function attentionByHand(problem: Problem) {
  const { heads, keyValueHeads, headDim, batch, length, q, k, v, cotangent, sequenceIds } = problem;
  const result = { output: new Float64Array(q.length), q: new Float64Array(q.length) };
  const ofKeys = new Float64Array(k.length);
  const ofValues = new Float64Array(v.length);
  const scale = 1 / Math.sqrt(headDim);
  for (let row = 0; row < batch; row++) {
    for (let head = 0; head < heads; head++) {
      const group = Math.floor((head * keyValueHeads) / heads);
      const keyAt = (position: number) => ((row * length + position) * keyValueHeads + group) * headDim;
      for (let i = 0; i < length; i++) {
        const at = ((row * length + i) * heads + head) * headDim;
        const seen: number[] = [];
        for (let j = 0; j <= i; j++) if (sequenceIds[row * length + j] === sequenceIds[row * length + i]) seen.push(j);
        const dot = (a: ArrayLike<number>, from: number, b: ArrayLike<number>, to: number) => {
          let sum = 0;
          for (let d = 0; d < headDim; d++) sum += a[from + d]! * b[to + d]!;
          return sum;
        };
        const scores = seen.map((j) => scale * dot(q, at, k, keyAt(j)));
        const highest = Math.max(...scores);
        const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
        const weights = scores.map((score) => Math.exp(score - highest) / total);
        const ofWeights = seen.map((j) => dot(cotangent, at, v, keyAt(j)));
        const mean = ofWeights.reduce((sum, value, n) => sum + value * weights[n]!, 0);
        seen.forEach((j, n) => {
          const ofScore = scale * weights[n]! * (ofWeights[n]! - mean);
          for (let d = 0; d < headDim; d++) {
            result.output[at + d]! += weights[n]! * v[keyAt(j) + d]!;
            result.q[at + d]! += ofScore * k[keyAt(j) + d]!;
            ofKeys[keyAt(j) + d]! += ofScore * q[at + d]!;
            ofValues[keyAt(j) + d]! += weights[n]! * cotangent[at + d]!;
          }
        });
      }
    }
  }
  return { ...result, k: ofKeys, v: ofValues };
}

describe.each(testableDevices().names)('attention in blocks on %s', (name) => {
  const device = openTestDevice(name);
  afterAll(() => device.close());

  test.each([
    { length: 255, heads: 2, keyValueHeads: 2, headDim: 4 },
    { length: 259, heads: 4, keyValueHeads: 2, headDim: 4 },
    { length: 515, heads: 3, keyValueHeads: 1, headDim: 4 },
  ])('$length positions, $heads heads on $keyValueHeads', async ({ length, ...shape }) => {
    const problem = randomProblem(length, shape);
    const { batch, heads, keyValueHeads, headDim } = problem;
    const inputs = {
      q: input('q', [batch * length, heads * headDim]),
      k: input('k', [batch * length, keyValueHeads * headDim]),
      v: input('v', [batch * length, keyValueHeads * headDim]),
    };
    const output = causalAttention(inputs.q, inputs.k, inputs.v, input('sequenceIds', [batch, length], 'int32'), shape);
    const seed = constant(problem.cotangent, [batch * length, heads * headDim]);
    const [ofQ, ofK, ofV] = grad(output, Object.values(inputs), seed);
    const program = { name: 'attention', outputs: { output, ofQ: ofQ!, ofK: ofK!, ofV: ofV! } };
    const executable = await device.compile(program, { weights: new Map() });
    const { host } = await executable.run({
      q: float32(problem.q, inputs.q.shape as number[]),
      k: float32(problem.k, inputs.k.shape as number[]),
      v: float32(problem.v, inputs.v.shape as number[]),
      sequenceIds: int32(problem.sequenceIds, [batch, length]),
    });
    const wanted = attentionByHand(problem);
    expect(deviation(name, floats(host.output!), wanted.output)).toBeLessThan(allowedDeviation(name, 'op'));
    expect(deviation(name, floats(host.ofQ!), wanted.q)).toBeLessThan(allowedDeviation(name, 'opGradient'));
    expect(deviation(name, floats(host.ofK!), wanted.k)).toBeLessThan(allowedDeviation(name, 'opGradient'));
    expect(deviation(name, floats(host.ofV!), wanted.v)).toBeLessThan(allowedDeviation(name, 'opGradient'));
    await executable.release();
  });
});
