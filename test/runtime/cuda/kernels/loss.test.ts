// Losses from logits, their gradients, and the optimizer, against loops in double precision.
import { describe, expect, test } from 'vitest';
import type { ElementType } from '../../../../native-host/runtime/cuda/kernel-table.ts';
import * as losses from '../../../../native-host/runtime/cuda/kernels/launches/loss.ts';
import { relativeError } from '../../devices.ts';
import { computeInEveryOrder, type EmulatedBuffer, type EmulatedKernels, normalsOf } from './emulated-kernels.ts';

const rows = 3;
/** More than a block takes in one step, and not a multiple of eight. */
const vocabulary = 4099;
const stride = 4104;

function softmaxOf(row: Float32Array): { probabilities: Float64Array; logOfSum: number; highest: number } {
  const highest = row.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
  const total = row.reduce((sum, x) => sum + Math.exp(x - highest), 0);
  const logOfSum = highest + Math.log(total);
  return { probabilities: Float64Array.from(row, (x) => Math.exp(x - logOfSum)), logOfSum, highest };
}

describe.each<ElementType>(['float32', 'float16', 'bfloat16'])('losses from %s logits', (type) => {
  const logits = normalsOf(type, rows * stride, 1, 6);
  const rowOf = (row: number) => logits.subarray(row * stride, row * stride + vocabulary);
  const weights = Float32Array.of(0.25, 0, -1.5);
  // In place where the gradient's elements are as large as the logits'.
  const inPlace = type !== 'float32';

  test('cross-entropy', () => {
    const second = softmaxOf(rowOf(1));
    const labels = Int32Array.of(4098, rowOf(1).indexOf(second.highest), 0);
    const got = computeInEveryOrder((memory) => {
      const at = memory.putNumbers(logits, type);
      const gradient = inPlace ? at : memory.empty(rows * stride, 2);
      const [perToken, correct, total] = [memory.empty(rows), memory.empty(rows), memory.empty(1)] as const;
      const given = memory.put(weights);
      const slice = { logits: { at, type, stride }, weights: given, gradient: { at: gradient, stride } };
      const launch = losses.crossEntropyRows({ ...slice, perToken, rows, vocabulary }, memory.put(labels), correct);
      return {
        launches: [launch, losses.weightedSum(perToken, given, total, rows)],
        outputs: {
          gradient: { buffer: gradient, type: 'bfloat16' },
          perToken: { buffer: perToken, type: 'float32' },
          correct: { buffer: correct, type: 'float32' },
          total: { buffer: total, type: 'float32' },
        },
      };
    });
    const perToken = [0, 1, 2].map((row) => softmaxOf(rowOf(row)).logOfSum - rowOf(row)[labels[row]!]!);
    expect(relativeError(got.perToken!, perToken)).toBeLessThan(1e-5);
    expect([...got.correct!]).toEqual([0, 1, 0]);
    expect(got.total![0]).toBeCloseTo(0.25 * perToken[0]! - 1.5 * perToken[2]!, 4);
    for (let row = 0; row < rows; row++) {
      const { probabilities } = softmaxOf(rowOf(row));
      probabilities[labels[row]!]! -= 1;
      const wanted = probabilities.map((p) => p * weights[row]!);
      const gradient = got.gradient!.subarray(row * stride, row * stride + vocabulary);
      expect(relativeError(gradient, wanted)).toBeLessThan(4e-3);
    }
  });

  test('distillation', () => {
    const topIds = Int32Array.of(5, 4098, 17, 0, 1, 2, 9, 8, 2048);
    const teacher = Float32Array.of(-1, -0.9, -3, -0.2, -2.5, -3, -1.1, -1.2, -1.3);
    const got = computeInEveryOrder((memory) => {
      const at = memory.putNumbers(logits, type);
      const gradient = inPlace ? at : memory.empty(rows * stride, 2);
      const perToken = memory.empty(rows);
      const slice = { logits: { at, type, stride }, weights: memory.put(weights), gradient: { at: gradient, stride } };
      const given = { topIds: memory.put(topIds), topLogProbabilities: memory.put(teacher), topCount: 3 };
      return {
        launches: [losses.distillationRows({ ...slice, perToken, rows, vocabulary }, given)],
        outputs: {
          gradient: { buffer: gradient, type: 'bfloat16' },
          perToken: { buffer: perToken, type: 'float32' },
        },
      };
    });
    for (let row = 0; row < rows; row++) {
      const { probabilities, logOfSum } = softmaxOf(rowOf(row));
      const top = [0, 1, 2].map((k) => ({ id: topIds[row * 3 + k]!, log: teacher[row * 3 + k]! }));
      const mass = top.reduce((sum, { log }) => sum + Math.exp(log), 0);
      const loss = top.reduce((sum, { id, log }) => sum + Math.exp(log) * (log - (rowOf(row)[id]! - logOfSum)), 0);
      expect(relativeError([got.perToken![row]!], [loss])).toBeLessThan(1e-5);
      const wanted = probabilities.map((p) => p * mass * weights[row]!);
      for (const { id, log } of top) wanted[id]! -= Math.exp(log) * weights[row]!;
      const gradient = got.gradient!.subarray(row * stride, row * stride + vocabulary);
      expect(relativeError(gradient, wanted)).toBeLessThan(4e-3);
    }
  });
});

describe.each([0.5, 30])('losses from logits capped at %d', (cap) => {
  const logits = normalsOf('float32', rows * stride, 1, 20);
  const tanhOf = (row: number) =>
    Float64Array.from(logits.subarray(row * stride, row * stride + vocabulary), (x) => Math.tanh(x / cap));
  const cappedRow = (row: number) => Float32Array.from(tanhOf(row), (tanh) => cap * tanh);
  const weights = Float32Array.of(0.25, 0, -1.5);
  const compute = (
    launchOf: (
      slice: losses.LossRows<EmulatedBuffer>,
      memory: EmulatedKernels,
    ) => ReturnType<typeof losses.crossEntropyRows<EmulatedBuffer>>,
  ) =>
    computeInEveryOrder((memory) => {
      const gradient = memory.empty(rows * stride, 2);
      const perToken = memory.empty(rows);
      const at = { at: memory.put(logits), type: 'float32' as const, stride };
      const given = { logits: at, weights: memory.put(weights), gradient: { at: gradient, stride }, perToken };
      return {
        launches: [launchOf({ ...given, rows, vocabulary, softCap: cap }, memory)],
        outputs: { gradient: { buffer: gradient, type: 'bfloat16' }, perToken: { buffer: perToken, type: 'float32' } },
      };
    });
  const expectGradient = (got: Float32Array, row: number, ofCapped: Float64Array) => {
    const tanh = tanhOf(row);
    const wanted = ofCapped.map((value, id) => value * (1 - tanh[id]! ** 2) * weights[row]!);
    expect(relativeError(got.subarray(row * stride, row * stride + vocabulary), wanted, 1e-6)).toBeLessThan(4e-3);
  };

  test('cross-entropy', () => {
    const labels = Int32Array.of(4098, 7, 0);
    const got = compute((slice, memory) => losses.crossEntropyRows(slice, memory.put(labels), memory.empty(rows)));
    for (let row = 0; row < rows; row++) {
      const { probabilities, logOfSum } = softmaxOf(cappedRow(row));
      expect(got.perToken![row]).toBeCloseTo(logOfSum - cappedRow(row)[labels[row]!]!, 4);
      probabilities[labels[row]!]! -= 1;
      expectGradient(got.gradient!, row, probabilities);
    }
  });

  test('distillation', () => {
    const topIds = Int32Array.of(5, 4098, 17, 0, 1, 2);
    const teacher = Float32Array.of(-1, -0.9, -3, -0.2, -2.5, -3);
    const got = compute((slice, memory) => {
      const given = { topIds: memory.put(topIds), topLogProbabilities: memory.put(teacher), topCount: 2 };
      return losses.distillationRows(slice, given);
    });
    for (let row = 0; row < rows; row++) {
      const { probabilities, logOfSum } = softmaxOf(cappedRow(row));
      const top = [0, 1].map((k) => ({ id: topIds[row * 2 + k]!, log: teacher[row * 2 + k]! }));
      const mass = top.reduce((sum, { log }) => sum + Math.exp(log), 0);
      const loss = top.reduce((sum, { id, log }) => sum + Math.exp(log) * (log - (cappedRow(row)[id]! - logOfSum)), 0);
      expect(got.perToken![row]).toBeCloseTo(loss, 4);
      const ofCapped = probabilities.map((p) => p * mass);
      for (const { id, log } of top) ofCapped[id]! -= Math.exp(log);
      expectGradient(got.gradient!, row, ofCapped);
    }
  });
});

test('logits so large that their exponentials overflow', () => {
  const logits = Float32Array.of(900, -900, 899, 0, 0, 0, 0, 0);
  const { perToken } = computeInEveryOrder((memory) => {
    const out = memory.empty(1);
    const at = { at: memory.put(logits), type: 'float32' as const, stride: 8 };
    const slice = { logits: at, weights: null, gradient: null, perToken: out, rows: 1, vocabulary: 8 };
    const launch = losses.crossEntropyRows(slice, memory.put(Int32Array.of(1)), memory.empty(1));
    return { launches: [launch], outputs: { perToken: { buffer: out, type: 'float32' } } };
  });
  expect(perToken![0]).toBeCloseTo(1800 + Math.log1p(Math.exp(-1)), 3);
});

test('a label outside the vocabulary gives NaN and touches nothing else', () => {
  const { perToken } = computeInEveryOrder((memory) => {
    const out = memory.empty(1);
    const at = { at: memory.put(new Float32Array(8)), type: 'float32' as const, stride: 8 };
    const gradient = { at: memory.empty(8, 2), stride: 8 };
    const weights = memory.put(Float32Array.of(1));
    const slice = { logits: at, weights, gradient, perToken: out, rows: 1, vocabulary: 8 };
    const launch = losses.crossEntropyRows(slice, memory.put(Int32Array.of(8)), memory.empty(1));
    return { launches: [launch], outputs: { perToken: { buffer: out, type: 'float32' } } };
  });
  expect(perToken![0]).toBeNaN();
});

describe.each([
  { clipNorm: 1, step: 1, weightDecay: 0 },
  { clipNorm: 1000, step: 70, weightDecay: 0.1 },
])('adamw at step $step, clipped to $clipNorm', ({ clipNorm, step, weightDecay }) => {
  test('in place, with the norm computed on the device', () => {
    const count = 3001;
    const settings = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay, clipNorm };
    const learningRate = 0.01;
    const [parameters, first, gradient] = [1, 2, 3].map((seed) => normalsOf('float32', count, seed));
    const second = first!.map((x) => x * x);
    const got = computeInEveryOrder((memory) => {
      const [p, m, v, g] = [parameters, first, second, gradient].map((x) => memory.put(x!));
      const scalar = (value: number) => memory.put(Float32Array.of(value));
      const [norm, inverse] = [memory.empty(1), memory.empty(1)];
      const rounded = memory.empty(count, 2);
      const adamw = losses.adamw(
        {
          ...{ parameters: p!, first: m!, second: v!, gradient: g!, nextParameters: p!, nextFirst: m!, nextSecond: v! },
          ...{ learningRate: scalar(learningRate), step: scalar(step), norm, rounded },
        },
        settings,
        count,
      );
      return {
        launches: [...losses.euclideanNorm(g!, memory.empty(losses.normPartial), { norm, inverse }, count), adamw],
        outputs: {
          ...{ p: { buffer: p!, type: 'float32' }, m: { buffer: m!, type: 'float32' } },
          ...{ v: { buffer: v!, type: 'float32' }, norm: { buffer: norm, type: 'float32' } },
          inverse: { buffer: inverse, type: 'float32' },
          rounded: { buffer: rounded, type: 'bfloat16' },
        },
      };
    });
    const norm = Math.sqrt(gradient!.reduce((sum, x) => sum + x * x, 0));
    const clip = Math.min(clipNorm / (norm + 1e-6), 1);
    const m = first!.map((x, i) => 0.9 * x + 0.1 * clip * gradient![i]!);
    const v = second.map((x, i) => 0.98 * x + 0.02 * (clip * gradient![i]!) ** 2);
    const p = Float64Array.from(parameters!, (x, i) => {
      const update = m[i]! / (1 - 0.9 ** step) / (Math.sqrt(v[i]! / (1 - 0.98 ** step)) + 1e-8);
      return x * (1 - learningRate * weightDecay) - learningRate * update;
    });
    expect(relativeError(got.norm!, [norm])).toBeLessThan(1e-6);
    expect(relativeError(got.inverse!, [1 / norm])).toBeLessThan(1e-6);
    expect(relativeError(got.m!, m)).toBeLessThan(1e-5);
    expect(relativeError(got.v!, v)).toBeLessThan(1e-5);
    expect(relativeError(got.p!, p)).toBeLessThan(1e-6);
    expect(relativeError(got.rounded!, p)).toBeLessThan(4e-3);
  });
});
