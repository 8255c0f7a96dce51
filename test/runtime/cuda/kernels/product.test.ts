// Matrix products in every orientation and tile, against sums in double precision.
import { describe, expect, test } from 'vitest';
import { elementBytes } from '../../../../native-host/runtime/cuda/kernel-table.ts';
import {
  type Orientation,
  type ProductPlan,
  type ProductShape,
  planProduct,
  product,
  productTiles,
} from '../../../../native-host/runtime/cuda/kernels/launches/product.ts';
import { relativeError } from '../../devices.ts';
import { computeInEveryOrder, normalsOf } from './emulated-kernels.ts';

/** Σ over k of left and right, with what a product may add. */
function productByHand(
  { orientation, m, n }: ProductShape,
  depth: number,
  left: Float32Array,
  right: Float32Array,
  strides: { left: number; right: number },
): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        const a = left[orientation === 'Tn' ? k * strides.left + i : i * strides.left + k]!;
        const b = right[orientation === 'Nt' ? j * strides.right + k : k * strides.right + j]!;
        sum += a * b;
      }
      out[i * n + j] = sum;
    }
  }
  return out;
}

interface Problem extends ProductShape {
  kernel: ProductPlan['kernel'];
  splits?: number;
  /** More columns than the matrix has, in each operand's rows. */
  padding?: number;
}

function sizesOf({ orientation, m, n }: ProductShape, depth: number, padding: number) {
  const left = orientation === 'Tn' ? { rows: depth, stride: m + padding } : { rows: m, stride: depth + padding };
  const right = orientation === 'Nt' ? { rows: n, stride: depth + padding } : { rows: depth, stride: n + padding };
  return { left, right };
}

function check(problem: Problem): void {
  const { kernel, orientation, m, n, k, panelK = 0, splits = 1, padding = 0 } = problem;
  const main = sizesOf(problem, k, padding);
  const panel = sizesOf(problem, panelK, padding);
  const random = (size: { rows: number; stride: number }, seed: number) =>
    normalsOf('bfloat16', size.rows * size.stride, seed);
  const [left, right] = [random(main.left, 1), random(main.right, 2)];
  const [panelLeft, panelRight] = [random(panel.left, 3), random(panel.right, 4)];
  const bias = normalsOf('float32', n, 5);
  const added = normalsOf('bfloat16', m * n, 6);
  const before = normalsOf('float32', m * n, 7);
  const outStride = n + padding;
  const got = computeInEveryOrder((memory) => {
    const bfloat = (numbers: Float32Array) => memory.putNumbers(numbers, 'bfloat16');
    const plain = { at: memory.empty(m * outStride, elementBytes.bfloat16), type: 'bfloat16' as const };
    const full = { at: memory.put(before), type: 'float32' as const };
    const operands = {
      left: { at: bfloat(left), stride: main.left.stride },
      right: { at: bfloat(right), stride: main.right.stride },
      partial: splits > 1 ? memory.empty(splits * m * n) : null,
    };
    const { tileM, tileN } = tileOf(problem);
    const plan = { kernel, tiles: Math.ceil(m / tileM) * Math.ceil(n / tileN), splits, partialFloats: 0 };
    const panelOperands = {
      left: { at: bfloat(panelLeft), stride: panel.left.stride },
      right: { at: bfloat(panelRight), stride: panel.right.stride },
    };
    return {
      launches: [
        ...product({ orientation, m, n, k }, { ...operands, out: { ...plain, stride: outStride } }, plan),
        ...product(
          problem,
          {
            ...operands,
            out: { ...full, stride: n },
            ...(panelK > 0 ? { panel: panelOperands } : {}),
            bias: { at: memory.put(bias), type: 'float32' },
            added: { at: bfloat(added), type: 'bfloat16', stride: n },
            factor: 0.5,
            accumulate: true,
          },
          plan,
        ),
      ],
      outputs: { plain: { buffer: plain.at, type: 'bfloat16' }, full: { buffer: full.at, type: 'float32' } },
    };
  });
  const wanted = productByHand(problem, k, left, right, { left: main.left.stride, right: main.right.stride });
  const ofPanel = productByHand(problem, panelK, panelLeft, panelRight, {
    left: panel.left.stride,
    right: panel.right.stride,
  });
  const plain = Float64Array.from(wanted, (_, i) => got.plain![Math.floor(i / n) * outStride + (i % n)]!);
  const full = wanted.map((x, i) => 0.5 * (x + ofPanel[i]!) + bias[i % n]! + added[i]! + before[i]!);
  // Rounding to bfloat16; sums of exact products in float32.
  expect(relativeError(plain, wanted)).toBeLessThan(4e-3);
  expect(relativeError(got.full!, full)).toBeLessThan(1e-5);
}

function tileOf({ kernel }: Problem) {
  return productTiles[kernel.replace(/^matmul../, '') as keyof typeof productTiles];
}

describe.each<Orientation>(['Nt', 'Nn', 'Tn'])('a product %s', (orientation) => {
  test('of whole tiles of 128', () => {
    check({ kernel: `matmul${orientation}128`, orientation, m: 128, n: 128, k: 96 });
  });
  test('with a panel, beyond one tile of 128 in both directions', () => {
    check({ kernel: `matmul${orientation}128`, orientation, m: 136, n: 144, k: 40, panelK: 8 });
  });
  test('of odd sizes, which no wide copy fits', () => {
    check({ kernel: `matmul${orientation}64`, orientation, m: 67, n: 71, k: 37, panelK: 5 });
  });
  test('smaller than a tile and shallower than the pipeline', () => {
    check({ kernel: `matmul${orientation}64`, orientation, m: 3, n: 5, k: 7, panelK: 1, padding: 3 });
  });
  test('with rows longer than the matrix', () => {
    check({ kernel: `matmul${orientation}64`, orientation, m: 72, n: 64, k: 200, padding: 8 });
  });
  test('whose k is cut, with a panel', () => {
    check({ kernel: `matmul${orientation}64`, orientation, m: 40, n: 72, k: 300, panelK: 16, splits: 4 });
  });
  test('of few columns', () => {
    check({ kernel: `matmul${orientation}Narrow`, orientation, m: 100, n: 16, k: 360, splits: 3 });
    check({ kernel: `matmul${orientation}Narrow`, orientation, m: 64, n: 32, k: 64, panelK: 32 });
  });
  test('in the form for cards of capability 9.0, with a panel', () => {
    check({ kernel: `matmul${orientation}Hopper128`, orientation, m: 136, n: 132, k: 330, panelK: 16 });
  });
  test('in that form, with wide tiles, cut', () => {
    check({ kernel: `matmul${orientation}Hopper256`, orientation, m: 70, n: 264, k: 520, splits: 2 });
  });
});

test('a product Tn of few rows', () => {
  check({ kernel: 'matmulTnFlat', orientation: 'Tn', m: 16, n: 100, k: 520, splits: 5 });
  check({ kernel: 'matmulTnFlat', orientation: 'Tn', m: 7, n: 9, k: 3 });
});

test('more parts than there are steps of k', () => {
  check({ kernel: 'matmulNt64', orientation: 'Nt', m: 8, n: 8, k: 40, splits: 6 });
});

test('a batch of products, as heads of one matrix', () => {
  // x [rows, heads · inner] times weight [heads, out, inner] of each head.
  const { rows, heads, inner, out } = { rows: 21, heads: 3, inner: 16, out: 24 };
  const x = normalsOf('bfloat16', rows * heads * inner, 1);
  const weight = normalsOf('bfloat16', heads * out * inner, 2);
  const shape: ProductShape = { orientation: 'Nt', m: rows, n: out, k: inner, batch: heads };
  const { y } = computeInEveryOrder((memory) => {
    const at = memory.empty(rows * heads * out);
    const plan = planProduct(shape, 1);
    return {
      launches: product(
        shape,
        {
          left: { at: memory.putNumbers(x, 'bfloat16'), stride: heads * inner },
          right: { at: memory.putNumbers(weight, 'bfloat16'), stride: inner },
          out: { at, type: 'float32', stride: heads * out },
          batchStrides: { left: inner, right: out * inner, out },
        },
        plan,
      ),
      outputs: { y: { buffer: at, type: 'float32' } },
    };
  });
  const wanted = Float64Array.from({ length: rows * heads * out }, (_, i) => {
    const [row, head, column] = [Math.floor(i / heads / out), Math.floor(i / out) % heads, i % out];
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      sum += x[(row * heads + head) * inner + k]! * weight[(head * out + column) * inner + k]!;
    }
    return sum;
  });
  expect(relativeError(y!, wanted)).toBeLessThan(1e-5);
});

describe('the plan of a product', () => {
  test('cuts k where the tiles would leave most of the card idle', () => {
    const { kernel, splits, partialFloats } = planProduct({ orientation: 'Tn', m: 16, n: 896, k: 8192 }, 132);
    expect(kernel).toBe('matmulTnFlat');
    expect(splits).toBeGreaterThan(8);
    expect(partialFloats).toBe(splits * 16 * 896);
  });
  test('is for the card', () => {
    const shape: ProductShape = { orientation: 'Nt', m: 8192, n: 4096, k: 4096 };
    expect(planProduct(shape, 132, 90).kernel).toBe('matmulNtHopper256');
    expect(planProduct({ ...shape, n: 640 }, 132, 90).kernel).toBe('matmulNtHopper128');
    expect(planProduct(shape, 132, 120).kernel).toBe('matmulNt128');
    expect(planProduct({ ...shape, m: 100, n: 200 }, 132, 90).kernel).toBe('matmulNt64');
  });
  test('has large tiles and one part where the card is full', () => {
    expect(planProduct({ orientation: 'Nt', m: 8192, n: 4096, k: 4096 }, 132)).toEqual({
      kernel: 'matmulNt128',
      tiles: 64 * 32,
      splits: 1,
      partialFloats: 0,
    });
  });
});
