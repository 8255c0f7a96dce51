import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { grad } from '../../native-host/graph/grad.ts';
import {
  type AttentionShape,
  cachedAttention,
  causalAttention,
  gatedBlend,
  rope,
} from '../../native-host/graph/ops/attention.ts';
import {
  add,
  affine,
  geglu,
  multiply,
  scale,
  scaleBy,
  sigmoid,
  silu,
  swiglu,
} from '../../native-host/graph/ops/elementwise.ts';
import { embedding } from '../../native-host/graph/ops/embedding.ts';
import { vocabCrossEntropy, vocabDistillation } from '../../native-host/graph/ops/loss.ts';
import { addBias, linear, matmul, perHeadLinear } from '../../native-host/graph/ops/matmul.ts';
import { rmsNorm } from '../../native-host/graph/ops/norm.ts';
import { adamw, euclideanNorm, muon } from '../../native-host/graph/ops/optimizer.ts';
import { constant, input, scalar } from '../../native-host/graph/ops/source.ts';
import { nodesInOrder, type Value } from '../../native-host/graph/value.ts';
import { gatedMemory } from '../../native-host/model/adapter-graph.ts';
import { plainTraits } from '../../native-host/model/decoder-traits.ts';
import { ropeTables } from '../../native-host/model/rope-tables.ts';
import type { Device, HostTensor, Program } from '../../native-host/runtime/device.ts';
import { allowedDeviation, deviation, floats, openTestDevice, testableDevices } from './devices.ts';

/** A case made by scripts/reference/ops.py with PyTorch. */
interface Reference {
  op: string;
  // biome-ignore lint/suspicious/noExplicitAny: each op has its own attributes.
  attributes: Record<string, any>;
  inputs: Record<string, { shape: number[]; dtype: 'float32' | 'int32'; data: number[] }>;
  outputs: Record<string, { data: number[] }>;
  cotangents: Record<string, { shape: number[]; data: number[] }>;
  gradients: Record<string, { data: number[] }>;
}

type Inputs = Record<string, Value>;
type Attributes = Reference['attributes'];

const ops: Record<string, (inputs: Inputs, attributes: Attributes) => Record<string, Value>> = {
  add: ({ a, b }) => ({ output: add(a!, b!) }),
  multiply: ({ a, b }) => ({ output: multiply(a!, b!) }),
  scale: ({ x }, { factor }) => ({ output: scale(x!, factor) }),
  affine: ({ x }, { factor, offset }) => ({ output: affine(x!, factor, offset) }),
  scaleBy: ({ x, factor }) => ({ output: scaleBy(x!, factor!) }),
  sigmoid: ({ x }) => ({ output: sigmoid(x!) }),
  silu: ({ x }) => ({ output: silu(x!) }),
  swiglu: ({ gate, up }) => ({ output: swiglu(gate!, up!) }),
  geglu: ({ gate, up }) => ({ output: geglu(gate!, up!) }),
  matmul: ({ left, right }, { transposeLeft, transposeRight }) => ({
    output: matmul(left!, right!, transposeLeft, transposeRight),
  }),
  linear: ({ x, weight }) => ({ output: linear(x!, weight!) }),
  linearBias: ({ x, weight, bias }) => ({ output: addBias(linear(x!, weight!), bias!) }),
  perHeadLinear: ({ x, weight }) => ({ output: perHeadLinear(x!, weight!) }),
  embedding: ({ table, ids }) => ({ output: embedding(table!, ids!) }),
  rmsNorm: ({ x, weight }, { eps }) => ({ output: rmsNorm(x!, weight!, eps) }),
  headRmsNorm: ({ x, weight }, { eps }) => ({ output: rmsNorm(x!, weight!, eps) }),
  rope: ({ x, positions }, { headDim, theta, scaling, partialRotaryFactor = 1 }) => {
    const config = { headDim, ropeTheta: theta, ropeScaling: scaling, ...plainTraits, partialRotaryFactor };
    const { cosines, sines, shape } = ropeTables(config, 5000);
    return { output: rope(x!, positions!, constant(cosines, shape), constant(sines, shape), headDim) };
  },
  causalAttention: ({ q, k, v, sequenceIds }, attributes) => ({
    output: causalAttention(q!, k!, v!, sequenceIds!, attributes as AttentionShape),
  }),
  cachedAttention: ({ q, k, v, pastK, pastV }, attributes) => ({
    output: cachedAttention(q!, k!, v!, pastK!, pastV!, attributes as AttentionShape),
  }),
  gatedBlend: ({ a, b, gate }) => ({ output: gatedBlend(a!, b!, gate!) }),
  gatedMemory: ({ query, attention, memoryDown, memoryUp, gateDown, gateUp }) => ({
    ...gatedMemory(query!, attention!, memoryDown!, memoryUp!, gateDown!, gateUp!),
  }),
  vocabCrossEntropy: ({ hidden, embedding: table, labels, weights }, { softCap }) => ({
    ...vocabCrossEntropy(hidden!, table!, labels!, weights!, softCap),
  }),
  vocabDistillation: ({ hidden, embedding: table, topIds, topLogProbs, weights }, { softCap }) => ({
    loss: vocabDistillation(hidden!, table!, topIds!, topLogProbs!, weights!, softCap).loss,
  }),
  adamw: ({ p, m, v, g }, { learningRate, step, ...settings }) => {
    const next = adamw(p!, { first: m!, second: v! }, g!, scalar(learningRate), scalar(step), settings as never);
    return { p: next.parameters, m: next.first, v: next.second, gradientNorm: next.gradientNorm };
  },
  euclideanNorm: ({ x }) => ({ ...euclideanNorm(x!) }),
  muon: ({ p, m, g }, { learningRate, shapes, momentum, weightDecay }) => {
    const next = muon(p!, m!, g!, scalar(learningRate), shapes, { momentum, weightDecay });
    return { p: next.parameters, m: next.first, gradientNorm: next.gradientNorm };
  },
};

// The losses' token weights and the teacher's probabilities are given, not learned: no gradient flows to them.
const withoutGradient = new Set(['weights', 'topLogProbs']);

const folder = new URL('../fixtures/reference/ops/', import.meta.url);
const cases = readdirSync(folder)
  .filter((file) => !file.includes('per-token-cotangent'))
  .map((file) => ({
    file,
    reference: JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Reference,
  }));

/** The op's outputs and, where the reference has gradients, those for the reference's cotangent. */
function programOf(file: string, { op, attributes, inputs, outputs, cotangents, gradients }: Reference): Program {
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  );
  const made = ops[op]!(values, attributes);
  const program: Program = { name: file, outputs: {} };
  for (const name of Object.keys(outputs)) if (made[name]) program.outputs[`output ${name}`] = made[name];
  const wanted = Object.keys(gradients).filter((name) => !withoutGradient.has(name));
  if (wanted.length === 0) return program;
  const total = new Map<string, Value>();
  for (const [output, { data, shape }] of Object.entries(cotangents)) {
    const reached = new Set(nodesInOrder([made[output]!]));
    const names = wanted.filter((name) => reached.has(values[name]!.node));
    const inputs = names.map((name) => values[name]!);
    grad(made[output]!, inputs, constant(Float32Array.from(data), shape)).forEach((value, i) => {
      const before = total.get(names[i]!);
      total.set(names[i]!, before === undefined ? value : add(before, value));
    });
  }
  for (const [name, value] of total) program.outputs[`gradient of ${name}`] = value;
  return program;
}

const { names, webgpuMissing } = testableDevices();
if (webgpuMissing !== null) console.warn(webgpuMissing);

describe.each(names)('ops on %s', (name) => {
  const device: Device = openTestDevice(name);
  afterAll(() => device.close());

  test.each(cases)('$file', async ({ file, reference }) => {
    const program = programOf(file, reference);
    const executable = await device.compile(program, { weights: new Map() });
    const inputs = Object.entries(reference.inputs).map(([key, { shape, dtype, data }]): [string, HostTensor] => [
      key,
      { shape, dtype, data: dtype === 'float32' ? Float32Array.from(data) : Int32Array.from(data) },
    ]);
    const { host } = await executable.run(Object.fromEntries(inputs));
    for (const output of Object.keys(program.outputs)) {
      const gradientOf = output.match(/^gradient of (.*)$/)?.[1];
      const wanted = gradientOf ? reference.gradients[gradientOf]! : reference.outputs[output.replace('output ', '')]!;
      // What a loss says of a row without weight is left open.
      const weights = /perToken|correct/.test(output) ? reference.inputs.weights?.data : undefined;
      const told = <T>(values: ArrayLike<T>) =>
        Array.from(values).filter((_, i) => weights === undefined || weights[i] !== 0);
      const error = deviation(name, told(floats(host[output]!)), told(wanted.data));
      expect(error, output).toBeLessThan(
        allowedDeviation(name, file.includes('large-scores') ? 'sharpAttention' : gradientOf ? 'opGradient' : 'op'),
      );
    }
    await executable.release();
  });
});

test('a loss per token has no gradient, and says so', () => {
  const hidden = input('hidden', [2, 3]);
  const { perToken } = vocabCrossEntropy(hidden, input('e', [5, 3]), input('labels', [2], 'int32'), input('w', [2]));
  expect(() => grad(perToken, [hidden], input('seed', [2]))).toThrow(/only the first output of 'vocabCrossEntropy'/);
});
