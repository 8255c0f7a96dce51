// Attention, its gradients and decoding against the formula written out in double precision.
import { describe, expect, test } from 'vitest';
import {
  type AttentionSizes,
  attentionDecode,
  attentionForward,
  attentionGrad,
  decodePartial,
} from '../../../../native-host/runtime/cuda/kernels/launches/attention.ts';
import { relativeError } from '../../devices.ts';
import { computeInEveryOrder, type EmulatedKernels, normalsOf } from './emulated-kernels.ts';

interface Problem extends AttentionSizes {
  past?: number;
  /** Sequence id of a position in its row; absent: no ids. */
  idOf?: (row: number, position: number) => number;
  /** Columns that are not the attention's in each row of each operand. */
  padding?: number;
}

function inputsOf(problem: Problem) {
  const { rows, length, heads, keyValueHeads, headDim, past = 0, idOf, padding = 0 } = problem;
  const [width, keyWidth] = [heads * headDim + padding, keyValueHeads * headDim + padding];
  const keys = rows * (past + length);
  return {
    q: { numbers: normalsOf('bfloat16', rows * length * width, 1, 1.5), stride: width },
    k: { numbers: normalsOf('bfloat16', keys * keyWidth, 2, 1.5), stride: keyWidth },
    v: { numbers: normalsOf('bfloat16', keys * keyWidth, 3), stride: keyWidth },
    cotangent: { numbers: normalsOf('bfloat16', rows * length * width, 4), stride: width },
    ids: idOf && Int32Array.from({ length: rows * length }, (_, i) => idOf(Math.floor(i / length), i % length)),
  };
}

/** One query after another. */
function attentionByHand(problem: Problem, { q, k, v, cotangent, ids }: ReturnType<typeof inputsOf>) {
  const { rows, length, heads, keyValueHeads, headDim, past = 0, window = Infinity, softCap } = problem;
  const scale = 1 / Math.sqrt(headDim);
  const tanhOf = (score: number) => (softCap === undefined ? 0 : Math.tanh(score / softCap));
  const [width, keyWidth, keys] = [heads * headDim, keyValueHeads * headDim, past + length];
  const out = new Float64Array(rows * length * width);
  const logSumExp = new Float64Array(rows * heads * length);
  const ofQ = new Float64Array(rows * length * width);
  const ofK = new Float64Array(rows * keys * keyWidth);
  const ofV = new Float64Array(rows * keys * keyWidth);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      const column = Math.floor((head * keyValueHeads) / heads) * headDim;
      for (let i = 0; i < length; i++) {
        const query = row * length + i;
        const seen: number[] = [];
        for (let j = Math.max(0, i + past + 1 - window); j <= i + past; j++) {
          if (!ids || ids[row * length + j] === ids[query]) seen.push(row * keys + j);
        }
        const dot = (a: typeof q, aRow: number, aColumn: number, b: typeof q, bRow: number, bColumn: number) => {
          let sum = 0;
          for (let d = 0; d < headDim; d++) {
            sum += a.numbers[aRow * a.stride + aColumn + d]! * b.numbers[bRow * b.stride + bColumn + d]!;
          }
          return sum;
        };
        const uncapped = seen.map((key) => scale * dot(q, query, head * headDim, k, key, column));
        const scores = uncapped.map((score) => (softCap === undefined ? score : softCap * tanhOf(score)));
        const highest = Math.max(...scores);
        const total = scores.reduce((sum, score) => sum + Math.exp(score - highest), 0);
        logSumExp[(row * heads + head) * length + i] = highest + Math.log(total);
        const weights = scores.map((score) => Math.exp(score - highest) / total);
        const ofWeights = seen.map((key) => dot(cotangent, query, head * headDim, v, key, column));
        const mean = ofWeights.reduce((sum, value, n) => sum + value * weights[n]!, 0);
        seen.forEach((key, n) => {
          const slope = 1 - tanhOf(uncapped[n]!) ** 2;
          const ofScore = scale * slope * weights[n]! * (ofWeights[n]! - mean);
          for (let d = 0; d < headDim; d++) {
            const [at, keyAt] = [query * width + head * headDim + d, key * keyWidth + column + d];
            out[at]! += weights[n]! * v.numbers[key * v.stride + column + d]!;
            ofQ[at]! += ofScore * k.numbers[key * k.stride + column + d]!;
            ofK[keyAt]! += ofScore * q.numbers[query * q.stride + head * headDim + d]!;
            ofV[keyAt]! += weights[n]! * cotangent.numbers[query * cotangent.stride + head * headDim + d]!;
          }
        });
      }
    }
  }
  return { out, logSumExp, ofQ, ofK, ofV };
}

function putInputs(memory: EmulatedKernels, { past }: Problem, { q, k, v, ids }: ReturnType<typeof inputsOf>) {
  const put = ({ numbers, stride }: typeof q) => ({ at: memory.putNumbers(numbers, 'bfloat16'), stride });
  return {
    inputs: { q: put(q), k: put(k), v: put(v) },
    sequenceIds: ids ? memory.put(ids) : null,
    past: past === undefined ? null : memory.put(Int32Array.of(past)),
    put,
  };
}

function checkForwardAndGradients(problem: Problem, capability: number): void {
  const inputs = inputsOf(problem);
  const { rows, length, heads, keyValueHeads, headDim } = problem;
  const [width, keyWidth] = [heads * headDim, keyValueHeads * headDim];
  const got = computeInEveryOrder((memory) => {
    const { inputs: operands, sequenceIds, past, put } = putInputs(memory, problem, inputs);
    const blank = (columns: number) => ({ at: memory.empty(rows * length * columns, 2), stride: columns });
    const scalars = () => memory.empty(rows * heads * length);
    const [out, ofQ, ofK, ofV] = [blank(width), blank(width), blank(keyWidth), blank(keyWidth)] as const;
    const [logSumExp, delta] = [scalars(), scalars()] as const;
    const given = { ...operands, sequenceIds, past };
    const gradients = { out, cotangent: put(inputs.cotangent), logSumExp, delta, ofQ, ofK, ofV };
    const bfloat = ({ at }: { at: typeof logSumExp }) => ({ buffer: at, type: 'bfloat16' as const });
    return {
      launches: [
        attentionForward(given, out, logSumExp, problem, capability),
        ...attentionGrad(given, gradients, problem, capability),
      ],
      outputs: {
        ...{ out: bfloat(out), ofQ: bfloat(ofQ), ofK: bfloat(ofK), ofV: bfloat(ofV) },
        logSumExp: { buffer: logSumExp, type: 'float32' },
      },
    };
  });
  const wanted = attentionByHand(problem, inputs);
  // Weights and their cotangents are rounded to bfloat16 before the second product of each pair.
  expect(relativeError(got.logSumExp!, wanted.logSumExp)).toBeLessThan(1e-5);
  expect(relativeError(got.out!, wanted.out)).toBeLessThan(8e-3);
  expect(relativeError(got.ofQ!, wanted.ofQ)).toBeLessThan(1.5e-2);
  expect(relativeError(got.ofK!, wanted.ofK)).toBeLessThan(1.5e-2);
  expect(relativeError(got.ofV!, wanted.ofV)).toBeLessThan(1.5e-2);
}

/** Rows of several sequences that end in padding, no end of which falls on a tile's. */
const packed = (row: number, position: number) => {
  if (row === 0) return 0;
  const index = [40, 75, 150].findIndex((end) => position < end);
  return index < 0 ? -1 : 1 + index;
};

// Cards of capability 9.0 have kernels of their own.
describe.each([80, 90])('attention and its gradients for capability %i', (capability) => {
  test.each<[string, Problem]>([
    ['heads of 64, one sequence a row, three tiles', { rows: 1, length: 140, heads: 1, keyValueHeads: 1, headDim: 64 }],
    ['heads of 128, packed', { rows: 2, length: 80, heads: 2, keyValueHeads: 2, headDim: 128, idOf: packed }],
    ['two heads on one key', { rows: 2, length: 160, heads: 2, keyValueHeads: 1, headDim: 40, idOf: packed }],
    [
      'odd heads, which no wide copy fits',
      { rows: 2, length: 70, heads: 4, keyValueHeads: 2, headDim: 9, idOf: packed },
    ],
    ['a head between the sizes', { rows: 1, length: 66, heads: 2, keyValueHeads: 1, headDim: 80, padding: 8 }],
    [
      'ids that come again later in the row',
      { rows: 1, length: 140, heads: 1, keyValueHeads: 1, headDim: 16, idOf: (_, at) => Math.floor(at / 33) % 2 },
    ],
    ['one position', { rows: 1, length: 1, heads: 2, keyValueHeads: 1, headDim: 8 }],
    ['capped scores', { rows: 1, length: 70, heads: 2, keyValueHeads: 1, headDim: 24, softCap: 2, idOf: packed }],
    [
      'a window shorter than a tile',
      { rows: 2, length: 200, heads: 1, keyValueHeads: 1, headDim: 16, window: 20, idOf: packed },
    ],
    [
      'a window of more than a tile, and capped scores',
      { rows: 1, length: 330, heads: 2, keyValueHeads: 1, headDim: 16, window: 100, softCap: 3 },
    ],
    ['a window of one position', { rows: 1, length: 140, heads: 1, keyValueHeads: 1, headDim: 8, window: 1 }],
    ['heads of 256', { rows: 1, length: 100, heads: 2, keyValueHeads: 1, headDim: 256, idOf: packed }],
    [
      'heads of 200, in a window, capped',
      { rows: 2, length: 90, heads: 2, keyValueHeads: 2, headDim: 200, padding: 8, window: 30, softCap: 4 },
    ],
  ])('%s', (_, problem) => checkForwardAndGradients(problem, capability));
});

describe.each([80, 90])('attention over a cache for capability %i', (capability) => {
  const compute = (problem: Problem, splits: number) => {
    const inputs = inputsOf(problem);
    const { length, heads, headDim } = problem;
    const stride = heads * headDim;
    const got = computeInEveryOrder((memory) => {
      const { inputs: operands, past } = putInputs(memory, problem, inputs);
      const forward = { at: memory.empty(length * stride, 2), stride };
      const decoded = { at: memory.empty(length * stride), type: 'float32' as const, stride };
      const partial = memory.empty(decodePartial(problem, splits));
      return {
        launches: [
          attentionForward({ ...operands, past, sequenceIds: null }, forward, null, problem, capability),
          ...attentionDecode({ ...operands, past: past! }, decoded, partial, problem, splits),
        ],
        outputs: {
          forward: { buffer: forward.at, type: 'bfloat16' },
          decoded: { buffer: decoded.at, type: 'float32' },
        },
      };
    });
    const { out } = attentionByHand(problem, inputs);
    expect(relativeError(got.forward!, out)).toBeLessThan(8e-3);
    expect(relativeError(got.decoded!, out)).toBeLessThan(1e-5);
  };

  test('one new position', () => compute({ rows: 1, length: 1, past: 75, heads: 6, keyValueHeads: 2, headDim: 64 }, 3));
  test('some new positions', () =>
    compute({ rows: 1, length: 5, past: 130, heads: 2, keyValueHeads: 2, headDim: 128 }, 4));
  test('an empty cache, and more parts than keys', () => {
    compute({ rows: 1, length: 2, past: 0, heads: 4, keyValueHeads: 1, headDim: 10 }, 5);
  });
  test('more heads on a key than a block takes', () => {
    compute({ rows: 1, length: 1, past: 20, heads: 22, keyValueHeads: 2, headDim: 16 }, 2);
  });
  test('a window over the cache, and capped scores', () => {
    compute({ rows: 1, length: 3, past: 150, heads: 4, keyValueHeads: 2, headDim: 32, window: 70, softCap: 2 }, 4);
  });
  test('a window that the cache does not fill', () => {
    compute({ rows: 1, length: 2, past: 5, heads: 2, keyValueHeads: 1, headDim: 16, window: 50 }, 3);
  });
  test('heads of 256', () => {
    compute({ rows: 1, length: 2, past: 70, heads: 2, keyValueHeads: 1, headDim: 256, softCap: 3 }, 2);
  });
});

test('heads that no kernel takes are refused', () => {
  const at = { at: 1n, stride: 264 };
  const sizes = { rows: 1, length: 4, heads: 1, keyValueHeads: 1, headDim: 264 };
  const inputs = { q: at, k: at, v: at, sequenceIds: null, past: null };
  expect(() => attentionForward(inputs, at, null, sizes)).toThrow('up to 256 columns, and got 264');
});
