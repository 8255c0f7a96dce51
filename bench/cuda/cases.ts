/** The programs that a card is checked with: each op at sizes that fill tiles and end inside them. */
import { cachedAttention, causalAttention, gatedBlend, rope } from '../../native-host/graph/ops/attention.ts';
import { add, scale, swiglu } from '../../native-host/graph/ops/elementwise.ts';
import { embedding } from '../../native-host/graph/ops/embedding.ts';
import { vocabCrossEntropy, vocabDistillation } from '../../native-host/graph/ops/loss.ts';
import { addBias, linear, perHeadLinear } from '../../native-host/graph/ops/matmul.ts';
import { rmsNorm } from '../../native-host/graph/ops/norm.ts';
import { adamw, orthogonalized } from '../../native-host/graph/ops/optimizer.ts';
import { constant, scalar } from '../../native-host/graph/ops/source.ts';
import type { Value } from '../../native-host/graph/value.ts';
import { plainTraits } from '../../native-host/model/decoder-traits.ts';
import { ropeTables } from '../../native-host/model/rope-tables.ts';
import { type HostTensor, int32 } from '../../native-host/runtime/device.ts';

export interface Case {
  name: string;
  /** Float inputs, with deviation 1; those named in `gradients` receive one. */
  floats: Record<string, number[]>;
  gradients: string[];
  integers?: Record<string, HostTensor>;
  output: (inputs: Record<string, Value>) => Value;
}

export function cases(): Case[] {
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
  const tablesFor = (partialRotaryFactor: number) =>
    ropeTables({ headDim: 64, ropeTheta: 10_000, ropeScaling: null, ...plainTraits, partialRotaryFactor }, 512);
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
    ...[1, 0.75].map((factor): Case => {
      const { cosines, sines, shape } = tablesFor(factor);
      return {
        name: factor === 1 ? 'rope' : `rope of ${100 * factor} % of a head's columns`,
        floats: { x: [300, 256] },
        integers: { positions },
        gradients: ['x'],
        output: ({ x, positions: at }) => rope(x!, at!, constant(cosines, shape), constant(sines, shape), 64),
      };
    }),
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
    ...[
      [256, 704],
      [704, 256],
      [64, 500],
    ].map(
      ([rows, columns]): Case => ({
        name: `orthogonalized ${rows} × ${columns}`,
        floats: { x: [rows!, columns!] },
        gradients: [],
        output: ({ x }) => orthogonalized(x!),
      }),
    ),
  ];
}

function attentionCases(): Case[] {
  const packed = [
    { rows: 2, length: 300, heads: 4, keyValueHeads: 2, headDim: 64 },
    { rows: 1, length: 513, heads: 6, keyValueHeads: 1, headDim: 128 },
    { rows: 3, length: 129, heads: 2, keyValueHeads: 2, headDim: 80 },
    { rows: 2, length: 300, heads: 4, keyValueHeads: 2, headDim: 64, window: 70 },
    { rows: 2, length: 300, heads: 4, keyValueHeads: 2, headDim: 64, softCap: 2 },
    { rows: 1, length: 513, heads: 2, keyValueHeads: 1, headDim: 128, window: 150, softCap: 2 },
    { rows: 2, length: 300, heads: 4, keyValueHeads: 2, headDim: 256 },
    { rows: 2, length: 300, heads: 2, keyValueHeads: 2, headDim: 256, window: 70, softCap: 2 },
  ].map(({ rows, length, ...shape }): Case => {
    const count = rows * length;
    const { heads, keyValueHeads, headDim } = shape;
    // Sequences of 100 positions, and padding at the end of each row.
    const ids = Int32Array.from({ length: count }, (_, i) => {
      const at = i % length;
      return at >= length - 9 ? -1 : Math.floor(at / 100);
    });
    return {
      name: `attention ${rows} × ${length}, ${heads} heads on ${keyValueHeads} of ${headDim}${limitsOf(shape)}`,
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
    { fresh: 1, past: 700, window: 300, softCap: 2 },
    { fresh: 130, past: 333, window: 200, softCap: 2 },
  ].map(({ fresh, past, ...limits }): Case => {
    const shape = { heads: 14, keyValueHeads: 2, headDim: 64, ...limits };
    return {
      name: `attention of ${fresh} over ${past} cached${limitsOf(limits)}`,
      floats: { q: [fresh, 896], k: [fresh, 128], v: [fresh, 128], pastK: [past, 128], pastV: [past, 128] },
      gradients: [],
      output: ({ q, k, v, pastK, pastV }) => cachedAttention(q!, k!, v!, pastK!, pastV!, shape),
    };
  });
  return [...packed, ...cached.filter(({ floats }) => floats.pastK![0]! > 0)];
}

function limitsOf({ window, softCap }: { window?: number; softCap?: number }): string {
  return `${window === undefined ? '' : `, window ${window}`}${softCap === undefined ? '' : `, scores capped at ${softCap}`}`;
}

function lossCases(): Case[] {
  const rows = 150;
  const vocabulary = 5003;
  const integers = (count: number, most: number) => Int32Array.from({ length: count }, (_, i) => (i * 7919) % most);
  const scaled = (hidden: Value) => scale(hidden, 0.2);
  return [null, 3].flatMap((cap): Case[] => [
    {
      name: `vocabCrossEntropy${cap === null ? '' : `, logits capped at ${cap}`}`,
      floats: { hidden: [rows, 256], table: [vocabulary, 256], weights: [rows] },
      integers: { labels: int32(integers(rows, vocabulary)) },
      gradients: ['hidden', 'table'],
      output: ({ hidden, table, labels, weights }) =>
        vocabCrossEntropy(scaled(hidden!), table!, labels!, weights!, cap).loss,
    },
    {
      name: `vocabDistillation${cap === null ? '' : `, logits capped at ${cap}`}`,
      floats: { hidden: [rows, 256], table: [vocabulary, 256], weights: [rows], teacher: [rows, 20] },
      integers: { topIds: int32(integers(rows * 20, vocabulary), [rows, 20]) },
      gradients: ['hidden', 'table'],
      output: ({ hidden, table, topIds, teacher, weights }) =>
        vocabDistillation(scaled(hidden!), table!, topIds!, scale(teacher!, 0.5), weights!, cap).loss,
    },
  ]);
}
