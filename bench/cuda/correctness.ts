/** What a card computes against the cpu backend's float32: ops and their gradients at sizes that fill tiles and end inside them. */
import { programFlops } from '../../native-host/bench/flops.ts';
import { grad } from '../../native-host/graph/grad.ts';
import { cachedAttention, causalAttention, gatedBlend, rope } from '../../native-host/graph/ops/attention.ts';
import { add, scale, swiglu } from '../../native-host/graph/ops/elementwise.ts';
import { embedding } from '../../native-host/graph/ops/embedding.ts';
import { vocabCrossEntropy, vocabDistillation } from '../../native-host/graph/ops/loss.ts';
import { addBias, linear, perHeadLinear } from '../../native-host/graph/ops/matmul.ts';
import { rmsNorm } from '../../native-host/graph/ops/norm.ts';
import { adamw } from '../../native-host/graph/ops/optimizer.ts';
import { constant, input, scalar } from '../../native-host/graph/ops/source.ts';
import type { Value } from '../../native-host/graph/value.ts';
import { plainTraits } from '../../native-host/model/decoder-traits.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import { ropeTables } from '../../native-host/model/rope-tables.ts';
import { type Device, float32, type HostTensor, int32, type Program } from '../../native-host/runtime/device.ts';

interface Case {
  name: string;
  /** Float inputs, with deviation 1; those named in `gradients` receive one. */
  floats: Record<string, number[]>;
  gradients: string[];
  integers?: Record<string, HostTensor>;
  output: (inputs: Record<string, Value>) => Value;
}

export interface Comparison {
  name: string;
  /** ‖card − cpu‖ ÷ ‖cpu‖ of the worst output; not a number where the card gave an error or a number that is none. */
  error: number;
  allowed: number;
  /** What the card said instead. */
  failure?: string;
}

/**
 * A card rounds matrices to bfloat16, by up to 2⁻⁹ (0.2 %) a number. Roundings are independent, so that over a whole matrix
 * the error of a few of them stays below 1 %; a gradient goes through more.
 */
export const allowedErrors = { output: 0.01, gradient: 0.02 };

/** Cases of up to `mostFlops` operations. After an error the card is opened anew, so that the other cases still tell. */
export async function compareOps(openCard: () => Device, cpu: Device, mostFlops: number): Promise<Comparison[]> {
  const result: Comparison[] = [];
  let card = openCard();
  for (const one of cases()) {
    const program = programOf(one);
    if (programFlops(program).total > mostFlops) continue;
    const feeds = feedsOf(one);
    const wanted = await runOnce(cpu, program, feeds);
    let got: typeof wanted;
    try {
      got = await runOnce(card, program, feeds);
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      result.push({ name: one.name, error: Number.NaN, allowed: allowedErrors.output, failure });
      await card.close().catch(() => undefined);
      card = openCard();
      continue;
    }
    for (const kind of ['output', 'gradient'] as const) {
      const names = Object.keys(program.outputs).filter((name) => name.startsWith(kind));
      if (names.length === 0) continue;
      const errors = names.map((name) => normError(got[name]!.data, wanted[name]!.data));
      result.push({ name: `${one.name}, ${kind}`, error: worst(errors), allowed: allowedErrors[kind] });
    }
  }
  await card.close();
  return result;
}

/** ‖got − wanted‖ ÷ ‖wanted‖; not a number where anything is none. */
export function normError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference += (got[i]! - wanted[i]!) ** 2;
    size += wanted[i]! ** 2;
  }
  return got.length === wanted.length ? Math.sqrt(difference / Math.max(size, 1e-30)) : Number.NaN;
}

function worst(errors: readonly number[]): number {
  return errors.reduce((most, error) => (error <= most ? most : error), 0);
}

async function runOnce(device: Device, program: Program, feeds: Record<string, HostTensor>) {
  const executable = await device.compile(program, { weights: new Map() });
  const { host } = await executable.run(feeds);
  await executable.release();
  return host;
}

function programOf({ name, floats, gradients, integers = {}, output }: Case): Program {
  const inputs = Object.fromEntries([
    ...Object.entries(floats).map(([key, shape]) => [key, input(key, shape)] as const),
    ...Object.entries(integers).map(([key, { shape }]) => [key, input(key, shape, 'int32')] as const),
  ]);
  const made = output(inputs);
  const outputs: Record<string, Value> = { output: made };
  if (gradients.length > 0) {
    const shape = made.shape as number[];
    const seed = constant(randomNumbers(shape, 99), shape);
    const wanted = gradients.map((key) => inputs[key]!);
    grad(made, wanted, seed).forEach((value, i) => {
      outputs[`gradient of ${gradients[i]}`] = value;
    });
  }
  return { name, outputs };
}

function feedsOf({ floats, integers = {} }: Case): Record<string, HostTensor> {
  const feeds: Record<string, HostTensor> = { ...integers };
  Object.entries(floats).forEach(([key, shape], i) => {
    feeds[key] = float32(randomNumbers(shape, i + 1), shape);
  });
  return feeds;
}

function randomNumbers(shape: readonly number[], seed: number): Float32Array {
  const normal = normalNumbers(seed);
  return Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () => normal());
}

function cases(): Case[] {
  const products = [
    [1, 896, 896],
    [7, 1536, 256],
    [300, 128, 300],
    [257, 1000, 129],
    [1024, 896, 4864],
    [512, 4864, 896],
    [640, 16, 896],
    [640, 896, 16],
  ].map(
    ([rows, inner, columns]): Case => ({
      name: `linear ${rows} × ${inner} → ${columns}`,
      floats: { x: [rows!, inner!], weight: [columns!, inner!] },
      gradients: ['x', 'weight'],
      output: ({ x, weight }) => linear(x!, weight!),
    }),
  );
  return [...products, ...layerCases(), ...attentionCases(), ...lossCases()];
}

function layerCases(): Case[] {
  const positions = int32(Int32Array.from({ length: 300 }, (_, i) => (i * 7) % 512));
  const tables = ropeTables({ headDim: 64, ropeTheta: 10_000, ropeScaling: null, ...plainTraits }, 512);
  return [
    {
      name: 'linear with LoRA, a bias and a residual',
      floats: { x: [300, 896], weight: [512, 896], down: [16, 896], up: [512, 16], bias: [512], residual: [300, 512] },
      gradients: ['x', 'down', 'up', 'bias', 'residual'],
      output: ({ x, weight, down, up, bias, residual }) => {
        const adapted = add(linear(x!, weight!), scale(linear(linear(x!, down!), up!), 2));
        return add(residual!, addBias(adapted, bias!));
      },
    },
    {
      name: 'rmsNorm of rows',
      floats: { x: [300, 1536], weight: [1536] },
      gradients: ['x', 'weight'],
      output: ({ x, weight }) => rmsNorm(x!, weight!, 1e-6),
    },
    {
      name: 'rmsNorm of heads',
      floats: { x: [300, 512], weight: [64] },
      gradients: ['x', 'weight'],
      output: ({ x, weight }) => rmsNorm(x!, weight!, 1e-6),
    },
    {
      name: 'swiglu',
      floats: { gate: [300, 1001], up: [300, 1001] },
      gradients: ['gate', 'up'],
      output: ({ gate, up }) => swiglu(gate!, up!),
    },
    {
      name: 'rope',
      floats: { x: [300, 256] },
      integers: { positions },
      gradients: ['x'],
      output: ({ x, positions: at }) =>
        rope(x!, at!, constant(tables.cosines, tables.shape), constant(tables.sines, tables.shape), 64),
    },
    {
      name: 'embedding',
      floats: { table: [512, 96] },
      integers: { ids: positions },
      gradients: ['table'],
      output: ({ table, ids }) => embedding(table!, ids!),
    },
    {
      name: 'perHeadLinear',
      floats: { x: [300, 4 * 64], weight: [4, 128, 64] },
      gradients: ['x', 'weight'],
      output: ({ x, weight }) => perHeadLinear(x!, weight!),
    },
    {
      name: 'gatedBlend',
      floats: { a: [300, 256], b: [300, 256], gate: [300, 4] },
      gradients: ['a', 'b', 'gate'],
      output: ({ a, b, gate }) => gatedBlend(a!, b!, gate!),
    },
    {
      name: 'adamw',
      floats: { parameters: [100_003], first: [100_003], gradient: [100_003] },
      gradients: [],
      output: ({ parameters, first, gradient }) => {
        const settings = { beta1: 0.9, beta2: 0.98, epsilon: 1e-8, weightDecay: 0.01, clipNorm: 1 };
        const second = constant(new Float32Array(100_003).fill(0.5), [100_003]);
        return adamw(parameters!, { first: first!, second }, gradient!, scalar(0.01), scalar(3), settings).parameters;
      },
    },
  ];
}

function attentionCases(): Case[] {
  const packed = [
    { rows: 2, length: 300, heads: 4, keyValueHeads: 2, headDim: 64 },
    { rows: 1, length: 513, heads: 6, keyValueHeads: 1, headDim: 128 },
    { rows: 3, length: 129, heads: 2, keyValueHeads: 2, headDim: 80 },
  ].map(({ rows, length, ...shape }): Case => {
    const count = rows * length;
    const { heads, keyValueHeads, headDim } = shape;
    // Sequences of 100 positions, and padding at the end of each row.
    const ids = Int32Array.from({ length: count }, (_, i) => {
      const at = i % length;
      return at >= length - 9 ? -1 : Math.floor(at / 100);
    });
    return {
      name: `attention ${rows} × ${length}, ${heads} heads on ${keyValueHeads} of ${headDim}`,
      floats: { q: [count, heads * headDim], k: [count, keyValueHeads * headDim], v: [count, keyValueHeads * headDim] },
      integers: { sequenceIds: int32(ids, [rows, length]) },
      gradients: ['q', 'k', 'v'],
      output: ({ q, k, v, sequenceIds }) => causalAttention(q!, k!, v!, sequenceIds!, shape),
    };
  });
  const cached = [
    { fresh: 1, past: 700 },
    { fresh: 5, past: 0 },
    { fresh: 130, past: 333 },
  ].map(({ fresh, past }): Case => {
    const shape = { heads: 14, keyValueHeads: 2, headDim: 64 };
    return {
      name: `attention of ${fresh} over ${past} cached`,
      floats: { q: [fresh, 896], k: [fresh, 128], v: [fresh, 128], pastK: [past, 128], pastV: [past, 128] },
      gradients: [],
      output: ({ q, k, v, pastK, pastV }) => cachedAttention(q!, k!, v!, pastK!, pastV!, shape),
    };
  });
  return [...packed, ...cached.filter(({ floats }) => floats.pastK![0]! > 0)];
}

function lossCases(): Case[] {
  const rows = 150;
  const vocabulary = 5003;
  const integers = (count: number, most: number) => Int32Array.from({ length: count }, (_, i) => (i * 7919) % most);
  const scaled = (hidden: Value) => scale(hidden, 0.2);
  return [
    {
      name: 'vocabCrossEntropy',
      floats: { hidden: [rows, 256], table: [vocabulary, 256], weights: [rows] },
      integers: { labels: int32(integers(rows, vocabulary)) },
      gradients: ['hidden', 'table'],
      output: ({ hidden, table, labels, weights }) =>
        vocabCrossEntropy(scaled(hidden!), table!, labels!, weights!).loss,
    },
    {
      name: 'vocabDistillation',
      floats: { hidden: [rows, 256], table: [vocabulary, 256], weights: [rows], teacher: [rows, 20] },
      integers: { topIds: int32(integers(rows * 20, vocabulary), [rows, 20]) },
      gradients: ['hidden', 'table'],
      output: ({ hidden, table, topIds, teacher, weights }) =>
        vocabDistillation(scaled(hidden!), table!, topIds!, scale(teacher!, 0.5), weights!).loss,
    },
  ];
}
