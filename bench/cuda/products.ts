/** Rates of matrix products and of attention at the shapes that training has. */

import { programFlops } from '../../native-host/bench/flops.ts';
import { grad } from '../../native-host/graph/grad.ts';
import { causalAttention } from '../../native-host/graph/ops/attention.ts';
import { lastRow } from '../../native-host/graph/ops/embedding.ts';
import { matmul } from '../../native-host/graph/ops/matmul.ts';
import { input } from '../../native-host/graph/ops/source.ts';
import type { Value } from '../../native-host/graph/value.ts';
import { uniformNumbers } from '../../native-host/model/random.ts';
import { type Device, type DeviceTensor, float32, int32 } from '../../native-host/runtime/device.ts';
import { modelShapes } from './models.ts';

export interface Rate {
  name: string;
  /** Operations a second, two a multiply-add. */
  rate: number;
  seconds: number;
}

export interface ProductSizes {
  /** Tokens of a step. */
  rows: number;
  /** Two problems of attention: rows and length of each. */
  attention: readonly [number, number, number, number];
  /** Products in a run, and runs. */
  copies: number;
  runs: number;
}

/** Each linear layer's product, forward (Nt) and for its input's gradient (Nn), over the tokens of a step. */
export function productShapes(
  model: string,
  tokens: number,
): { name: string; rows: number; inner: number; columns: number }[] {
  const config = modelShapes[model]!;
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim, vocabSize } = config;
  const of = (name: string, inner: number, columns: number, rows = tokens) => ({ name, rows, inner, columns });
  return [
    of('q', hiddenSize, numAttentionHeads * headDim),
    of('k', hiddenSize, numKeyValueHeads * headDim),
    of('gate', hiddenSize, intermediateSize),
    of('down', intermediateSize, hiddenSize),
    of('vocabulary', hiddenSize, vocabSize, Math.ceil(tokens / 8)),
  ];
}

export async function productRates(device: Device, model: string, sizes: ProductSizes): Promise<Rate[]> {
  const { copies } = sizes;
  const rates: Rate[] = [];
  for (const { name, rows, inner, columns } of productShapes(model, sizes.rows)) {
    for (const backward of [false, true]) {
      const left = randomInput(rows, backward ? columns : inner);
      const right = randomInput(columns, inner);
      const x = input('left', [rows, backward ? columns : inner]);
      const weight = input('right', [columns, inner]);
      const outputs = Array.from({ length: copies }, () => matmul(x, weight, false, !backward));
      const best = await bestSeconds(device, outputs, { left, right }, sizes.runs);
      const seconds = best / copies;
      rates.push({
        name: `${name}, ${backward ? 'gradient' : 'forward'}`,
        seconds,
        rate: (2 * rows * inner * columns) / seconds,
      });
    }
  }
  return rates;
}

export interface AttentionProblem {
  rows: number;
  length: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
}

export function attentionShapes(model: string, { attention }: ProductSizes): AttentionProblem[] {
  const [rows, length, otherRows, otherLength] = attention;
  const { numAttentionHeads: heads, numKeyValueHeads: keyValueHeads, headDim } = modelShapes[model]!;
  return [
    { rows, length, heads, keyValueHeads, headDim },
    { rows: otherRows, length: otherLength, heads, keyValueHeads, headDim },
  ];
}

/** Forward alone, and forward with gradients; operations of the pairs that are not masked. */
export async function attentionRates(device: Device, model: string, sizes: ProductSizes): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (const { rows, length, ...shape } of attentionShapes(model, sizes)) {
    const count = rows * length;
    const { heads, keyValueHeads, headDim } = shape;
    const [q, k, v] = [heads, keyValueHeads, keyValueHeads].map((h, i) => input(`x${i}`, [count, h * headDim]));
    const ids = input('sequenceIds', [rows, length], 'int32');
    const output = causalAttention(q!, k!, v!, ids, shape);
    const gradients = grad(output, [q!, k!, v!], input('seed', [count, heads * headDim]));
    const feeds = {
      x0: randomInput(count, heads * headDim),
      x1: randomInput(count, keyValueHeads * headDim),
      x2: randomInput(count, keyValueHeads * headDim),
      sequenceIds: int32(new Int32Array(count), [rows, length]),
    };
    const withSeed = { ...feeds, seed: randomInput(count, heads * headDim) };
    const forward = await bestSeconds(device, [output], feeds, sizes.runs);
    const both = await bestSeconds(device, gradients, withSeed, sizes.runs);
    const flops = (values: Value[]) =>
      programFlops({ name: 'attention', outputs: Object.fromEntries(values.entries()) }).attention;
    const name = `${rows} × ${length}, ${heads} heads on ${keyValueHeads} of ${headDim}`;
    const work = flops([output]);
    rates.push({ name: `${name}, forward`, seconds: forward, rate: work / forward });
    const backward = Math.max(both - forward, 1e-9);
    rates.push({ name: `${name}, gradient`, seconds: backward, rate: (flops(gradients) - work) / backward });
  }
  return rates;
}

/** The shortest of several runs, on the card's clock; what is computed is read down to one row. */
async function bestSeconds(
  device: Device,
  values: readonly Value[],
  feeds: Record<string, ReturnType<typeof float32>>,
  runs: number,
): Promise<number> {
  const outputs = Object.fromEntries(values.map((value, i) => [`last.${i}`, lastRow(value)]));
  const executable = await device.compile({ name: 'rate', outputs }, { weights: new Map() });
  const tensors: Record<string, DeviceTensor> = {};
  for (const [name, tensor] of Object.entries(feeds)) tensors[name] = await device.upload(tensor);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) best = Math.min(best, (await executable.run(tensors)).seconds);
  await device.release(Object.values(tensors));
  await executable.release();
  return best;
}

function randomInput(rows: number, columns: number) {
  const uniform = uniformNumbers(rows + columns);
  const block = Float32Array.from({ length: 1_000_003 }, () => 2 * uniform() - 1);
  const data = new Float32Array(rows * columns);
  for (let at = 0; at < data.length; at += block.length) data.set(block.subarray(0, data.length - at), at);
  return float32(data, [rows, columns]);
}
