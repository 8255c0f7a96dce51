// Elementwise kernels, norms, rotary embedding and embedding against loops in double precision.
import { describe, expect, test } from 'vitest';
import {
  type ElementType,
  elementBytes,
  type KernelLaunch,
} from '../../../../native-host/runtime/cuda/kernel-table.ts';
import * as elementwise from '../../../../native-host/runtime/cuda/kernels/launches/elementwise.ts';
import type { Stored } from '../../../../native-host/runtime/cuda/kernels/launches/places.ts';
import * as rowKernels from '../../../../native-host/runtime/cuda/kernels/launches/rows.ts';
import { relativeError } from '../../devices.ts';
import { computeInEveryOrder, type EmulatedBuffer, type EmulatedKernels, normalsOf } from './emulated-kernels.ts';

type Place = Stored<EmulatedBuffer>;

/** Half a unit in the last place of each type, with room for what precedes the rounding. */
const tolerance: Record<ElementType, number> = { float32: 1e-5, bfloat16: 4e-3, float16: 1e-3 };

const typePairs: [ElementType, ElementType][] = [
  ['float32', 'float32'],
  ['bfloat16', 'bfloat16'],
  ['float32', 'bfloat16'],
  ['bfloat16', 'float16'],
];

function put(memory: EmulatedKernels, numbers: Float32Array, type: ElementType): Place {
  return { at: memory.putNumbers(numbers, type), type };
}

function blank(memory: EmulatedKernels, count: number, type: ElementType): Place {
  return { at: memory.empty(count, elementBytes[type]), type };
}

type LaunchOf = (memory: EmulatedKernels, x: Place, y: Place, out: Place) => KernelLaunch<EmulatedBuffer>;

const output = ({ at, type }: Place) => ({ buffer: at, type });
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe.each(typePairs)('elementwise kernels from %s to %s', (from, to) => {
  // Not a multiple of eight, and more than one block.
  const count = 2048 + 13;
  const [a, b, c] = [1, 2, 3].map((seed) => normalsOf(from, count, seed));

  test.each<[string, LaunchOf, (i: number) => number]>([
    ['convert', (_, x, __, out) => elementwise.convert(x, out, count), (i) => a![i]!],
    ['add', (_, x, y, out) => elementwise.add(x, y, out, count), (i) => a![i]! + b![i]!],
    ['multiply', (_, x, y, out) => elementwise.multiply(x, y, out, count), (i) => a![i]! * b![i]!],
    ['affine', (_, x, __, out) => elementwise.affine(x, out, -1.5, 0.25, count), (i) => -1.5 * a![i]! + 0.25],
    [
      'scaleBy',
      (m, x, _, out) => elementwise.scaleBy(x, m.put(Float32Array.of(0.375)), out, count),
      (i) => 0.375 * a![i]!,
    ],
    ['sigmoid', (_, x, __, out) => elementwise.sigmoid(x, out, count), (i) => sigmoid(a![i]!)],
    ['swiglu', (_, x, y, out) => elementwise.swiglu(x, y, out, count), (i) => a![i]! * sigmoid(a![i]!) * b![i]!],
  ])('%s', (_, launchOf, wanted) => {
    const { out } = computeInEveryOrder((memory) => {
      const place = blank(memory, count, to);
      const made = launchOf(memory, put(memory, a!, from), put(memory, b!, from), place);
      return { launches: [made], outputs: { out: output(place) } };
    });
    expect(
      relativeError(
        out!,
        Float64Array.from({ length: count }, (_, i) => wanted(i)),
      ),
    ).toBeLessThan(tolerance[to]);
  });

  test('swigluGrad', () => {
    const got = computeInEveryOrder((memory) => {
      const [ofGate, ofUp] = [blank(memory, count, to), blank(memory, count, to)];
      const [gate, up, cotangent] = [a, b, c].map((x) => put(memory, x!, from));
      const inputs = { gate: gate!, up: up!, cotangent: cotangent! };
      return {
        launches: [elementwise.swigluGrad(inputs, ofGate, ofUp, count)],
        outputs: { ofGate: output(ofGate), ofUp: output(ofUp) },
      };
    });
    const ofGate = a!.map((x, i) => c![i]! * b![i]! * (sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))));
    const ofUp = a!.map((x, i) => c![i]! * x * sigmoid(x));
    expect(relativeError(got.ofGate!, ofGate)).toBeLessThan(tolerance[to]);
    expect(relativeError(got.ofUp!, ofUp)).toBeLessThan(tolerance[to]);
  });

  test.each([
    { rows: 5, width: 13 },
    { rows: 9, width: 64 },
    { rows: 3, width: 1040 },
  ])('norm of $rows rows of $width, and its gradients', ({ rows, width }) => {
    const epsilon = 0.01;
    const [x, added, cotangent] = [4, 5, 6].map((seed) => normalsOf(from, rows * width, seed));
    const weight = normalsOf(from, width, 7);
    const shape = { rows, width, epsilon };
    const got = computeInEveryOrder((memory) => {
      const places = { x, added, weight, cotangent };
      const at = Object.fromEntries(Object.entries(places).map(([key, value]) => [key, put(memory, value!, from)]));
      const [plain, sum, withAdded, ofX] = [1, 2, 3, 4].map(() => blank(memory, rows * width, to));
      const ofWeight: Place = { at: memory.put(new Float32Array(width).fill(1)), type: 'float32' };
      const partial = memory.empty(elementwise.columnSumPartial(rows, width));
      const given = { x: at.x!, weight: at.weight!, cotangent: at.cotangent! };
      return {
        launches: [
          rowKernels.rmsNorm(at.x!, at.weight!, plain!, shape),
          rowKernels.rmsNorm(at.x!, at.weight!, withAdded!, shape, { added: at.added!, sum: sum! }),
          rowKernels.rmsNormInputGrad(given, ofX!, shape, at.added!),
          ...rowKernels.rmsNormWeightGrad(given, ofWeight.at, partial, shape, true),
        ],
        outputs: Object.fromEntries(
          Object.entries({ plain, sum, withAdded, ofX, ofWeight }).map(([key, value]) => [key, output(value!)]),
        ),
      };
    });
    const plain = new Float64Array(rows * width);
    const withAdded = new Float64Array(rows * width);
    const ofX = new Float64Array(rows * width);
    const ofWeight = new Float64Array(width).fill(1);
    const sums = x!.map((value, i) => value + added![i]!);
    for (let row = 0; row < rows; row++) {
      const part = (all: Float32Array) => all.subarray(row * width, (row + 1) * width);
      const inverseOf = (all: Float32Array) =>
        1 / Math.sqrt(part(all).reduce((sum, value) => sum + value * value, 0) / width + epsilon);
      const inverse = inverseOf(x!);
      const a = part(cotangent!).map((value, i) => value * weight[i]!);
      const mean = a.reduce((sum, value, i) => sum + value * part(x!)[i]!, 0) / width;
      for (let i = 0; i < width; i++) {
        const value = part(x!)[i]!;
        plain[row * width + i] = value * inverse * weight[i]!;
        withAdded[row * width + i] = part(sums)[i]! * inverseOf(sums) * weight[i]!;
        ofX[row * width + i] = a[i]! * inverse - value * inverse ** 3 * mean + part(added!)[i]!;
        ofWeight[i]! += part(cotangent!)[i]! * value * inverse;
      }
    }
    expect(relativeError(got.plain!, plain)).toBeLessThan(tolerance[to]);
    expect(relativeError(got.sum!, sums)).toBeLessThan(tolerance[to]);
    expect(relativeError(got.withAdded!, withAdded)).toBeLessThan(2 * tolerance[to]);
    expect(relativeError(got.ofX!, ofX)).toBeLessThan(tolerance[to]);
    expect(relativeError(got.ofWeight!, ofWeight)).toBeLessThan(tolerance.float32);
  });
});

test('a row wider than the norm kernels take is refused', () => {
  const x: Place = { at: { address: 0n, bytes: 0 }, type: 'float32' };
  expect(() => rowKernels.rmsNorm(x, x, x, { rows: 1, width: 8200, epsilon: 0 })).toThrow('up to 8192, and got 8200');
});

test('rows are copied with strides, appended to a cache, filled', () => {
  const x = normalsOf('float32', 3 * 7, 1);
  const got = computeInEveryOrder((memory) => {
    const copied = blank(memory, 3 * 9, 'bfloat16');
    const cache = blank(memory, 6 * 5, 'float32');
    const from = { at: memory.put(x), type: 'float32' as const, stride: 7 };
    return {
      launches: [
        elementwise.fill(copied, 0.5, 3 * 9),
        elementwise.fill(cache, -1, 6 * 5),
        elementwise.copyRows(from, { ...copied, stride: 9 }, 3, 4),
        elementwise.appendRows(from, cache, memory.put(Int32Array.of(2)), 3, 5),
      ],
      outputs: { copied: output(copied), cache: output(cache) },
    };
  });
  const copied = Array.from({ length: 27 }, (_, i) => (i % 9 < 4 ? x[Math.floor(i / 9) * 7 + (i % 9)]! : 0.5));
  const cache = Array.from({ length: 30 }, (_, i) =>
    i >= 10 && i < 25 ? x[Math.floor(i / 5 - 2) * 7 + (i % 5)]! : -1,
  );
  expect(relativeError(got.copied!, copied)).toBeLessThan(tolerance.bfloat16);
  expect(relativeError(got.cache!, cache)).toBe(0);
});

test('a bias and its gradient', () => {
  const [rows, columns] = [130, 261];
  const [x, bias] = [normalsOf('bfloat16', rows * columns, 1), normalsOf('float32', columns, 2)];
  const got = computeInEveryOrder((memory) => {
    const at = put(memory, x, 'bfloat16');
    const out = blank(memory, rows * columns, 'float32');
    const sums: Place = { at: memory.put(new Float32Array(columns).fill(2)), type: 'float32' };
    const partial = memory.empty(elementwise.columnSumPartial(rows, columns));
    return {
      launches: [
        elementwise.addBias(at, put(memory, bias, 'float32'), out, rows, columns),
        ...elementwise.columnSum(at, sums.at, partial, rows, columns, true),
      ],
      outputs: { out: output(out), sums: output(sums) },
    };
  });
  const sums = new Float64Array(columns).fill(2);
  x.forEach((value, i) => {
    sums[i % columns]! += value;
  });
  expect(
    relativeError(
      got.out!,
      x.map((value, i) => value + bias[i % columns]!),
    ),
  ).toBeLessThan(1e-6);
  expect(relativeError(got.sums!, sums)).toBeLessThan(1e-6);
});

test('a gated blend and its gradient', () => {
  const shape = { rows: 7, heads: 3, headDim: 10 };
  const count = 7 * 30;
  const [a, b, cotangent] = [1, 2, 3].map((seed) => normalsOf('bfloat16', count, seed)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const gate = normalsOf('float32', 21, 4).map(sigmoid);
  const got = computeInEveryOrder((memory) => {
    const [left, right, given] = [a, b, cotangent].map((x) => put(memory, x, 'bfloat16')) as [Place, Place, Place];
    const gates = put(memory, gate, 'float32');
    const [out, ofA, ofB] = [1, 2, 3].map(() => blank(memory, count, 'float32')) as [Place, Place, Place];
    const ofGate = blank(memory, 21, 'float32');
    return {
      launches: [
        elementwise.gatedBlend({ a: left, b: right, gate: gates }, out, shape),
        elementwise.gatedBlendGrad({ a: left, b: right, gate: gates, cotangent: given }, { ofA, ofB, ofGate }, shape),
      ],
      outputs: { out: output(out), ofA: output(ofA), ofB: output(ofB), ofGate: output(ofGate) },
    };
  });
  const gateOf = (i: number) => gate[Math.floor(i / 10)]!;
  const ofGate = new Float64Array(21);
  cotangent.forEach((value, i) => {
    ofGate[Math.floor(i / 10)]! += value * (b[i]! - a[i]!);
  });
  expect(
    relativeError(
      got.out!,
      a.map((x, i) => (1 - gateOf(i)) * x + gateOf(i) * b[i]!),
    ),
  ).toBeLessThan(1e-5);
  expect(
    relativeError(
      got.ofA!,
      cotangent.map((x, i) => (1 - gateOf(i)) * x),
    ),
  ).toBeLessThan(1e-5);
  expect(
    relativeError(
      got.ofB!,
      cotangent.map((x, i) => gateOf(i) * x),
    ),
  ).toBeLessThan(1e-5);
  expect(relativeError(got.ofGate!, ofGate)).toBeLessThan(1e-5);
});

test.each([
  { inverse: false, turned: 10 },
  { inverse: true, turned: 10 },
  { inverse: false, turned: 4 },
  { inverse: true, turned: 6 },
])('rotary embedding of $turned of 10 columns, inverse: $inverse', ({ inverse, turned }) => {
  const { rows, heads, headDim, stride, places } = { rows: 9, heads: 3, headDim: 10, stride: 33, places: 20 };
  const x = normalsOf('bfloat16', rows * stride, 1);
  const half = turned / 2;
  const angles = normalsOf('float32', places * half, 2);
  const positions = Int32Array.from({ length: rows }, (_, i) => (i * 7) % places);
  const { out } = computeInEveryOrder((memory) => {
    const place = { ...blank(memory, rows * 30, 'float32'), stride: 30 };
    const tables = { cosines: memory.put(angles.map(Math.cos)), sines: memory.put(angles.map(Math.sin)) };
    const from = { ...put(memory, x, 'bfloat16'), stride };
    const given = { x: from, positions: memory.put(positions), ...tables };
    return {
      launches: [rowKernels.rope(given, place, { rows, heads, headDim, turned, inverse })],
      outputs: { out: output(place) },
    };
  });
  const wanted = new Float64Array(rows * 30);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      for (let d = 0; d < 10; d++) wanted[row * 30 + head * 10 + d] = x[row * stride + head * 10 + d]!;
      for (let d = 0; d < half; d++) {
        const angle = angles[positions[row]! * half + d]! * (inverse ? -1 : 1);
        const [first, second] = [x[row * stride + head * 10 + d]!, x[row * stride + head * 10 + d + half]!];
        wanted[row * 30 + head * 10 + d] = first * Math.cos(angle) - second * Math.sin(angle);
        wanted[row * 30 + head * 10 + d + half] = second * Math.cos(angle) + first * Math.sin(angle);
      }
    }
  }
  expect(relativeError(out!, wanted)).toBeLessThan(1e-5);
});

test('embedding, and its gradient where ids repeat', () => {
  const { rows, columns, vocabulary } = { rows: 300, columns: 7, vocabulary: 11 };
  const ids = Int32Array.from({ length: rows }, (_, i) => (i * i * 7 + i) % 9);
  const table = normalsOf('bfloat16', vocabulary * columns, 1);
  const cotangent = normalsOf('bfloat16', rows * columns, 2);
  const got = computeInEveryOrder((memory) => {
    const at = memory.put(ids);
    const out = blank(memory, rows * columns, 'float32');
    const grad = blank(memory, vocabulary * columns, 'float32');
    return {
      launches: [
        rowKernels.embedding(put(memory, table, 'bfloat16'), at, out, rows, columns),
        elementwise.fill(grad, 0, vocabulary * columns),
        rowKernels.embeddingGrad(at, put(memory, cotangent, 'bfloat16'), grad.at, rows, columns),
      ],
      outputs: { out: output(out), grad: output(grad) },
    };
  });
  const grad = new Float64Array(vocabulary * columns);
  cotangent.forEach((value, i) => {
    grad[ids[Math.floor(i / columns)]! * columns + (i % columns)]! += value;
  });
  const rowsOfTable = cotangent.map((_, i) => table[ids[Math.floor(i / columns)]! * columns + (i % columns)]!);
  expect(relativeError(got.out!, rowsOfTable)).toBe(0);
  expect(relativeError(got.grad!, grad)).toBeLessThan(1e-6);
});
