/** Matrix products alone, through the same runtime as everything else: what training and decoding are compared with. */
import { add } from '../graph/ops/elementwise.ts';
import { lastRow } from '../graph/ops/embedding.ts';
import { linear, matmul } from '../graph/ops/matmul.ts';
import { input, weight } from '../graph/ops/source.ts';
import type { Value } from '../graph/value.ts';
import { uniformNumbers } from '../model/random.ts';
import { type Device, type DeviceTensor, float32, type HostTensor, type Program } from '../runtime/device.ts';
import { programFlops } from './flops.ts';
import type { BenchModel } from './shapes.ts';

export interface Products {
  flops: number;
  /** Seconds of one run on the device. */
  run(): Promise<number>;
  close(): Promise<void>;
}

/** A chain of `count` products of square matrices [size, size]. */
export async function squareProducts(device: Device, size: number, count: number): Promise<Products> {
  const right = input('right', [size, size]);
  let left = input('left', [size, size]);
  for (let i = 0; i < count; i++) left = matmul(left, right);
  const program = { name: 'squareProducts', outputs: { last: lastRow(left) } };
  // Deviation 1/√size: the products neither grow nor vanish along the chain.
  const tensor = await device.upload(randomTensor([size, size], 1 / Math.sqrt(size)));
  return openProducts(device, program, new Map(), { left: tensor, right: tensor });
}

/**
 * Rows [rows, in] times each matrix of the model, every linear layer and the output embedding, independently; with
 * `both` also rows [rows, out] times each matrix not transposed, as for the gradient of its input.
 */
export async function weightProducts(
  device: Device,
  model: BenchModel,
  rows: number,
  both: boolean,
): Promise<Products> {
  const inputs = new Map<number, Value>();
  const rowsOf = (width: number) => {
    if (!inputs.has(width)) inputs.set(width, input(`rows.${width}`, [rows, width]));
    return inputs.get(width)!;
  };
  // Outputs of one width are added up, so that little is left to copy out.
  const sums = new Map<number, Value>();
  const keep = (value: Value) => {
    const row = rows === 1 ? value : lastRow(value);
    const width = row.shape[1] as number;
    const sum = sums.get(width);
    sums.set(width, sum === undefined ? row : add(sum, row));
  };
  for (const { name, shape } of model.weights.values()) {
    if (shape.length !== 2 || (name === 'model.embed_tokens.weight' && !model.config.tieWordEmbeddings)) continue;
    const matrix = weight(name, shape);
    keep(linear(rowsOf(shape[1]!), matrix));
    if (both) keep(matmul(rowsOf(shape[0]!), matrix));
  }
  const outputs = Object.fromEntries([...sums].map(([width, value]) => [`sum.${width}`, value]));
  const tensors: Record<string, DeviceTensor> = {};
  for (const width of inputs.keys()) {
    tensors[`rows.${width}`] = await device.upload(randomTensor([rows, width], 1));
  }
  return openProducts(device, { name: 'weightProducts', outputs }, model.weights, tensors);
}

/** Seconds of each of `count` runs. */
export async function timesOf(products: Products, count: number, signal: AbortSignal | undefined): Promise<number[]> {
  const seconds: number[] = [];
  for (let i = 0; i < count; i++) {
    signal?.throwIfAborted();
    seconds.push(await products.run());
  }
  return seconds;
}

async function openProducts(
  device: Device,
  program: Program,
  weights: BenchModel['weights'],
  tensors: Record<string, DeviceTensor>,
): Promise<Products> {
  const executable = await device.compile(program, { weights });
  const { frozen, adapter } = programFlops(program);
  return {
    flops: frozen + adapter,
    run: async () => (await executable.run(tensors)).seconds,
    close: async () => {
      await device.release([...new Set(Object.values(tensors))]);
      await executable.release();
    },
  };
}

function randomTensor(shape: number[], deviation: number): HostTensor {
  const uniform = uniformNumbers(2);
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  // Uniform numbers of deviation 1 lie between −√3 and √3.
  return float32(
    Float32Array.from({ length: size }, () => deviation * Math.sqrt(3) * (2 * uniform() - 1)),
    shape,
  );
}
