// Learning from a teacher's likeliest tokens, beside labels in the same batch, against losses computed here from logits.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodesInOrder } from '../../native-host/graph/value.ts';
import type { AdapterKind } from '../../native-host/model/adapter-layout.ts';
import { frozenWeights } from '../../native-host/model/coded-weights.ts';
import { normalNumbers, uniformNumbers } from '../../native-host/model/random.ts';
import { type Device, float32, type Program } from '../../native-host/runtime/device.ts';
import { batchInputs, type PackedBatch, pack, type TrainingItem } from '../../native-host/train/packing.ts';
import { gradientProgram, logitsProgram } from '../../native-host/train/program.ts';
import { withTeacher } from '../../native-host/train/teacher.ts';
import { joinedTopTokens, type TopTokens, topCount, topTokens } from '../../native-host/train/top-tokens.ts';
import { Trainer } from '../../native-host/train/trainer.ts';
import { floats, openTestDevice, relativeError, testableDevices } from '../runtime/devices.ts';
import { newState, openTinyModel, type TinyModel } from './tiny-training.ts';

const shape = { rows: 2, length: 48 };
const device = openTestDevice();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await openTinyModel();
});
afterAll(async () => {
  await device.close();
  await tiny.remove();
});

const vocabSize = () => tiny.model.config.vocabSize;

function randomTokens(length: number, seed: number): number[] {
  const uniform = uniformNumbers(seed);
  return Array.from({ length }, () => Math.floor(uniform() * vocabSize()));
}

/** Some tokens carry loss, each of another weight. */
function labelled(length: number, seed: number): TrainingItem {
  const tokens = randomTokens(length, seed);
  return { tokens, weights: tokens.map((_, i) => (i < length / 2 ? 0 : 0.5 + (i % 3))) };
}

/** The same, learned from a teacher that nobody knows. */
function taught(length: number, seed: number): TrainingItem {
  const item = labelled(length, seed);
  const normal = normalNumbers(seed);
  const rows = item.weights.filter((weight, i) => i > 0 && weight !== 0).length;
  const logits = Float32Array.from({ length: rows * vocabSize() }, () => 2 * normal());
  return { ...item, teacher: topTokens(logits, vocabSize()) };
}

function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const highest = Math.max(...Array.from(logits));
  const sum = Array.from(logits).reduce((total, logit) => total + Math.exp(logit - highest), 0);
  return Float64Array.from(logits, (logit) => logit - highest - Math.log(sum));
}

/** Of the base: at the start an adapter changes nothing. */
async function baseLogits(batch: PackedBatch): Promise<Float64Array[]> {
  const program = await device.compile(logitsProgram(tiny.model.config, batch.shape), frozenWeights(tiny.model));
  const { ids, positions, sequenceIds } = batchInputs(batch, 1);
  const { host } = await program.run({ ids: ids!, positions: positions!, sequenceIds: sequenceIds! });
  await program.release();
  const logits = floats(host.logits!);
  return Array.from(batch.ids, (_, i) => logSoftmax(logits.subarray(i * vocabSize(), (i + 1) * vocabSize())));
}

/** Σ weights · loss over the items of a batch, token by token. */
function lossOf(batch: PackedBatch, logProbabilities: readonly Float64Array[]): number {
  let loss = 0;
  for (const { item, start } of batch.placed) {
    let row = 0;
    for (let i = 1; i < item.tokens.length; i++) {
      if (item.weights[i] === 0) continue;
      const student = logProbabilities[start + i - 1]!;
      if (item.teacher === undefined) loss -= item.weights[i]! * student[item.tokens[i]!]!;
      for (let k = 0; item.teacher !== undefined && k < topCount; k++) {
        const at = row * topCount + k;
        const log = item.teacher.logProbabilities[at]!;
        loss += item.weights[i]! * Math.exp(log) * (log - student[item.teacher.ids[at]!]!);
      }
      row += 1;
    }
  }
  return loss;
}

const mixedItems = () => [labelled(20, 1), taught(30, 2), taught(12, 3), labelled(17, 4)];

test('the likeliest tokens are those of a sorted softmax', () => {
  const normal = normalNumbers(7);
  const logits = Float32Array.from({ length: 3 * 50 }, () => 3 * normal());
  const { ids, logProbabilities } = topTokens(logits, 50);
  for (let row = 0; row < 3; row++) {
    const all = logSoftmax(logits.subarray(row * 50, (row + 1) * 50));
    const sorted = Array.from(all, (log, id) => ({ log, id })).sort((a, b) => b.log - a.log || a.id - b.id);
    const wanted = sorted.slice(0, topCount);
    const of = (values: ArrayLike<number>) => Array.from(values).slice(row * topCount, (row + 1) * topCount);
    expect(of(ids)).toEqual(wanted.map(({ id }) => id));
    expect(
      relativeError(
        of(logProbabilities),
        wanted.map(({ log }) => log),
      ),
    ).toBeLessThan(1e-6);
  }
  expect(topTokens(new Float32Array(25), 25).ids).toEqual(Uint32Array.from({ length: topCount }, (_, i) => i));
  expect(() => topTokens(new Float32Array(60), 50)).toThrow('60 logits are not those of some positions with 50');
  expect(() => topTokens(new Float32Array(5), 5)).toThrow(RangeError);
});

describe('a batch of labels and teachers', () => {
  test('has both kinds of positions, each where it belongs', () => {
    const [batch] = pack(mixedItems(), shape);
    const { weights, taught: positions, placed, trainedTokens, totalWeight } = batch!;
    expect(placed).toHaveLength(4);
    for (const [i, weight] of weights.entries()) if (weight !== 0) expect(positions!.weights[i]).toBe(0);
    const both = [...weights, ...positions!.weights].filter((weight) => weight !== 0);
    expect(both).toHaveLength(trainedTokens);
    expect(both.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(totalWeight, 4);
    expect(pack([labelled(20, 1)], shape)[0]!.taught).toBeNull();
  });

  test('refuses a teacher of another length', () => {
    const { teacher, ...item } = taught(20, 1);
    const shorter: TopTokens = { ids: teacher!.ids.slice(topCount), logProbabilities: teacher!.logProbabilities };
    expect(() => pack([{ ...item, teacher: shorter }], shape)).toThrow('a teacher of 9 positions for 10 tokens');
  });

  test.each(testableDevices().names)('on %s: has the loss that its items have token by token', async (name) => {
    const [batch] = pack(mixedItems(), shape);
    const { layout, state } = newState(tiny.model, 'lora');
    const other = openTestDevice(name);
    const trainer = await Trainer.open(other, tiny.model, layout, state);
    const wanted = lossOf(batch!, await baseLogits(batch!)) / batch!.totalWeight;
    const allowed = name === 'cuda' ? 1e-2 : 1e-4;
    const { loss } = await trainer.accumulate(batch!, batch!.totalWeight);
    expect(relativeError([loss], [wanted])).toBeLessThan(allowed);
    expect(relativeError([(await trainer.measure(batch!)).loss], [wanted])).toBeLessThan(allowed);
    await trainer.takeStep(1e-3);
    await trainer.close();
    await other.close();
  });

  test.each<AdapterKind>(['lora', 'full', 'gatedMemory'])('%s: has the gradient of that loss', async (kind) => {
    const { layout, state } = newState(tiny.model, kind);
    const normal = normalNumbers(2);
    const vector = state.vector.map((value) => value + 0.02 * normal());
    const [batch] = pack(mixedItems(), shape);
    const gradient = await gradientOf(layout, vector, batch!);
    // Along the gradient itself the loss changes most, so that rounding matters least.
    const norm = Math.hypot(...gradient);
    const step = 0.02;
    const lossAt = async (distance: number) => {
      const moved = vector.map((value, i) => value + (distance * gradient[i]!) / norm);
      const trainer = await Trainer.open(device, tiny.model, layout, { ...state, vector: moved });
      const { loss } = await trainer.measure(batch!);
      await trainer.close();
      return loss;
    };
    const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    expect(slope / norm).toBeGreaterThan(0.98);
    expect(slope / norm).toBeLessThan(1.02);
  });

  test('has the gradient of its labels and that of its teachers, added', async () => {
    const { layout, state } = newState(tiny.model, 'lora');
    const normal = normalNumbers(3);
    const vector = state.vector.map((value) => value + 0.02 * normal());
    const items = mixedItems();
    const whole = pack(items, shape)[0]!;
    const gradient = await gradientOf(layout, vector, whole, 1);
    const [labels, teachers] = [
      items.filter(({ teacher }) => teacher === undefined),
      items.filter(({ teacher }) => teacher !== undefined),
    ];
    const one = await gradientOf(layout, vector, pack(labels, shape)[0]!, 1);
    const other = await gradientOf(layout, vector, pack(teachers, shape)[0]!, 1);
    expect(
      relativeError(
        gradient,
        one.map((value, i) => value + other[i]!),
      ),
    ).toBeLessThan(1e-4);
  });
});

async function gradientOf(
  layout: Trainer['layout'],
  vector: Float32Array,
  batch: PackedBatch,
  factor = 1 / batch.totalWeight,
): Promise<Float32Array> {
  const program = gradientProgram(tiny.model.config, layout, batch.shape, false, batch.taught !== null);
  const executable = await device.compile(program, frozenWeights(tiny.model));
  const inputs = { parameters: float32(vector), accumulated: float32(new Float32Array(layout.length)) };
  const { host } = await executable.run({ ...batchInputs(batch, factor), ...inputs });
  await executable.release();
  return floats(host.gradient!);
}

test('who has no teacher does not pay for one', async () => {
  const compiled: Program[] = [];
  const noting: Device = new Proxy(device, {
    get: (target, key: keyof Device) => {
      if (key !== 'compile') return (target[key] as () => unknown).bind(target);
      return (program: Program, options: Parameters<Device['compile']>[1]) => {
        compiled.push(program);
        return target.compile(program, options);
      };
    },
  });
  const { layout, state } = newState(tiny.model, 'lora');
  const trainer = await Trainer.open(noting, tiny.model, layout, state);
  for (const items of [[labelled(20, 1)], [taught(20, 1)], [labelled(20, 2)]]) {
    const [batch] = pack(items, shape);
    await trainer.accumulate(batch!, batch!.totalWeight);
  }
  await trainer.close();
  const distils = compiled.map(({ outputs }) =>
    nodesInOrder(Object.values(outputs)).some(({ op }) => op.name === 'vocabDistillation'),
  );
  expect(distils).toEqual([false, true]);
});

test('the base teaches what it finds likely in each text, whatever is packed beside it', async () => {
  const items = [labelled(10, 1), labelled(30, 2), labelled(15, 3)];
  const together = await withTeacher(device, tiny.model, items, 32);
  expect(together.map(({ tokens }) => tokens)).toEqual(items.map(({ tokens }) => tokens));
  for (const [i, item] of items.entries()) {
    const [batch] = pack([item], { rows: 1, length: item.tokens.length });
    const logits = await baseLogits(batch!);
    const rows = logits.filter((_, position) => batch!.weights[position] !== 0);
    const wanted = joinedTopTokens(rows.map((row) => topTokens(Float32Array.from(row), vocabSize())));
    const { teacher } = together[i]!;
    expect(relativeError(teacher!.logProbabilities, wanted.logProbabilities)).toBeLessThan(1e-4);
    expect(pack([together[i]!], shape)[0]!.trainedTokens).toBe(rows.length);
  }
  const stopped = await withTeacher(device, tiny.model, items, 32, { aborted: true });
  expect(stopped).toEqual([]);
});
