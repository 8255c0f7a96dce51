import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { add, sigmoid } from '../../native-host/graph/ops/elementwise.ts';
import { input, weight } from '../../native-host/graph/ops/source.ts';
import { adapterLayout } from '../../native-host/model/adapter-init.ts';
import { parseModelConfig } from '../../native-host/model/config.ts';
import { neededBytes, peakBytes } from '../../native-host/runtime/onnx/program-memory.ts';
import { gradientProgram } from '../../native-host/train/program.ts';
import { tinyConfig } from '../fixtures/tiny-model.ts';
import { openTestDevice } from './devices.ts';

const device = openTestDevice();
afterAll(() => device.close());
afterEach(() => {
  vi.restoreAllMocks();
});

/** A matrix of 4,000 bytes, and what is made of it. */
const matrix = () => input('x', [10, 100]);

const noWeights = { weights: new Map() };

test('a value is held from where it is computed to its last use', () => {
  const first = sigmoid(matrix());
  const second = sigmoid(first);
  const third = sigmoid(second);
  expect(peakBytes({ name: 'chain', outputs: { third } })).toBe(8000);
  expect(peakBytes({ name: 'kept', outputs: { sum: add(third, first) } })).toBe(12_000);
  expect(peakBytes({ name: 'out', outputs: { third, first } })).toBe(12_000);
});

test('frozen weights count when a run is asked for, and inputs do not', () => {
  const sum = (right: ReturnType<typeof matrix>) => ({ name: 'sum', outputs: { sum: add(matrix(), right) } });
  const frozen = weight('w', [10, 100]);
  expect(neededBytes(sum(frozen)) - neededBytes(sum(input('y', [10, 100])))).toBe(4000);
});

test('matrices in codes count as such, and the largest once more unfolded', () => {
  const program = { name: 'sum', outputs: { sum: add(matrix(), weight('w', [10, 100])) } };
  const place = (byteLength: number) => ({ byteOffset: 0, byteLength });
  const matrices = { shape: [10, 100] as const, bits: 8 as const, file: '', codes: place(1000), scales: place(125) };
  const coded = new Map([['w', matrices]]);
  const saved = neededBytes(program) - neededBytes(program, { ...noWeights, coded });
  expect(saved).toBeCloseTo(4000 - 1125 - 1.2 * 4000, 6);
});

test('recomputation saves the most where there are many layers', () => {
  const saved = [2, 8].map((layers) => {
    const config = parseModelConfig(tinyConfig({ config: { num_hidden_layers: layers } }), 'tiny');
    const layout = adapterLayout(config, { kind: 'lora', rank: 4, alpha: 8 });
    const [kept, recomputed] = [false, true].map((recompute) =>
      peakBytes(gradientProgram(config, layout, { rows: 2, length: 64 }, recompute)),
    );
    return recomputed! / kept!;
  });
  expect(saved[1]!).toBeLessThan(0.5);
  expect(saved[1]!).toBeLessThan(saved[0]!);
});

test('a device has memory for programs whose sum fits into what is available', async () => {
  const program = { name: 'sum', outputs: { sum: add(matrix(), weight('w', [10, 100])) } };
  const needed = 2 * neededBytes(program);
  const available = vi.spyOn(process, 'availableMemory');
  available.mockReturnValue(needed);
  expect(await device.hasMemoryFor!([program, program], noWeights)).toBe(true);
  available.mockReturnValue(needed - 1);
  expect(await device.hasMemoryFor!([program, program], noWeights)).toBe(false);
});
