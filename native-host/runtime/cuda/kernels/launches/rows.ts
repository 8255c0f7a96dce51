/** Kernels that work row by row: RMS norm and its gradients, rotary embedding, the embedding and its gradient. */
import { type KernelLaunch, launch } from '../../kernel-table.ts';
import { columnSumFinish, rowsPerChunk } from './elementwise.ts';
import { blocksFor, type Matrix, place, type Stored } from './places.ts';

/** Rows of `width` columns; for a norm of each head, rows = tokens · heads and width = headDim. */
export interface NormShape {
  rows: number;
  width: number;
  epsilon: number;
}

/** Widest row that the norm kernels take. */
export const widestNorm = 8192;

function normGrid({ rows, width }: NormShape): { grid: [number, number, number]; rowThreads: number } {
  if (width > widestNorm) throw new Error(`the norm kernels take rows of up to ${widestNorm}, and got ${width}`);
  const rowThreads = width <= 1024 ? 32 : 256;
  return { grid: [blocksFor(rows, 256 / rowThreads), 1, 1], rowThreads };
}

/**
 * out = x / √(mean(x²) + ε) · weight. With `residual`, x + added comes in place of x and is stored in sum.
 * Errors: Error where width is over widestNorm.
 */
export function rmsNorm<Buffer>(
  x: Stored<Buffer>,
  weight: Stored<Buffer>,
  out: Stored<Buffer>,
  shape: NormShape,
  residual: { added: Stored<Buffer>; sum: Stored<Buffer> } | null = null,
): KernelLaunch<Buffer> {
  const { grid, rowThreads } = normGrid(shape);
  const places = { ...place('x', x), ...place('weight', weight), ...place('out', out) };
  const more = { ...place('added', residual?.added ?? null), ...place('sum', residual?.sum ?? null) };
  return launch('rmsNorm', grid, { ...places, ...more, ...shape, rowThreads });
}

/** Cotangent of a norm's x, plus `added` where given. */
export function rmsNormInputGrad<Buffer>(
  { x, weight, cotangent }: { x: Stored<Buffer>; weight: Stored<Buffer>; cotangent: Stored<Buffer> },
  out: Stored<Buffer>,
  shape: NormShape,
  added: Stored<Buffer> | null = null,
): KernelLaunch<Buffer> {
  const { grid, rowThreads } = normGrid(shape);
  const inputs = { ...place('x', x), ...place('weight', weight), ...place('cotangent', cotangent) };
  const others = { ...place('added', added), ...place('out', out) };
  return launch('rmsNormInputGrad', grid, { ...inputs, ...others, ...shape, rowThreads });
}

/** out [width] float32 = the cotangent of a norm's weight (+ out); `partial`: columnSumPartial(rows, width) floats. */
export function rmsNormWeightGrad<Buffer>(
  { x, cotangent }: { x: Stored<Buffer>; cotangent: Stored<Buffer> },
  out: Buffer,
  partial: Buffer,
  shape: NormShape,
  accumulate = false,
): KernelLaunch<Buffer>[] {
  normGrid(shape);
  const chunks = blocksFor(shape.rows, rowsPerChunk);
  const places = { ...place('x', x), ...place('cotangent', cotangent) };
  return [
    launch('rmsNormWeightGrad', [chunks, 1, 1], { ...places, partial, ...shape, rowsPerBlock: rowsPerChunk }),
    columnSumFinish(partial, out, chunks, shape.width, accumulate),
  ];
}

/**
 * Rotary embedding of the first `turned` columns of each head of x [rows, heads · headDim]; tables [positions, turned / 2]
 * float32; may work in place.
 */
export function rope<Buffer>(
  { x, positions, cosines, sines }: { x: Matrix<Buffer>; positions: Buffer; cosines: Buffer; sines: Buffer },
  out: Matrix<Buffer>,
  sizes: { rows: number; heads: number; headDim: number; turned: number; inverse: boolean },
): KernelLaunch<Buffer> {
  const { rows, heads, headDim, turned, inverse } = sizes;
  const grid = [blocksFor((rows * heads * headDim) / 2, 256), 1, 1] as const;
  const places = { ...place('x', x), xStride: x.stride, ...place('out', out), outStride: out.stride };
  const tables = { positions, cosines, sines };
  return launch('rope', grid, { ...places, ...tables, rows, heads, headDim, turned, inverse: inverse ? 1 : 0 });
}

/** out [rows, columns] = the rows ids [rows] of table [V, columns]. */
export function embedding<Buffer>(
  table: Stored<Buffer>,
  ids: Buffer,
  out: Stored<Buffer>,
  rows: number,
  columns: number,
): KernelLaunch<Buffer> {
  return launch('embedding', [rows, 1, 1], { ...place('table', table), ids, ...place('out', out), rows, columns });
}

/** out [V, columns] float32 += cotangent [rows, columns] at the rows ids [rows]; out is cleared before, with fill. */
export function embeddingGrad<Buffer>(
  ids: Buffer,
  cotangent: Stored<Buffer>,
  out: Buffer,
  rows: number,
  columns: number,
): KernelLaunch<Buffer> {
  return launch('embeddingGrad', [rows, 1, 1], { ids, ...place('cotangent', cotangent), out, rows, columns });
}
