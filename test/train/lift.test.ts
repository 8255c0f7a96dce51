import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { scale } from '../../native-host/graph/ops/elementwise.ts';
import type { OptimizerSettings } from '../../native-host/graph/ops/optimizer.ts';
import { input } from '../../native-host/graph/ops/source.ts';
import { PauseSwitch } from '../../native-host/pause-switch.ts';
import { float32 } from '../../native-host/runtime/device.ts';
import { type LiftBudget, type LiftProgress, lift } from '../../native-host/train/lift.ts';
import { pack, type TrainingItem } from '../../native-host/train/packing.ts';
import { openTestDevice, relativeError, testableDevices } from '../runtime/devices.ts';
import { countingDevice } from './counting-device.ts';
import {
  control,
  curriculumOf,
  lessonsFor,
  muon,
  openTinyModel,
  openTrainer,
  recallOf,
  settings,
  shape,
  type TinyModel,
} from './tiny-training.ts';

const forEpochs = (epochs: number): LiftBudget => ({
  epochs,
  minutes: Number.POSITIVE_INFINITY,
  smallestGain: -1,
  enough: 2,
});

const device = openTestDevice();
let tiny: TinyModel;
beforeAll(async () => {
  tiny = await openTinyModel();
});
afterAll(async () => {
  await device.close();
  await tiny.remove();
});

/** Trains from the start and returns what came out. */
async function trained(epochs: number, seed = 1, optimizer?: OptimizerSettings) {
  const trainer = await openTrainer(device, tiny.model, 'full', undefined, optimizer);
  const noted = control();
  const curriculum = curriculumOf(lessonsFor(tiny.model));
  const result = await lift(trainer, curriculum, { ...settings, seed }, forEpochs(epochs), noted);
  const state = await trainer.state();
  await trainer.close();
  return { result, state, positions: noted.positions };
}

describe('what training does', () => {
  test.each([
    ['lora', 30, 0.5],
    ['full', 20, 0.8],
    ['gatedMemory', 30, 0.01],
    ['lora', 20, 0.5, muon],
    ['full', 10, 0.8, muon],
  ] as const)('%s: the loss falls and more of the text is predicted', async (kind, epochs, gain, optimizer?) => {
    const trainer = await openTrainer(device, tiny.model, kind, undefined, optimizer);
    const before = await recallOf(trainer, tiny.model);
    const losses: number[] = [];
    const onProgress = ({ loss }: LiftProgress) => losses.push(loss);
    const curriculum = curriculumOf(lessonsFor(tiny.model));
    await lift(trainer, curriculum, settings, forEpochs(epochs), control({ onProgress }));
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.3);
    expect((await recallOf(trainer, tiny.model)) - before).toBeGreaterThan(gain);
    await trainer.close();
  });

  test('the same seed gives the same vector, bit for bit; another seed another', async () => {
    const first = await trained(3);
    const again = await trained(3);
    expect(again.state).toEqual(first.state);
    expect(again.positions.map(({ seconds: _, ...rest }) => rest)).toEqual(
      first.positions.map(({ seconds: _, ...rest }) => rest),
    );
    expect((await trained(3, 2)).state.vector).not.toEqual(first.state.vector);
  });

  test('the gradients of two half batches are the gradient of the whole', async () => {
    const items: TrainingItem[] = [8, 30, 5, 21].map((length, source) => {
      const tokens = Array.from({ length }, (_, i) => (i * 7 + source * 31) % 300);
      return { tokens, weights: tokens.map((_, i) => (i % 4) / 2), source };
    });
    const states = [];
    for (const parts of [[items], [items.slice(0, 2), items.slice(2)]]) {
      const trainer = await openTrainer(device, tiny.model, 'lora');
      const batches = parts.flatMap((part) => pack(part, shape));
      const total = batches.reduce((sum, { totalWeight }) => sum + totalWeight, 0);
      let loss = 0;
      for (const batch of batches) loss += (await trainer.accumulate(batch, total)).loss * (batch.totalWeight / total);
      const norm = await trainer.takeStep(1e-2);
      states.push({ ...(await trainer.state()), loss, norm });
      await trainer.close();
    }
    expect(states[1]!.loss).toBeCloseTo(states[0]!.loss, 5);
    expect(states[1]!.norm).toBeCloseTo(states[0]!.norm, 5);
    expect(relativeError(states[1]!.first, states[0]!.first, 1e-6)).toBeLessThan(1e-4);
    expect(relativeError(states[1]!.second!, states[0]!.second!, 1e-9)).toBeLessThan(1e-4);
  });

  test.each(
    testableDevices()
      .names.slice(1)
      .flatMap((name) => [[name] as const, [name, muon] as const]),
  )('on %s it gives nearly what it gives on the cpu', async (name, optimizer?) => {
    const other = openTestDevice(name);
    const states = [];
    for (const each of [device, other]) {
      const trainer = await openTrainer(each, tiny.model, 'lora', undefined, optimizer);
      const curriculum = curriculumOf(lessonsFor(tiny.model));
      await lift(trainer, curriculum, { ...settings, learningRate: 1e-3 }, forEpochs(1), control());
      states.push(await trainer.state());
      await trainer.close();
    }
    await other.close();
    expect(states[1]!.step).toBe(states[0]!.step);
    expect(relativeError(states[1]!.vector, states[0]!.vector)).toBeLessThan(1e-2);
  });
});

describe('when training ends', () => {
  test('after its epochs', async () => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const epochs: number[] = [];
    const kinds = new Set<string>();
    let measured = 0;
    const { end, position } = await lift(
      trainer,
      curriculumOf(lessonsFor(tiny.model)),
      settings,
      forEpochs(4),
      control({
        onProgress: ({ epoch }) => epochs.push(epoch),
        onTrained: ({ kind }, { counted }) => {
          kinds.add(kind);
          expect(counted).toBeGreaterThan(0);
        },
        measureRecall: async () => ++measured / 10,
      }),
    );
    expect(end).toBe('budget');
    expect(position).toMatchObject({ epoch: 4, batch: 0, recall: 0.4 });
    expect([...new Set(epochs)]).toEqual([0, 1, 2, 3]);
    expect([...kinds].sort()).toEqual(['question', 'segment']);
    expect(epochs.length).toBe(trainer.step);
    await trainer.close();
  });

  test('when its minutes are over', async () => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const budget = { epochs: Number.POSITIVE_INFINITY, minutes: 0.5 / 60, smallestGain: -1, enough: 2 };
    const { end, position } = await lift(trainer, curriculumOf(lessonsFor(tiny.model)), settings, budget, control());
    expect(end).toBe('budget');
    expect(position.seconds).toBeGreaterThanOrEqual(0.5);
    await trainer.close();
  });

  /** Trains by a budget, with these measurements after the epochs. */
  async function measuredAs(recalls: readonly number[], budget: Partial<LiftBudget>) {
    const trainer = await openTrainer(device, tiny.model, 'full');
    let measured = 0;
    const measureRecall = async () => recalls[measured++]!;
    const curriculum = curriculumOf(lessonsFor(tiny.model));
    const whole = { ...forEpochs(recalls.length), ...budget };
    const { end, position } = await lift(trainer, curriculum, settings, whole, control({ measureRecall }));
    await trainer.close();
    return { end, measured, recall: position.recall };
  }

  test('when another epoch gains too little, but not the first; or when it is enough', async () => {
    const recalls = [0.001, 0.2, 0.5, 0.501, 0.9];
    expect(await measuredAs(recalls, { smallestGain: 0.003 })).toEqual({
      end: 'saturated',
      measured: 4,
      recall: 0.501,
    });
    expect(await measuredAs(recalls, { enough: 0.5 })).toEqual({ end: 'saturated', measured: 3, recall: 0.5 });
    expect(await measuredAs(recalls, {})).toEqual({ end: 'budget', measured: 5, recall: 0.9 });
  });

  test('when most is known and the rest does not come, with patience', async () => {
    const patience = { share: 0.9, epochs: 2 };
    expect(await measuredAs([0.5, 0.5, 0.5, 0.5], { patience })).toEqual({ end: 'budget', measured: 4, recall: 0.5 });
    expect(await measuredAs([0.9, 0.9, 0.95, 0.8, 0.8, 0.95, 1], { patience })).toEqual({
      end: 'saturated',
      measured: 6,
      recall: 0.95,
    });
  });

  test.each([
    ['budget', (done: number) => done],
    ['epoch', (done: number, ofEpoch: number) => Math.max(done, ofEpoch ** 2)],
  ] as const)('the learning rate falls over the %s', async (annealing, fallen) => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const taken = vi.spyOn(trainer, 'takeStep');
    const visits = lessonsFor(tiny.model);
    const done: { of: number; epoch: number }[] = [];
    const onProgress = ({ done: of, epoch }: LiftProgress) => done.push({ of, epoch });
    const how = { ...settings, shape: { rows: 1, length: 64 }, warmUpSteps: 1, annealing };
    await lift(trainer, curriculumOf(visits), how, forEpochs(3), control({ onProgress }));
    await trainer.close();
    const wanted = done.map(({ of, epoch }) => how.learningRate * (1 - 0.9 * fallen(of, 3 * of - epoch)));
    expect(wanted.length).toBeGreaterThan(6);
    taken.mock.calls.forEach(([rate], i) => {
      expect(rate).toBeCloseTo(wanted[i]!, 8);
    });
    expect(taken).toHaveBeenCalledTimes(wanted.length);
  });

  test('at once where there is nothing to visit, whatever the budget', async () => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const budget = { epochs: Number.POSITIVE_INFINITY, minutes: 60, smallestGain: -1, enough: 2 };
    const { end, position } = await lift(trainer, curriculumOf([]), settings, budget, control());
    expect(end).toBe('saturated');
    expect(position.trainedTokens).toBe(0);
    await trainer.close();
  });
});

describe('interruptions', () => {
  test.each([undefined, muon])(
    'a cancelled training that goes on gives what an uninterrupted one gives, bit for bit',
    async (optimizer) => {
      const whole = await trained(4, 1, optimizer);
      const lessons = lessonsFor(tiny.model);
      for (const stopAfter of [1, 3, whole.state.step - 1]) {
        const first = await openTrainer(device, tiny.model, 'full', undefined, optimizer);
        const abort = new AbortController();
        let steps = 0;
        const stopping = control({
          signal: abort.signal,
          onProgress: () => {
            steps += 1;
            if (steps === stopAfter) abort.abort();
          },
        });
        const stopped = await lift(first, curriculumOf(lessons), settings, forEpochs(4), stopping);
        expect(stopped.end).toBe('cancelled');
        expect(first.step).toBe(stopAfter);
        const second = await openTrainer(device, tiny.model, 'full', await first.state(), optimizer);
        await first.close();
        const position = JSON.parse(JSON.stringify(stopped.position));
        const curriculum = curriculumOf(lessonsFor(tiny.model));
        const end = await lift(second, curriculum, settings, forEpochs(4), control(), position);
        expect(end.position.trainedTokens).toBe(whole.result.position.trainedTokens);
        expect(await second.state()).toEqual(whole.state);
        await second.close();
      }
    },
  );

  test('AdamW goes on with no training that Muon began, and Muon with one of AdamW', async () => {
    const { state: ofMuon } = await trained(1, 1, muon);
    expect(ofMuon.second).toBeNull();
    await expect(openTrainer(device, tiny.model, 'full', ofMuon)).rejects.toThrow(/another optimizer.*begin it anew/);
    const trainer = await openTrainer(device, tiny.model, 'full', (await trained(1)).state, muon);
    const lessons = curriculumOf(lessonsFor(tiny.model));
    await lift(trainer, lessons, settings, forEpochs(1), control());
    expect((await trainer.state()).second).toBeNull();
    await trainer.close();
  });

  test('Muon trains matrices alone', async () => {
    const trainer = await openTrainer(device, tiny.model, 'gatedMemory', undefined, muon);
    const lessons = curriculumOf(lessonsFor(tiny.model));
    await expect(lift(trainer, lessons, settings, forEpochs(1), control())).rejects.toThrow(/train it with AdamW/);
    await trainer.close();
  });

  test('a cancel while measuring is a cancel, and the epoch is not begun again', async () => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const abort = new AbortController();
    const measureRecall = async () => {
      abort.abort();
      return 0;
    };
    const curriculum = curriculumOf(lessonsFor(tiny.model));
    const budget = { ...forEpochs(3), smallestGain: 0.1 };
    const stopped = await lift(trainer, curriculum, settings, budget, control({ signal: abort.signal, measureRecall }));
    expect(stopped.end).toBe('cancelled');
    const steps = trainer.step;
    await lift(trainer, curriculum, settings, { ...budget, epochs: 1 }, control(), stopped.position);
    expect(trainer.step).toBe(steps);
    await trainer.close();
  });

  test('a cancel between the batches of a step takes no half step', async () => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const curriculum = curriculumOf(lessonsFor(tiny.model));
    const abort = new AbortController();
    const many = { ...settings, batchesPerStep: 1000 };
    const running = lift(
      trainer,
      { ...curriculum, epoch: () => ({ visits: many10(), inOrder: true, isWhole: true }) },
      many,
      forEpochs(1),
      {
        ...control(),
        signal: abort.signal,
      },
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    abort.abort();
    const { end, position } = await running;
    expect(end).toBe('cancelled');
    expect(trainer.step).toBe(0);
    expect(position).toMatchObject({ batch: 0, trainedTokens: 0 });
    await trainer.close();
  });

  function many10() {
    const lessons = lessonsFor(tiny.model);
    return Array.from({ length: 10_000 }, (_, i) => lessons[i % lessons.length]!);
  }

  test('a pause holds it, going on lets it go, and a paused one can be cancelled', async () => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const pause = new PauseSwitch();
    const abort = new AbortController();
    let steps = 0;
    let atPause = () => {};
    const paused = new Promise<void>((resolve) => {
      atPause = resolve;
    });
    const running = lift(
      trainer,
      curriculumOf(lessonsFor(tiny.model)),
      settings,
      forEpochs(1000),
      control({
        signal: abort.signal,
        whileRunning: () => pause.whileRunning(abort.signal),
        onProgress: () => {
          steps += 1;
          if (steps === 3 || steps === 6) {
            pause.pause();
            pause.pause();
            atPause();
          }
        },
      }),
    );
    await paused;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(steps).toBe(3);
    const again = new Promise<void>((resolve) => {
      atPause = resolve;
    });
    pause.resume();
    await again;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(steps).toBe(6);
    abort.abort();
    expect((await running).end).toBe('cancelled');
    expect(trainer.step).toBe(6);
    await trainer.close();
  });
});

describe('beside other work', () => {
  test('what answers starts before every training run that waits', async () => {
    const trainer = await openTrainer(device, tiny.model, 'full');
    const [batch] = pack([{ tokens: [1, 2, 3, 4], weights: [0, 1, 1, 1] }], shape);
    await trainer.measure(batch!);
    const answering = await device.compile(
      { name: 'answer', outputs: { y: scale(input('x', [1]), 2) } },
      { weights: new Map() },
    );
    const ended: string[] = [];
    const runs = Array.from({ length: 6 }, (_, i) => trainer.measure(batch!).then(() => ended.push(`training ${i}`)));
    const answer = answering
      .run({ x: float32(Float32Array.of(1)) }, { priority: 'answer' })
      .then(() => ended.push('answer'));
    await Promise.all([...runs, answer]);
    // One run was on its way already.
    expect(ended.indexOf('answer')).toBeLessThanOrEqual(1);
    expect(ended.filter((name) => name !== 'answer')).toEqual([0, 1, 2, 3, 4, 5].map((i) => `training ${i}`));
    await answering.release();
    await trainer.close();
  });

  test('a closed trainer leaves nothing on the device, also when a step failed', async () => {
    const counted = countingDevice(device);
    for (const fails of [false, true]) {
      const trainer = await openTrainer(counted.device, tiny.model, 'full');
      const curriculum = curriculumOf(lessonsFor(tiny.model));
      await lift(trainer, curriculum, settings, forEpochs(1), control());
      await recallOf(trainer, tiny.model);
      if (fails) {
        const state = await trainer.state();
        await trainer.close();
        const broken = await openTrainer(counted.device, tiny.model, 'full', {
          ...state,
          vector: state.vector.map(() => Number.NaN),
        });
        const training = lift(broken, curriculum, settings, forEpochs(1), control());
        await expect(training).rejects.toThrow('the gradient is not finite at step');
        await broken.close();
      } else await trainer.close();
      expect(counted.live()).toEqual({ tensors: 0, executables: 0, caches: 0 });
    }
    // The device goes on working.
    const tensor = await device.upload(float32(Float32Array.of(1)));
    await device.release([tensor]);
    await expect(device.download(tensor)).rejects.toThrow('released');
  });
});
