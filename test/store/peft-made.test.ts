// Adapters that Hugging Face PEFT wrote, with the logits that it computes with them (scripts/reference/peft_adapter.py).
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { adapterLayout } from '../../native-host/model/adapter-init.ts';
import { readSafetensors, readTensor, storedTensor } from '../../native-host/model/safetensors.ts';
import { importPeft } from '../../native-host/store/peft-import.ts';
import { adaptedLogits, largestDifference } from '../../scripts/peft-check/adapted-logits.ts';
import { openReference } from '../generate/reference-decoder.ts';
import { openTestDevice } from '../runtime/devices.ts';

const rows = 2;

describe('adapters made by PEFT give its logits', () => {
  const device = openTestDevice('cpu');
  afterAll(() => device.close());

  test.each([
    ['qwen2-patterns', 'qwen2'],
    ['qwen2-rslora-one-layer', 'qwen2'],
    ['phi3-fused', 'phi3-window'],
  ])('%s', async (name, decoder) => {
    const folder = fileURLToPath(new URL(`../fixtures/reference/peft/${name}`, import.meta.url));
    const { config, weights, integers } = await openReference(decoder);
    const expectedLayout = (settings: Parameters<typeof adapterLayout>[1]) => adapterLayout(config, settings);
    const adapter = await importPeft(folder, expectedLayout, config.fusedProjections);
    const reference = await readSafetensors(`${folder}/reference.safetensors`);
    const expected = await readTensor(storedTensor(reference, 'logits'));
    const ids = integers('input_ids');
    const [length, size] = [ids.length / rows, expected.length / rows];
    for (let row = 0; row < rows; row++) {
      const text = ids.slice(row * length, (row + 1) * length);
      const theirs = expected.slice(row * size, (row + 1) * size);
      const ours = await adaptedLogits(device, { config, weights }, adapter, text);
      expect(largestDifference(ours, theirs)).toBeLessThan(1e-4);
      const base = await adaptedLogits(device, { config, weights }, null, text);
      expect(largestDifference(base, theirs)).toBeGreaterThan(0.1);
    }
  });
});

test('a difference is the largest there is, and no number counts as infinitely much', () => {
  expect(largestDifference(Float32Array.of(1, 2, 3), Float32Array.of(1, 4, 2.5))).toBe(2);
  expect(largestDifference(Float32Array.of(1, NaN, 3), Float32Array.of(1, 2, 9))).toBe(Number.POSITIVE_INFINITY);
  expect(largestDifference(Float32Array.of(1), Float32Array.of(1, 2))).toBe(Number.POSITIVE_INFINITY);
});
