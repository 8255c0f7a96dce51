/** Frozen weights in codes, and products of few rows, which are bound by reading the weight. */
import { elementTypes, type KernelLaunch, launch } from '../../kernel-table.ts';
import { blocksFor, type Matrix, place, type Stored } from './places.ts';
import { type BfloatMatrix, type ProductMemory, type ProductShape, productFields } from './product.ts';

/** Bits of a code; each 32 codes of a row share a bfloat16 scale, so rows are multiples of 32 long. */
export type CodeBits = 8 | 4;

export const codeBytes = (bits: CodeBits, rows: number, columns: number): number => (rows * columns * bits) / 8;

export const scaleCount = (rows: number, columns: number): number => (rows * columns) / 32;

/** A weight [rows, columns] in codes. */
export interface Codes<Buffer> {
  bits: CodeBits;
  codes: Buffer;
  scales: Buffer;
}

function checkColumns(columns: number): void {
  if (columns % 32 !== 0) throw new Error(`weights in codes have rows of a multiple of 32, and got ${columns}`);
}

/** Errors: Error where columns is not a multiple of 32. */
export function quantize<Buffer>(
  x: Stored<Buffer>,
  { bits, codes, scales }: Codes<Buffer>,
  rows: number,
  columns: number,
): KernelLaunch<Buffer> {
  checkColumns(columns);
  const grid = [blocksFor((rows * columns) / 32, 8), 1, 1] as const;
  const values = { ...place('x', x), codes, scales, rows, columns };
  return bits === 8 ? launch('quantizeInt8', grid, values) : launch('quantizeInt4', grid, values);
}

export function dequantize<Buffer>(
  { bits, codes, scales }: Codes<Buffer>,
  out: Stored<Buffer>,
  rows: number,
  columns: number,
): KernelLaunch<Buffer> {
  checkColumns(columns);
  const grid = [blocksFor((rows * columns) / 32, 256), 1, 1] as const;
  const values = { codes, scales, ...place('out', out), rows, columns };
  return bits === 8 ? launch('dequantizeInt8', grid, values) : launch('dequantizeInt4', grid, values);
}

/**
 * A product whose right operand is a weight [out, in] in codes: right [n, k] of Nt, right [k, n] of Nn. k is not cut, and
 * there is no batch. Errors: Error for Tn, and where the weight's rows are not multiples of 32.
 */
export function quantizedProduct<Buffer>(
  shape: ProductShape,
  right: Codes<Buffer>,
  memory: Omit<ProductMemory<Buffer>, 'right'>,
): KernelLaunch<Buffer> {
  const { orientation, m, n, k } = shape;
  const stride = orientation === 'Nt' ? k : n;
  checkColumns(stride);
  const fields = productFields(shape, { ...memory, right: { stride } }, 1);
  const values = { ...fields, right: right.codes, scales: right.scales };
  const grid = [blocksFor(m, 128) * blocksFor(n, 128), 1, 1] as const;
  if (orientation === 'Nt') {
    return right.bits === 8 ? launch('matmulNtInt8', grid, values) : launch('matmulNtInt4', grid, values);
  }
  if (orientation === 'Nn') {
    return right.bits === 8 ? launch('matmulNnInt8', grid, values) : launch('matmulNnInt4', grid, values);
  }
  throw new Error('the gradient of a weight in codes is not computed: such weights are frozen');
}

/** Rows up to which vectorProduct is faster than a product in tiles. */
export const mostVectorRows = 8;

export interface VectorProductMemory<Buffer> {
  /** [rows, k] */
  x: Matrix<Buffer>;
  /** [n, k]: bfloat16, or codes. */
  weight: BfloatMatrix<Buffer> | Codes<Buffer>;
  /** [rows, n] */
  out: Matrix<Buffer>;
  /** left [rows, panelK] and right [n, panelK], bfloat16. */
  panel?: { left: BfloatMatrix<Buffer>; right: BfloatMatrix<Buffer>; k: number };
  bias?: Stored<Buffer>;
  added?: Matrix<Buffer>;
  factor?: number;
}

/** out = factor · (x · weightᵀ + panel) + bias + added for few rows. */
export function vectorProduct<Buffer>(
  { rows, n, k }: { rows: number; n: number; k: number },
  { x, weight, out, panel, bias, added, factor = 1 }: VectorProductMemory<Buffer>,
): KernelLaunch<Buffer> {
  const inCodes = 'bits' in weight;
  if (inCodes) checkColumns(k);
  const values = {
    ...{ ...place('x', x), xStride: x.stride, n, k, factor },
    ...{ out: out.at, outType: elementTypes[out.type], outStride: out.stride },
    weight: inCodes ? weight.codes : weight.at,
    scales: inCodes ? weight.scales : null,
    weightStride: inCodes ? k : weight.stride,
    ...{ panelLeft: panel?.left.at ?? null, panelRight: panel?.right.at ?? null, panelK: panel?.k ?? 0 },
    ...{ panelLeftStride: panel?.left.stride ?? 0, panelRightStride: panel?.right.stride ?? 0 },
    ...{ ...place('bias', bias ?? null), ...place('added', added ?? null), addedStride: added?.stride ?? 0 },
  };
  const grid = [blocksFor(n, 8), rows, 1] as const;
  if (!inCodes) return launch('matvecBf16', grid, values);
  return weight.bits === 8 ? launch('matvecInt8', grid, values) : launch('matvecInt4', grid, values);
}

/** out, an int32 = the place of the largest of `count` elements. */
export function argmax<Buffer>(x: Stored<Buffer>, out: Buffer, count: number): KernelLaunch<Buffer> {
  return launch('argmax', [1, 1, 1], { ...place('x', x), out, count });
}
