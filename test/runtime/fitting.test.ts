import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { assertFits, MemoryError, machineMemory, neededMemory } from '../../native-host/runtime/fitting.ts';

test('what fits goes through, and what does not is told what would', () => {
  expect(() => assertFits('small', 135e6, 'absorbing', 4e9)).not.toThrow();
  expect(() => assertFits('large', 8e9, 'answering', 16e9)).toThrow(MemoryError);
  expect(() => assertFits('large', 8e9, 'answering', 16e9)).toThrow(
    /large has 8,000 million parameters; answering .* about 33\.9 GB .* has 16\.0 GB.*at most 3,326 million/,
  );
});

test('a model that the advice names fits', () => {
  for (const memory of [2e9, 8e9, 64e9]) {
    let advice = '';
    try {
      assertFits('any', 1e12, 'absorbing', memory);
    } catch (error) {
      advice = (error as Error).message;
    }
    const [, most] = /at most ([\d,]+) million/.exec(advice)!;
    expect(() => assertFits('advised', 1e6 * Number(most!.replaceAll(',', '')), 'absorbing', memory)).not.toThrow();
  }
});

test('answering takes less than absorbing, and that less than absorbing without recomputation', () => {
  for (const parameters of [4e6, 500e6, 8e9]) {
    const [answering, absorbing, fast] = (['answering', 'absorbing', 'absorbingFast'] as const).map((use) =>
      neededMemory(parameters, use),
    );
    expect(answering).toBeLessThan(absorbing!);
    expect(absorbing).toBeLessThan(fast!);
    // Nothing is smaller than the weights.
    expect(answering).toBeGreaterThan(4 * parameters);
  }
});

test('the memory of the machine or of less', () => {
  expect(machineMemory()).toBeGreaterThan(0);
  expect(machineMemory()).toBeLessThanOrEqual(totalmem());
});
