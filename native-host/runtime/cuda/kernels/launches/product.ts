/** Matrix products: which kernel, how the work is cut, and the scratch memory that this takes. */
import { elementTypes, type KernelLaunch, type KernelName, launch } from '../../kernel-table.ts';
import { blocksFor, type Matrix, place, type Stored } from './places.ts';

/** Nt: left [m, k], right [n, k]. Nn: left [m, k], right [k, n]. Tn: left [k, m], right [k, n]. */
export type Orientation = 'Nt' | 'Nn' | 'Tn';

export interface ProductShape {
  orientation: Orientation;
  m: number;
  n: number;
  k: number;
  /** k of the panel; 0 for none. */
  panelK?: number;
  /** Products of the same shape side by side. */
  batch?: number;
}

export interface BfloatMatrix<Buffer> {
  at: Buffer;
  stride: number;
}

/** out = factor · (left · right + panel) + bias + added (+ out); see kernels/matmul.cuh. */
export interface ProductMemory<Buffer> {
  /** bfloat16, as are right and the panel. */
  left: BfloatMatrix<Buffer>;
  right: BfloatMatrix<Buffer>;
  out: Matrix<Buffer>;
  panel?: { left: BfloatMatrix<Buffer>; right: BfloatMatrix<Buffer> };
  /** [n] */
  bias?: Stored<Buffer>;
  /** [m, n]; may lie where out does. */
  added?: Matrix<Buffer>;
  factor?: number;
  accumulate?: boolean;
  /** Elements from one entry of the batch to the next. */
  batchStrides?: { left: number; right: number; out: number };
  /** planProduct(…).partialFloats float32; null where that is 0. */
  partial?: Buffer | null;
}

export interface ProductPlan {
  kernel: ProductKernel;
  tiles: number;
  /** Parts that k is cut into. */
  splits: number;
  /** Floats of scratch memory. */
  partialFloats: number;
}

type TileName = '128' | '64' | 'Narrow' | 'Flat' | 'Hopper128' | 'Hopper256';
type ProductKernel = Extract<KernelName, `matmul${Orientation}${TileName}`>;

/**
 * Chooses the tile and how k is cut, for a card with so many multiprocessors. `capability` is the card's compute
 * capability times ten: 90 has kernels of its own.
 */
export function planProduct(shape: ProductShape, multiprocessors: number, capability = 80): ProductPlan {
  const { orientation, m, n, k, panelK = 0, batch = 1 } = shape;
  const { name, tileM, tileN, tileK } = tileFor(shape, multiprocessors, capability);
  const tiles = blocksFor(m, tileM) * blocksFor(n, tileN);
  const depth = blocksFor(k, tileK) + Math.ceil(panelK / tileK);
  // Where the tiles leave multiprocessors idle, k is cut so that there are about two blocks for each; a part keeps at least
  // eight steps, so that filling its pipeline does not take most of the time.
  const wanted = Math.floor((2 * multiprocessors) / (tiles * batch));
  const splits = Math.max(1, Math.min(wanted, Math.floor(depth / 8), 64));
  const partialFloats = splits > 1 ? splits * batch * m * n : 0;
  return { kernel: `matmul${orientation}${name}` as ProductKernel, tiles, splits, partialFloats };
}

interface Tile {
  name: TileName;
  tileM: number;
  tileN: number;
  /** Depth of a step. */
  tileK: number;
}

export const productTiles: Readonly<Record<TileName, Tile>> = {
  '128': { name: '128', tileM: 128, tileN: 128, tileK: 32 },
  '64': { name: '64', tileM: 64, tileN: 64, tileK: 32 },
  Narrow: { name: 'Narrow', tileM: 64, tileN: 32, tileK: 32 },
  Flat: { name: 'Flat', tileM: 32, tileN: 64, tileK: 32 },
  Hopper128: { name: 'Hopper128', tileM: 128, tileN: 128, tileK: 64 },
  Hopper256: { name: 'Hopper256', tileM: 128, tileN: 256, tileK: 64 },
};

function tileFor({ orientation, m, n, batch = 1 }: ProductShape, multiprocessors: number, capability: number): Tile {
  if (n <= 32) return productTiles.Narrow;
  if (m <= 32 && orientation === 'Tn') return productTiles.Flat;
  if (m <= 64 || n <= 64) return productTiles['64'];
  // Rounds in which the card makes all tiles; a last round that is not full costs as much as a full one.
  const roundsOf = ({ tileM, tileN }: Tile) => (batch * blocksFor(m, tileM) * blocksFor(n, tileN)) / multiprocessors;
  if (capability === 90 && batch === 1) {
    const wide = Math.ceil(roundsOf(productTiles.Hopper256)) * 2;
    const rounds = roundsOf(productTiles.Hopper128);
    if (rounds >= 1) return wide <= Math.ceil(rounds) * 1.1 ? productTiles.Hopper256 : productTiles.Hopper128;
  }
  return roundsOf(productTiles['128']) >= 1 ? productTiles['128'] : productTiles['64'];
}

/** The launches of a product: one, or two where k is cut. Errors: Error where scratch memory is wanted and missing. */
export function product<Buffer>(
  shape: ProductShape,
  memory: ProductMemory<Buffer>,
  plan: ProductPlan,
): KernelLaunch<Buffer>[] {
  const { m, n, batch = 1 } = shape;
  const { kernel, tiles, splits } = plan;
  const fields = productFields(shape, memory, splits);
  const first = launch<ProductKernel, Buffer>(kernel, [tiles, batch, splits], { right: memory.right.at, ...fields });
  if (splits === 1) return [first];
  const { partial, out, outType, outStride, bias, biasType, added, addedType, addedStride } = fields;
  const { factor, accumulate, batchOut } = fields;
  const finish = launch<'matmulFinish', Buffer>('matmulFinish', [blocksFor(m * Math.ceil(n / 8), 256), batch, 1], {
    ...{ partial, out, outType, outStride, m, n, splits, bias, biasType, added, addedType, addedStride },
    ...{ factor, accumulate, batchOut },
  });
  return [first, finish];
}

/** Every parameter of a product's kernel but `right`. */
export function productFields<Buffer>(
  { m, n, k, panelK = 0 }: ProductShape,
  memory: Omit<ProductMemory<Buffer>, 'right'> & { right: { stride: number } },
  splits: number,
) {
  const { left, right, out, panel, bias = null, added = null, factor = 1, accumulate = false } = memory;
  const { batchStrides = { left: 0, right: 0, out: 0 }, partial = null } = memory;
  if (splits > 1 && partial === null) throw new Error('a product whose k is cut wants scratch memory');
  if (panelK > 0 && panel === undefined) throw new Error('a product with a panel wants its operands');
  return {
    ...{ left: left.at, leftStride: left.stride, rightStride: right.stride, m, n, k },
    ...{ out: out.at, outType: elementTypes[out.type], outStride: out.stride },
    ...{ panelLeft: panel?.left.at ?? null, panelRight: panel?.right.at ?? null, panelK },
    ...{ panelLeftStride: panel?.left.stride ?? 0, panelRightStride: panel?.right.stride ?? 0 },
    ...{ ...place('bias', bias), ...place('added', added), addedStride: added?.stride ?? 0 },
    ...{ factor, accumulate: accumulate ? 1 : 0, splits, partial },
    ...{ batchLeft: batchStrides.left, batchRight: batchStrides.right, batchOut: batchStrides.out },
  };
}
