import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uniformNumbers } from '../../native-host/model/random.ts';
import { countTokens } from '../../native-host/train/measure.ts';
import { batchInputs, pack, packed, type TrainingItem } from '../../native-host/train/packing.ts';
import { openTestDevice, relativeError } from '../runtime/devices.ts';
import { openTinyModel, openTrainer, shape, type TinyModel } from './tiny-training.ts';

function randomItems(count: number, vocabulary: number): TrainingItem[] {
  const uniform = uniformNumbers(7);
  return Array.from({ length: count }, (_, source) => {
    const length = 2 + Math.floor(uniform() * 40);
    const tokens = Array.from({ length }, () => Math.floor(uniform() * vocabulary));
    return { tokens, weights: tokens.map((_, i) => (i < 2 ? 0 : 1 + (i % 3))), source };
  });
}

describe('packing', () => {
  test('places items in order, each in the first row with room, and says where they are', () => {
    const item = (length: number): TrainingItem => ({
      tokens: Array.from({ length }, (_, i) => 10 + i),
      weights: Array.from({ length }, (_, i) => Number(i > 0)),
    });
    const items = [item(5), item(4), item(3), item(3), item(8)];
    const batches = pack(items, { rows: 2, length: 8 });
    expect(batches.map(({ placed }) => placed.map(({ start }) => start))).toEqual([[0, 8, 5, 12], [0]]);
    const [batch] = batches;
    expect([...batch!.sequenceIds]).toEqual([0, 0, 0, 0, 0, 2, 2, 2, 1, 1, 1, 1, 3, 3, 3, -1]);
    expect([...batch!.positions]).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 0]);
    // Each position predicts the next token of its own item; the last of an item predicts nothing.
    expect([...batch!.labels]).toEqual([11, 12, 13, 14, 0, 11, 12, 0, 11, 12, 13, 0, 11, 12, 0, 0]);
    expect([...batch!.weights]).toEqual([1, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 0]);
    expect(batch!.trainedTokens).toBe(11);
    expect(batch!.totalWeight).toBe(11);
    expect([...batchInputs(batch!, 0.5).weights!.data]).toEqual([...batch!.weights].map((weight) => weight / 2));
  });

  test('makes a batch when it is asked for one, and refuses an item longer than a row', () => {
    let taken = 0;
    function* items() {
      for (;;) {
        taken += 1;
        yield { tokens: [1, 2, 3, 4], weights: [0, 1, 1, 1] };
      }
    }
    expect(packed(items(), { rows: 2, length: 8 }).next().value?.placed.length).toBe(4);
    expect(taken).toBe(5);
    const long = { tokens: [1, 2, 3], weights: [1, 1, 1] };
    expect(() => pack([long], { rows: 1, length: 2 })).toThrow('an item of 3 tokens does not fit a row of 2');
    expect(pack([], shape)).toEqual([]);
  });
});

describe('packed rows on the device', () => {
  const device = openTestDevice();
  let tiny: TinyModel;
  beforeAll(async () => {
    tiny = await openTinyModel();
  });
  afterAll(async () => {
    await device.close();
    await tiny.remove();
  });

  test('every token has the loss that it has in a row of its own', async () => {
    const trainer = await openTrainer(device, tiny.model, 'lora');
    const items = randomItems(12, tiny.model.config.vocabSize);
    const alone = new Map<unknown, number[]>();
    for (const item of items) {
      const [batch] = pack([item], { rows: 1, length: shape.length });
      const { perToken } = await trainer.measure(batch!);
      alone.set(item.source, [...perToken.slice(0, item.tokens.length - 1)]);
    }
    let weighted = 0;
    let weight = 0;
    for (const batch of pack(items, shape)) {
      const loss = await trainer.measure(batch);
      for (const { item, start } of batch.placed) {
        const together = loss.perToken.slice(start, start + item.tokens.length - 1);
        const wanted = alone.get(item.source)!;
        const counted = item.tokens.map((_, i) => i).filter((i) => batch.weights[start + i] !== 0);
        expect(
          relativeError(
            counted.map((i) => together[i]!),
            counted.map((i) => wanted[i]!),
          ),
        ).toBeLessThan(1e-5);
        const { nll, counted: count } = countTokens(loss, batch, start, item.tokens.length);
        expect(count).toBe(counted.length);
        expect(nll).toBeCloseTo(
          counted.reduce((sum, i) => sum + wanted[i]!, 0),
          3,
        );
        for (const i of counted) weighted += batch.weights[start + i]! * wanted[i]!;
      }
      weight += batch.totalWeight;
      expect(loss.loss).toBeCloseTo(weighted / weight, 3);
      weighted = 0;
      weight = 0;
    }
    await trainer.close();
  });
});
