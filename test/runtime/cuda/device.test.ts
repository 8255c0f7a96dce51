// The whole device on the emulated card, beside the cpu backend: training, answering, weights in codes.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Decoder } from '../../../native-host/generate/decode.ts';
import { sampler } from '../../../native-host/generate/sampler.ts';
import { grad } from '../../../native-host/graph/grad.ts';
import { add, scale } from '../../../native-host/graph/ops/elementwise.ts';
import { vocabCrossEntropy } from '../../../native-host/graph/ops/loss.ts';
import { linear } from '../../../native-host/graph/ops/matmul.ts';
import { input, scalar, weight } from '../../../native-host/graph/ops/source.ts';
import type { AdapterKind } from '../../../native-host/model/adapter-layout.ts';
import { openBaseModel } from '../../../native-host/model/open-model.ts';
import { type Device, float32, type HostTensor, int32, type RunResult } from '../../../native-host/runtime/device.ts';
import { pack } from '../../../native-host/train/packing.ts';
import { makeTinyModel } from '../../fixtures/tiny-model.ts';
import { countingDevice } from '../../train/counting-device.ts';
import { newState, openTinyModel, openTrainer, shape, type TinyModel } from '../../train/tiny-training.ts';
import { deviation, floats, openTestDevice } from '../devices.ts';
import { leftOnCard, openFakeCard } from './fake-driver.ts';

const card = openFakeCard();
const cpu = openTestDevice('cpu');
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await openTinyModel();
});
afterAll(async () => {
  await card.close();
  await cpu.close();
  await tiny.remove();
  expect(leftOnCard()).toEqual({ contexts: 0, bytes: 0, others: 0 });
});

function batchOf(seed: number) {
  const items = [40, 17, 60, 5].map((length, source) => {
    const tokens = Array.from({ length }, (_, i) => (seed + i * 7 + source * 31) % 300);
    return { tokens, weights: tokens.map((_, i) => (i % 5) / 4), source };
  });
  return pack(items, shape)[0]!;
}

async function train(device: Device, kind: AdapterKind, steps: number) {
  const trainer = await openTrainer(device, tiny.model, kind);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = batchOf(step % 3);
    losses.push((await trainer.accumulate(batch, batch.totalWeight)).loss);
    await trainer.takeStep(3e-3);
  }
  const batch = batchOf(0);
  const { perToken } = await trainer.measure(batch);
  // What is said of tokens without weight is left open.
  const measured = perToken.filter((_, i) => batch.weights[i] !== 0);
  const state = await trainer.state();
  await trainer.close();
  return { losses, state, measured };
}

describe('training', () => {
  test.each(['lora', 'full', 'gatedMemory'] as const)('%s: losses as on the cpu within 1 %', async (kind) => {
    const [got, wanted] = await Promise.all([card, cpu].map((device) => train(device, kind, 8)));
    got!.losses.forEach((loss, i) => {
      expect(Math.abs(loss / wanted!.losses[i]! - 1)).toBeLessThan(0.01);
    });
    if (kind !== 'gatedMemory') expect(got!.losses[6]!).toBeLessThan(got!.losses[0]! - 0.05);
    expect(deviation('cuda', got!.measured, wanted!.measured)).toBeLessThan(0.02);
  });

  test('the same steps give the same adapter, bit for bit', async () => {
    const first = await train(card, 'lora', 3);
    expect((await train(card, 'lora', 3)).state).toEqual(first.state);
  });

  test('two batches add up to the gradient of both', async () => {
    const trainer = await openTrainer(card, tiny.model, 'lora');
    const [one, other] = [batchOf(1), batchOf(2)];
    const total = one.totalWeight + other.totalWeight;
    await trainer.accumulate(one, total);
    await trainer.accumulate(other, total);
    const norm = await trainer.takeStep(1e-3);
    await trainer.close();
    const onCpu = await openTrainer(cpu, tiny.model, 'lora');
    await onCpu.accumulate(one, total);
    await onCpu.accumulate(other, total);
    expect(Math.abs(norm / (await onCpu.takeStep(1e-3)) - 1)).toBeLessThan(0.02);
    await onCpu.close();
  });

  test('a closed trainer and a closed decoder leave no tensor, program or cache', async () => {
    const counted = countingDevice(card);
    const trainer = await openTrainer(counted.device, tiny.model, 'lora');
    const batch = batchOf(0);
    await trainer.accumulate(batch, batch.totalWeight);
    await trainer.takeStep(1e-3);
    const { layout, state } = newState(tiny.model, 'lora');
    const decoder = await Decoder.open(counted.device, tiny.model, { layout, vector: state.vector });
    await decoder.generate([1, 2, 3], { maxTokens: 3, sample: sampler({ temperature: 0 }), stopTokens: new Set() });
    await decoder.close();
    await trainer.close();
    expect(counted.live()).toEqual({ tensors: 0, executables: 0, caches: 0 });
  });
});

describe('answers and training share the card', () => {
  test('an answer goes before training that waits', async () => {
    const trainer = await openTrainer(card, tiny.model, 'lora');
    const batch = batchOf(0);
    await trainer.measure(batch);
    const program = { name: 'answer', outputs: { y: scale(input('x', [1]), 2) } };
    const answering = await card.compile(program, { weights: new Map() });
    const ended: string[] = [];
    const runs = Array.from({ length: 4 }, (_, i) => trainer.measure(batch).then(() => ended.push(`training ${i}`)));
    const answer = answering
      .run({ x: float32(Float32Array.of(1)) }, { priority: 'answer' })
      .then(() => ended.push('answer'));
    await Promise.all([...runs, answer]);
    expect(ended.indexOf('answer')).toBeLessThanOrEqual(1);
    expect(ended.filter((name) => name !== 'answer')).toEqual([0, 1, 2, 3].map((i) => `training ${i}`));
    await answering.release();
    await trainer.close();
  });
});

test('a loss in slices gives what it gives at once', async () => {
  const rows = 300;
  const [hidden, table] = [input('hidden', [rows, 16]), input('table', [70, 16])];
  const losses = vocabCrossEntropy(hidden, table, input('labels', [rows], 'int32'), input('weights', [rows]));
  const [ofHidden, ofTable] = grad(losses.loss, [hidden, table], scalar(1));
  const program = { name: 'loss', outputs: { ...losses, ofHidden: ofHidden!, ofTable: ofTable! } };
  const numbers = (count: number, step: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(step * i));
  const feeds = {
    hidden: float32(numbers(rows * 16, 1), [rows, 16]),
    table: float32(numbers(70 * 16, 2), [70, 16]),
    labels: int32(Int32Array.from({ length: rows }, (_, i) => (i * 7) % 70)),
    weights: float32(numbers(rows, 3)),
  };
  const sliced = openFakeCard({ logitsOfSlice: 128 * 70 });
  const [got, wanted] = await Promise.all(
    [sliced, card].map(async (device) => (await device.compile(program, { weights: new Map() })).run(feeds)),
  );
  await sliced.close();
  for (const output of Object.keys(program.outputs)) {
    expect(deviation('cuda', floats(got!.host[output]!), floats(wanted!.host[output]!)), output).toBeLessThan(1e-3);
  }
});

describe('frozen weights', () => {
  const x: HostTensor = float32(
    Float32Array.from({ length: 20 * 64 }, (_, i) => Math.sin(i)),
    [20, 64],
  );
  const name = 'model.layers.0.self_attn.q_proj.weight';
  const program = {
    name: 'product',
    outputs: {
      y: linear(input('x', [20, 64]), weight(name, [64, 64])),
      row: linear(input('one', [1, 64]), weight(name, [64, 64])),
    },
  };

  function run(device: Device, weights: TinyModel['model']['weights']): Promise<RunResult> {
    const one = float32((x.data as Float32Array).slice(0, 64), [1, 64]);
    return device.compile(program, { weights }).then((executable) => executable.run({ x, one }));
  }

  test.each(['F32', 'F16', 'BF16'] as const)('%s files are read as they are', async (dtype) => {
    const folder = join(tiny.folder, dtype);
    await makeTinyModel(folder, { dtype });
    const model = await openBaseModel(folder, { folder: '', form: 'asStored' });
    expect(model.weights.get(name)!.dtype).toBe(dtype);
    const [got, wanted] = [await run(card, model.weights), await run(cpu, tiny.model.weights)];
    expect(deviation('cuda', floats(got.host.y!), floats(wanted.host.y!))).toBeLessThan(0.01);
    expect(deviation('cuda', floats(got.host.row!), floats(wanted.host.row!))).toBeLessThan(0.01);
  });

  test.each([
    ['int8', 0.015, 0.5],
    ['int4', 0.15, 0.3],
  ] as const)('%s codes: products, a training step and an answer', async (storage, allowed, share) => {
    const device = openFakeCard({ weights: storage });
    const plain = (await card.memory()).weights;
    const [got, wanted] = [await run(device, tiny.model.weights), await run(cpu, tiny.model.weights)];
    for (const output of ['y', 'row']) {
      expect(deviation('cuda', floats(got.host[output]!), floats(wanted.host[output]!))).toBeLessThan(allowed);
    }
    const codes = (await device.memory()).weights;
    expect(codes).toBeGreaterThan(0);
    expect(codes / (64 * 64 * 2)).toBeLessThan(share + 0.1);
    expect(plain).toBeGreaterThan(codes);
    const [coded, exact] = await Promise.all([device, cpu].map((each) => train(each, 'lora', 3)));
    coded!.losses.forEach((loss, i) => {
      expect(Math.abs(loss / exact!.losses[i]! - 1)).toBeLessThan(0.03);
    });
    await device.close();
  });

  test('what is missing or lacks an op is an error with its name', async () => {
    await expect(card.compile(program, { weights: new Map() })).rejects.toThrow(`weight '${name}' is not in the model`);
    const unknown = add(input('x', [2, 2]), input('y', [2, 2]));
    const renamed = { ...unknown, node: { ...unknown.node, op: { ...unknown.node.op, name: 'fourier' } } };
    await expect(card.compile({ name: 'f', outputs: { y: renamed } }, { weights: new Map() })).rejects.toThrow(
      "the cuda backend has no op 'fourier'",
    );
    const executable = await card.compile({ name: 'g', outputs: { y: unknown } }, { weights: new Map() });
    await expect(executable.run({ x: float32(new Float32Array(4), [2, 2]) })).rejects.toThrow("wants an input 'y'");
    await expect(
      executable.run({ x: float32(new Float32Array(4), [2, 2]), y: float32(new Float32Array(4), [4, 1]) }),
    ).rejects.toThrow("input 'y' of 'g' is [4,1], and [2,2] is wanted");
    await executable.release();
  });
});
