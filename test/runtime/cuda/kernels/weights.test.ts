// Weights in codes: what is lost, products with them, and the products of few rows.
import { describe, expect, test } from 'vitest';
import type { ProductShape } from '../../../../native-host/runtime/cuda/kernels/launches/product.ts';
import {
  argmax,
  type CodeBits,
  codeBytes,
  dequantize,
  quantize,
  quantizedProduct,
  scaleCount,
  vectorProduct,
} from '../../../../native-host/runtime/cuda/kernels/launches/weights.ts';
import { relativeError } from '../../devices.ts';
import { computeInEveryOrder, type EmulatedBuffer, type EmulatedKernels, normalsOf } from './emulated-kernels.ts';

function inCodes(memory: EmulatedKernels, weight: Float32Array, bits: CodeBits, rows: number, columns: number) {
  const at = {
    bits,
    codes: memory.empty(codeBytes(bits, rows, columns), 1),
    scales: memory.empty(scaleCount(rows, columns), 2),
  };
  const quantized = quantize({ at: memory.put(weight), type: 'float32' as const }, at, rows, columns);
  const values = { at: memory.empty(rows * columns), type: 'float32' as const };
  return { at, values, launches: [quantized, dequantize<EmulatedBuffer>(at, values, rows, columns)] };
}

describe.each<{ bits: CodeBits; loss: number }>([
  { bits: 8, loss: 1 / 254 },
  { bits: 4, loss: 1 / 8 },
])('weights in $bits bits', ({ bits, loss }) => {
  test('are near what they were: within half a step, or a step at the end of the range', () => {
    const [rows, columns] = [5, 96];
    const weight = normalsOf('float32', rows * columns, 1);
    // A block of zeros, and one whose extreme is negative.
    weight.fill(0, 32, 64);
    weight[70] = -5;
    const { values } = computeInEveryOrder((memory) => {
      const { values: out, launches } = inCodes(memory, weight, bits, rows, columns);
      return { launches, outputs: { values: { buffer: out.at, type: 'float32' } } };
    });
    for (let start = 0; start < weight.length; start += 32) {
      const block = weight.subarray(start, start + 32);
      const largest = block.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      block.forEach((x, i) => {
        // The scale itself is rounded to bfloat16.
        expect(Math.abs(values![start + i]! - x)).toBeLessThanOrEqual(largest * (loss + 2 ** -8));
      });
    }
    expect([...values!.subarray(32, 64)].every((x) => x === 0)).toBe(true);
  });

  test.each<ProductShape>([
    { orientation: 'Nt', m: 130, n: 136, k: 96, panelK: 16 },
    { orientation: 'Nn', m: 130, n: 160, k: 72, panelK: 16 },
    { orientation: 'Nt', m: 3, n: 5, k: 32 },
    { orientation: 'Nn', m: 3, n: 32, k: 5 },
  ])('are multiplied: $orientation $m × $n × $k', (shape) => {
    const { orientation, m, n, k, panelK = 0 } = shape;
    const [rows, columns] = orientation === 'Nt' ? [n, k] : [k, n];
    const weight = normalsOf('float32', rows * columns, 1);
    const left = normalsOf('bfloat16', m * k, 2);
    const [panelLeft, panelRight] = [normalsOf('bfloat16', m * panelK, 3), normalsOf('bfloat16', n * panelK, 4)];
    const panelStride = orientation === 'Nt' ? panelK : n;
    const got = computeInEveryOrder((memory) => {
      const { at, values, launches } = inCodes(memory, weight, bits, rows, columns);
      const bfloat = (x: Float32Array) => memory.putNumbers(x, 'bfloat16');
      const out = { at: memory.empty(m * n), type: 'float32' as const, stride: n };
      const panel = {
        left: { at: bfloat(panelLeft), stride: panelK },
        right: { at: bfloat(panelRight), stride: panelStride },
      };
      const operands = { left: { at: bfloat(left), stride: k }, out, ...(panelK > 0 ? { panel } : {}) };
      return {
        launches: [...launches, quantizedProduct(shape, at, operands)],
        outputs: { out: { buffer: out.at, type: 'float32' }, values: { buffer: values.at, type: 'float32' } },
      };
    });
    const wanted = Float64Array.from({ length: m * n }, (_, i) => {
      const [row, column] = [Math.floor(i / n), i % n];
      let sum = 0;
      for (let d = 0; d < k; d++) {
        sum += left[row * k + d]! * got.values![orientation === 'Nt' ? column * k + d : d * n + column]!;
      }
      for (let d = 0; d < panelK; d++) {
        sum += panelLeft[row * panelK + d]! * panelRight[orientation === 'Nt' ? column * panelK + d : d * n + column]!;
      }
      return sum;
    });
    // A code times its scale is rounded to bfloat16.
    expect(relativeError(got.out!, wanted)).toBeLessThan(4e-3);
  });
});

describe.each<{ rows: number; n: number; k: number; bits: CodeBits | null }>([
  { rows: 1, n: 37, k: 300, bits: null },
  { rows: 3, n: 16, k: 1032, bits: null },
  { rows: 1, n: 7, k: 13, bits: null },
  { rows: 2, n: 19, k: 1056, bits: 8 },
  { rows: 1, n: 19, k: 1056, bits: 4 },
])('a product of $rows rows, $n × $k in $bits bits', ({ rows, n, k, bits }) => {
  test('with a panel, a bias and something added', () => {
    const panelK = 8;
    const weight = normalsOf('bfloat16', n * k, 1);
    const x = normalsOf('float32', rows * k, 2);
    const [panelLeft, panelRight] = [normalsOf('bfloat16', rows * panelK, 3), normalsOf('bfloat16', n * panelK, 4)];
    const [bias, added] = [normalsOf('float32', n, 5), normalsOf('bfloat16', rows * n, 6)];
    const got = computeInEveryOrder((memory) => {
      const coded = bits === null ? null : inCodes(memory, weight, bits, n, k);
      const bfloat = (numbers: Float32Array) => memory.putNumbers(numbers, 'bfloat16');
      const out = { at: memory.empty(rows * n), type: 'float32' as const, stride: n };
      const launch = vectorProduct<EmulatedBuffer>(
        { rows, n, k },
        {
          ...{ x: { at: memory.put(x), type: 'float32', stride: k }, out, factor: 0.5 },
          weight: coded?.at ?? { at: bfloat(weight), stride: k },
          panel: {
            left: { at: bfloat(panelLeft), stride: panelK },
            right: { at: bfloat(panelRight), stride: panelK },
            k: panelK,
          },
          bias: { at: memory.put(bias), type: 'float32' },
          added: { at: bfloat(added), type: 'bfloat16', stride: n },
        },
      );
      const values = coded?.values.at ?? memory.put(weight);
      return {
        launches: [...(coded?.launches ?? []), launch],
        outputs: { out: { buffer: out.at, type: 'float32' }, values: { buffer: values, type: 'float32' } },
      };
    });
    const wanted = Float64Array.from({ length: rows * n }, (_, i) => {
      const [row, column] = [Math.floor(i / n), i % n];
      let sum = 0;
      for (let d = 0; d < k; d++) sum += x[row * k + d]! * got.values![column * k + d]!;
      for (let d = 0; d < panelK; d++) sum += panelLeft[row * panelK + d]! * panelRight[column * panelK + d]!;
      return 0.5 * sum + bias[column]! + added[i]!;
    });
    expect(relativeError(got.out!, wanted)).toBeLessThan(1e-5);
  });
});

test('rows in codes have whole blocks', () => {
  const at = { bits: 4 as const, codes: 1n, scales: 1n };
  expect(() => quantize({ at: 1n, type: 'float32' }, at, 2, 40)).toThrow('multiple of 32, and got 40');
});

test.each([0, 1, 1023, 1024, 2999])('the largest of 3000 is at %i, and again behind it', (place) => {
  const x = normalsOf('float32', 3000, 1);
  x[place] = 100;
  if (place + 5 < 3000) x[place + 5] = 100;
  const { out } = computeInEveryOrder((memory) => {
    const at = memory.empty(1);
    return {
      launches: [argmax({ at: memory.put(x), type: 'float32' }, at, 3000)],
      outputs: { out: { buffer: at, type: 'float32' } },
    };
  });
  expect(new Int32Array(out!.buffer, out!.byteOffset, 1)[0]).toBe(place);
});
