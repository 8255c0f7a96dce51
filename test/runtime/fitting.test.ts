import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { parseModelConfig } from '../../native-host/model/config.ts';
import {
  fittingForm,
  frozenBytes,
  MemoryError,
  machineMemory,
  neededMemory,
  type weightForms,
} from '../../native-host/runtime/fitting.ts';
import { tinyConfig } from '../fixtures/tiny-model.ts';

const config = { ...parseModelConfig(tinyConfig(), 'any'), vocabSize: 128_000, hiddenSize: 1024 };
const sized = (parameters: number) => ({ config, parameters });

test('what fits lies in memory as it is; what does not, in fewer bits', () => {
  const model = sized(2e9);
  const taken = (form: (typeof weightForms)[number]) => neededMemory(2e9, 'absorbing', frozenBytes(model, form));
  expect(fittingForm('any', model, 'auto', taken('float32'))).toBe('float32');
  expect(fittingForm('any', model, 'auto', taken('float32') - 1)).toBe('int8');
  expect(fittingForm('any', model, 'auto', taken('int8') - 1)).toBe('int4');
  expect(() => fittingForm('any', model, 'auto', taken('int4') - 1)).toThrow(MemoryError);
});

test('what was asked for is taken or refused', () => {
  expect(fittingForm('small', sized(135e6), 'int4', 16e9)).toBe('int4');
  expect(() => fittingForm('large', sized(8e9), 'float32', 16e9)).toThrow(
    /large has 8,000 million parameters; absorbing .* about 37\.5 GB .* as float32, .* has 16\.0 GB.* --weights int4/,
  );
});

test('a model that the advice names fits', () => {
  for (const memory of [2e9, 8e9, 64e9]) {
    let advice = '';
    try {
      fittingForm('any', sized(1e12), 'auto', memory);
    } catch (error) {
      advice = (error as Error).message;
    }
    const [, most] = /at most ([\d,]+) million/.exec(advice)!;
    const parameters = 1e6 * Number(most!.replaceAll(',', ''));
    // In the same proportions.
    const hiddenSize = Math.floor((config.hiddenSize * parameters) / 1e12);
    expect(() =>
      fittingForm('advised', { config: { ...config, hiddenSize }, parameters }, 'auto', memory),
    ).not.toThrow();
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
