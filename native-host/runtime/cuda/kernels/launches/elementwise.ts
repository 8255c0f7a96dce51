import { type KernelLaunch, launch } from '../../kernel-table.ts';
import { blocksFor, type Matrix, place, type Stored } from './places.ts';

/** Elements that a block of an elementwise kernel makes. */
const elementsPerBlock = 2048;

const gridOf = (count: number): [number, number, number] => [blocksFor(count, elementsPerBlock), 1, 1];

/** out = x in out's type. */
export function convert<Buffer>(x: Stored<Buffer>, out: Stored<Buffer>, count: number): KernelLaunch<Buffer> {
  return launch('convert', gridOf(count), { ...place('x', x), ...place('out', out), count });
}

export function fill<Buffer>(out: Stored<Buffer>, value: number, count: number): KernelLaunch<Buffer> {
  return launch('fill', gridOf(count), { ...place('out', out), value, count });
}

/** out [rows, columns] = x [rows, columns], each with its own stride. */
export function copyRows<Buffer>(
  x: Matrix<Buffer>,
  out: Matrix<Buffer>,
  rows: number,
  columns: number,
): KernelLaunch<Buffer> {
  const strides = { xStride: x.stride, outStride: out.stride };
  return launch('copyRows', [rows, 1, 1], { ...place('x', x), ...place('out', out), ...strides, rows, columns });
}

/** Rows past, past + 1, … of cache [capacity, columns] = x [rows, columns]; `past` is an int32 on the device. */
export function appendRows<Buffer>(
  x: Matrix<Buffer>,
  cache: Stored<Buffer>,
  past: Buffer,
  rows: number,
  columns: number,
): KernelLaunch<Buffer> {
  const places = { ...place('x', x), ...place('cache', cache) };
  return launch('appendRows', [rows, 1, 1], { ...places, xStride: x.stride, past, rows, columns });
}

export function add<Buffer>(
  left: Stored<Buffer>,
  right: Stored<Buffer>,
  out: Stored<Buffer>,
  count: number,
): KernelLaunch<Buffer> {
  const places = { ...place('left', left), ...place('right', right), ...place('out', out) };
  return launch('add', gridOf(count), { ...places, count });
}

export function multiply<Buffer>(
  left: Stored<Buffer>,
  right: Stored<Buffer>,
  out: Stored<Buffer>,
  count: number,
): KernelLaunch<Buffer> {
  const places = { ...place('left', left), ...place('right', right), ...place('out', out) };
  return launch('multiply', gridOf(count), { ...places, count });
}

/** out = factor · x + offset */
export function affine<Buffer>(
  x: Stored<Buffer>,
  out: Stored<Buffer>,
  factor: number,
  offset: number,
  count: number,
): KernelLaunch<Buffer> {
  return launch('affine', gridOf(count), { ...place('x', x), ...place('out', out), factor, offset, count });
}

/** out = factor · x, the factor being a float32 on the device. */
export function scaleBy<Buffer>(
  x: Stored<Buffer>,
  factor: Buffer,
  out: Stored<Buffer>,
  count: number,
): KernelLaunch<Buffer> {
  return launch('scaleBy', gridOf(count), { ...place('x', x), factor, ...place('out', out), count });
}

export function sigmoid<Buffer>(x: Stored<Buffer>, out: Stored<Buffer>, count: number): KernelLaunch<Buffer> {
  return launch('sigmoid', gridOf(count), { ...place('x', x), ...place('out', out), count });
}

/** out = silu(gate) · up */
export function swiglu<Buffer>(
  gate: Stored<Buffer>,
  up: Stored<Buffer>,
  out: Stored<Buffer>,
  count: number,
): KernelLaunch<Buffer> {
  const places = { ...place('gate', gate), ...place('up', up), ...place('out', out) };
  return launch('swiglu', gridOf(count), { ...places, count });
}

/** Cotangents of gate and up, null where not wanted; they may take the places of gate and up. */
export function swigluGrad<Buffer>(
  { gate, up, cotangent }: { gate: Stored<Buffer>; up: Stored<Buffer>; cotangent: Stored<Buffer> },
  ofGate: Stored<Buffer> | null,
  ofUp: Stored<Buffer> | null,
  count: number,
): KernelLaunch<Buffer> {
  const inputs = { ...place('gate', gate), ...place('up', up), ...place('cotangent', cotangent) };
  return launch('swigluGrad', gridOf(count), { ...inputs, ...place('ofGate', ofGate), ...place('ofUp', ofUp), count });
}

/** out [rows, columns] = x [rows, columns] + bias [columns] */
export function addBias<Buffer>(
  x: Stored<Buffer>,
  bias: Stored<Buffer>,
  out: Stored<Buffer>,
  rows: number,
  columns: number,
): KernelLaunch<Buffer> {
  const places = { ...place('x', x), ...place('bias', bias), ...place('out', out) };
  return launch('addBias', [rows, 1, 1], { ...places, rows, columns });
}

/** Rows that one block adds up where a column is summed in two stages. */
export const rowsPerChunk = 64;

/** Floats of scratch memory for a sum over rows. */
export const columnSumPartial = (rows: number, columns: number): number => blocksFor(rows, rowsPerChunk) * columns;

/** out [columns] float32 = Σ over rows of x [rows, columns] (+ out); `partial`: columnSumPartial floats. */
export function columnSum<Buffer>(
  x: Stored<Buffer>,
  out: Buffer,
  partial: Buffer,
  rows: number,
  columns: number,
  accumulate = false,
): KernelLaunch<Buffer>[] {
  const chunks = blocksFor(rows, rowsPerChunk);
  const grid = [blocksFor(columns, 256), chunks, 1] as const;
  return [
    launch('columnSum', grid, { ...place('x', x), partial, rows, columns, rowsPerBlock: rowsPerChunk }),
    columnSumFinish(partial, out, chunks, columns, accumulate),
  ];
}

/** out [columns] = Σ over chunks of partial [chunks, columns] (+ out). */
export function columnSumFinish<Buffer>(
  partial: Buffer,
  out: Buffer,
  chunks: number,
  columns: number,
  accumulate: boolean,
): KernelLaunch<Buffer> {
  const grid = [blocksFor(columns, 256), 1, 1] as const;
  return launch('columnSumFinish', grid, { partial, out, chunks, columns, accumulate: accumulate ? 1 : 0 });
}

export interface Heads {
  rows: number;
  heads: number;
  headDim: number;
}

/** out = (1 − gate) · a + gate · b: a, b and out [rows, heads · headDim], gate [rows, heads]. */
export function gatedBlend<Buffer>(
  { a, b, gate }: { a: Stored<Buffer>; b: Stored<Buffer>; gate: Stored<Buffer> },
  out: Stored<Buffer>,
  shape: Heads,
): KernelLaunch<Buffer> {
  const places = { ...place('a', a), ...place('b', b), ...place('gate', gate), ...place('out', out) };
  return launch('gatedBlend', [shape.rows, 1, 1], { ...places, ...shape });
}

export function gatedBlendGrad<Buffer>(
  { a, b, gate, cotangent }: { a: Stored<Buffer>; b: Stored<Buffer>; gate: Stored<Buffer>; cotangent: Stored<Buffer> },
  { ofA, ofB, ofGate }: { ofA: Stored<Buffer>; ofB: Stored<Buffer>; ofGate: Stored<Buffer> },
  shape: Heads,
): KernelLaunch<Buffer> {
  const inputs = { ...place('a', a), ...place('b', b), ...place('gate', gate), ...place('cotangent', cotangent) };
  const outputs = { ...place('ofA', ofA), ...place('ofB', ofB), ...place('ofGate', ofGate) };
  const grid = [blocksFor(shape.rows * shape.heads, 8), 1, 1] as const;
  return launch('gatedBlendGrad', grid, { ...inputs, ...outputs, ...shape });
}
