import { describe, expect, test } from 'vitest';
import { uniformNumbers } from '../../../native-host/model/random.ts';
import { bootstrapDifference, bootstrapMean } from '../../../native-host/study/eval/bootstrap.ts';

describe('the bootstrap interval of a mean', () => {
  test('is that of the normal approximation where there are many values', () => {
    const right = 120;
    const count = 400;
    const values = Array.from({ length: count }, (_, i) => (i < right ? 1 : 0));
    const { mean, low, high } = bootstrapMean(values, 3);
    const error = 1.96 * Math.sqrt((0.3 * 0.7) / count);
    expect(mean).toBeCloseTo(0.3, 12);
    expect(low).toBeGreaterThan(0.3 - 1.15 * error);
    expect(low).toBeLessThan(0.3 - 0.85 * error);
    expect(high).toBeGreaterThan(0.3 + 0.85 * error);
    expect(high).toBeLessThan(0.3 + 1.15 * error);
  });

  test('holds the true mean about as often as it says', () => {
    const uniform = uniformNumbers(11);
    let held = 0;
    for (let trial = 0; trial < 200; trial++) {
      const values = Array.from({ length: 60 }, uniform);
      const { low, high } = bootstrapMean(values, trial);
      if (low <= 0.5 && 0.5 <= high) held += 1;
    }
    expect(held).toBeGreaterThan(180);
    expect(held).toBeLessThan(200);
  });

  test('is the same for the same seed, and a point where all values are equal', () => {
    const values = [1, 0, 0, 1, 1, 0.5, 0.25];
    expect(bootstrapMean(values, 5)).toEqual(bootstrapMean(values, 5));
    expect(bootstrapMean([0.5, 0.5, 0.5], 1)).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
    expect(() => bootstrapMean([], 1)).toThrow(RangeError);
  });

  test('of a difference is narrower than those of its two sides where they vary together', () => {
    const uniform = uniformNumbers(2);
    const right = Array.from({ length: 100 }, uniform);
    const left = right.map((value) => value + 0.1);
    const { mean, low, high } = bootstrapDifference(left, right, 1);
    expect(mean).toBeCloseTo(0.1, 12);
    expect(high - low).toBeLessThan(1e-12);
    expect(() => bootstrapDifference([1, 2], [1], 1)).toThrow(/paired/);
  });
});
