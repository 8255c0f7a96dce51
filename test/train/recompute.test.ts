// A gradient with each layer computed a second time, against the same gradient from layers that were kept.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodesInOrder } from '../../native-host/graph/value.ts';
import type { AdapterKind } from '../../native-host/model/adapter-layout.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import { type Device, float32, type Program } from '../../native-host/runtime/device.ts';
import { lowerProgram } from '../../native-host/runtime/onnx/lower.ts';
import { batchInputs, pack } from '../../native-host/train/packing.ts';
import { gradientProgram } from '../../native-host/train/program.ts';
import { Trainer } from '../../native-host/train/trainer.ts';
import { floats, openTestDevice, relativeError, testableDevices } from '../runtime/devices.ts';
import { documentTokens, newState, openTinyModel, shape, type TinyModel } from './tiny-training.ts';

let tiny: TinyModel;
beforeAll(async () => {
  tiny = await openTinyModel();
});
afterAll(() => tiny.remove());

/** Parameters far enough from the start that every gradient is there. */
function adapter(kind: AdapterKind, model = tiny.model) {
  const { layout, state } = newState(model, kind);
  const normal = normalNumbers(2);
  return { layout, vector: state.vector.map((value) => value + 0.02 * normal()) };
}

function batch() {
  const tokens = [...documentTokens(tiny.model).subarray(0, 40)];
  const item = { tokens, weights: tokens.map(() => 1) };
  return pack([item, { ...item, tokens: tokens.toReversed() }], shape)[0]!;
}

/** What a batch gives with layers kept, and with each computed again. */
function bothWays(device: Device, kind: AdapterKind, model = tiny.model) {
  const { config, weights } = model;
  const { layout, vector } = adapter(kind, model);
  return Promise.all(
    [false, true].map(async (recompute) => {
      const executable = await device.compile(gradientProgram(config, layout, shape, recompute), { weights });
      const inputs = { parameters: float32(vector), accumulated: float32(new Float32Array(layout.length)) };
      const { host } = await executable.run({ ...batchInputs(batch(), 1 / batch().totalWeight), ...inputs });
      await executable.release();
      return host;
    }),
  );
}

describe.each(testableDevices().names)('on %s', (name) => {
  const device = openTestDevice(name);
  afterAll(() => device.close());

  test.each<AdapterKind>(['lora', 'full', 'gatedMemory'])('%s: the same gradient', async (kind) => {
    const [kept, again] = await bothWays(device, kind);
    expect(Math.max(...floats(kept!.gradient!).map(Math.abs))).toBeGreaterThan(1e-3);
    expect(relativeError(floats(again!.gradient!), floats(kept!.gradient!))).toBeLessThan(
      name === 'cuda' ? 1e-3 : 1e-5,
    );
    expect(relativeError(floats(again!.loss!), floats(kept!.loss!))).toBeLessThan(1e-6);
  });
});

test.each(['phi3', 'gemma2', 'gemma3_text'] as const)('%s: the same gradient', async (modelType) => {
  const caps = { attn_logit_softcapping: 2, final_logit_softcapping: 3 };
  const config = { sliding_window: 10, ...(modelType === 'gemma2' ? caps : {}) };
  const other = await openTinyModel(1, { modelType, config });
  const device = openTestDevice();
  const [kept, again] = await bothWays(device, 'lora', other.model);
  expect(Math.max(...floats(kept!.gradient!).map(Math.abs))).toBeGreaterThan(1e-3);
  expect(relativeError(floats(again!.gradient!), floats(kept!.gradient!))).toBeLessThan(1e-5);
  await device.close();
  await other.remove();
});

test('the backend computes both passes, and makes no node of one serve the other', () => {
  const { config, weights } = tiny.model;
  const activations = (recompute: boolean) => {
    const program = gradientProgram(config, adapter('lora').layout, shape, recompute);
    return lowerProgram(program, { weights }).model.nodes.filter(({ opType }) => opType === 'QuickGelu').length;
  };
  expect(activations(false)).toBe(config.numHiddenLayers);
  expect(activations(true)).toBe(2 * config.numHiddenLayers);
});

test('a trainer recomputes where it is told to, and where memory is too short', async () => {
  const plain = openTestDevice();
  const { layout, state } = newState(tiny.model, 'lora');
  const recomputes = async (hasMemory: boolean, recompute?: boolean) => {
    const compiled: Program[] = [];
    const changes: Partial<Device> = {
      hasMemoryFor: async () => hasMemory,
      compile: (program, options) => {
        compiled.push(program);
        return plain.compile(program, options);
      },
    };
    const device = new Proxy(plain, {
      get: (target, key: keyof Device) => changes[key] ?? (target[key] as () => unknown).bind(target),
    });
    const settings = recompute === undefined ? {} : { recompute };
    const trainer = await Trainer.open(device, tiny.model, layout, state, settings);
    await trainer.accumulate(batch(), batch().totalWeight);
    await trainer.close();
    return nodesInOrder(Object.values(compiled[0]!.outputs)).some(({ op }) => op.name === 'after');
  };
  expect(await recomputes(true)).toBe(false);
  expect(await recomputes(false)).toBe(true);
  expect(await recomputes(true, true)).toBe(true);
  expect(await recomputes(false, false)).toBe(false);
  await plain.close();
});
