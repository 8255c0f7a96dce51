import { afterAll, beforeAll, expect, test } from 'vitest';
import { RecallMeter } from '../../native-host/study/recall-meter.ts';
import type { Measurable } from '../../native-host/train/measure.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { openTinyModel, type TinyModel } from '../train/tiny-training.ts';

let tiny: TinyModel;
beforeAll(async () => {
  tiny = await openTinyModel();
});
afterAll(() => tiny.remove());

const never = { aborted: false };
const recipe = recipeFor(1e6, 512);

/** Predicts this share of all tokens right, evenly; counts what it is asked. */
class EvenModel implements Measurable {
  asked = 0;

  constructor(private readonly share: number) {}

  async measure(batch: Parameters<Measurable['measure']>[0]) {
    let owed = 0;
    const correct = batch.weights.map((weight) => {
      if (weight === 0) return 0;
      this.asked += 1;
      owed += this.share;
      if (owed < 1) return 0;
      owed -= 1;
      return 1;
    });
    return { loss: 1, perToken: batch.weights.map(() => 1), correct };
  }
}

/** Documents of so many tokens. */
function meterOf(sizes: Record<string, number>) {
  const tokens = new Map(Object.entries(sizes).map(([path, size]) => [path, new Uint32Array(size).fill(40)]));
  return new RecallMeter(tiny.model, { tokens }, recipe, 1);
}

test('what was measured whole counts so; all else as before, corrected by what a sample shows', async () => {
  const sizes = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`old${i}`, 5000]));
  const meter = meterOf({ ...sizes, edited: 1000, unknown: 4000 });
  const priors = new Map(Object.keys(sizes).map((path) => [path, 0.9]));
  const model = new EvenModel(0.8);
  await meter.measureWhole(model, ['edited'], 7, never);
  expect(model.asked).toBeLessThanOrEqual(1000);
  const share = await meter.measureSample(model, Object.keys(sizes), 10_000, priors, never);
  expect(share).toBeCloseTo(0.8, 1);
  // Not the hundred thousand that there are.
  expect(model.asked).toBeLessThan(12_000);
  const counts = meter.counts(priors, 7);
  expect(counts.get('edited')!.correct / counts.get('edited')!.counted).toBeCloseTo(0.8, 1);
  expect(counts.get('old3')!.correct / counts.get('old3')!.counted).toBeCloseTo(0.8, 1);
  expect(counts.get('unknown')).toMatchObject({ correct: 0 });
  // Without a sample it is what was known.
  expect(meterOf(sizes).counts(priors, 7).get('old3')!.correct).toBeCloseTo(0.9 * counts.get('old3')!.counted);
});

test('a stop keeps the documents that were measured whole, and no parts', async () => {
  const meter = meterOf({ first: 500, second: 5000, third: 500 });
  const model = new EvenModel(0.5);
  const stop = {
    get aborted() {
      return model.asked > 1500;
    },
  };
  await meter.measureWhole(model, ['first', 'second', 'third'], 3, stop);
  const counts = meter.counts(new Map([['second', 1]]), 3);
  expect(counts.get('first')!.correct / counts.get('first')!.counted).toBeCloseTo(0.5, 1);
  expect(counts.get('second')!.correct).toBe(counts.get('second')!.counted);
  expect(counts.get('third')!.correct).toBe(0);
  expect(meter.isMeasuredAt(3)).toBe(false);
});

test('no document is said to be known better than whole', async () => {
  const meter = meterOf({ low: 3000, high: 3000 });
  const priors = new Map([
    ['low', 0.1],
    ['high', 0.9],
  ]);
  await meter.measureSample(new EvenModel(0.8), ['low'], 3000, priors, never);
  const { correct, counted } = meter.counts(priors, 1).get('high')!;
  expect(correct).toBe(counted);
});

test('two models are compared on the same text', async () => {
  const meter = meterOf({ a: 9000, b: 9000 });
  const better = await meter.compare(new EvenModel(0.6), ['a', 'b'], 2000, never);
  const worse = await meter.compare(new EvenModel(0.5), ['a', 'b'], 2000, never);
  expect(better).toBeGreaterThan(worse);
  expect(await meter.compare(new EvenModel(0.6), ['a', 'b'], 2000, never)).toBe(better);
});
