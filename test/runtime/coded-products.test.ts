import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeProgram } from '../../native-host/generate/program.ts';
import { dequantize } from '../../native-host/model/coded-weights.ts';
import { type BaseModel, openBaseModel } from '../../native-host/model/open-model.ts';
import { readSafetensors, readTensor, storedTensor, writeSafetensors } from '../../native-host/model/safetensors.ts';
import { type Device, int32 } from '../../native-host/runtime/device.ts';
import { pack } from '../../native-host/train/packing.ts';
import { gradientProgram } from '../../native-host/train/program.ts';
import { Trainer } from '../../native-host/train/trainer.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';
import { newState } from '../train/tiny-training.ts';
import { floats, openTestDevice, relativeError, testableDevices } from './devices.ts';

const { names, webgpuMissing } = testableDevices();
const shape = { rows: 1, length: 48 };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lift-coded-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
if (webgpuMissing !== null) test.skip(webgpuMissing, () => undefined);

describe.each(names.filter((name) => name !== 'cuda'))('%s', (deviceName) => {
  let device: Device;
  beforeAll(() => {
    device = openTestDevice(deviceName);
  });
  afterAll(() => device.close());

  describe.each(['int8', 'int4'] as const)('%s', (form) => {
    let coded: BaseModel;
    /** Another model, in float32, whose matrices are what the codes stand for. */
    let plain: BaseModel;
    beforeAll(async () => {
      const at = join(folder, `${deviceName}-${form}`);
      await makeTinyModel(join(at, 'model'), { seed: 2, config: { hidden_size: 64, intermediate_size: 96 } });
      coded = await openBaseModel(join(at, 'model'), { folder: join(at, 'cache'), form });
      plain = await unfolded(coded, join(at, 'unfolded'));
    });

    test('a training step gives the gradient of the model that the codes stand for', async () => {
      const gradients = [];
      for (const model of [coded, plain]) {
        const { layout, state } = newState(model, 'lora');
        // With both factors of LoRA, every matrix has a part in the gradient.
        state.vector.forEach((_, i) => {
          state.vector[i] = 0.05 * Math.sin(i);
        });
        const trainer = await Trainer.open(device, model, layout, state);
        const tokens = Array.from({ length: 40 }, (_, i) => (i * 37) % model.config.vocabSize);
        const [batch] = pack([{ tokens, weights: tokens.map(() => 1) }], shape);
        const { loss } = await trainer.accumulate(batch!, batch!.totalWeight);
        await trainer.takeStep(1e-3);
        gradients.push({ loss, ...(await trainer.state()) });
        await trainer.close();
      }
      const [got, wanted] = gradients;
      expect(got!.loss).toBeCloseTo(wanted!.loss, 4);
      expect(Math.max(...wanted!.first.map(Math.abs))).toBeGreaterThan(1e-6);
      expect(relativeError(got!.first, wanted!.first, 1e-9)).toBeLessThan(1e-4);
    });

    test('generating rounds, and is near the model that the codes stand for', async () => {
      const prompt = Int32Array.from({ length: 20 }, (_, i) => (i * 53) % coded.config.vocabSize);
      const logits = [];
      for (const { config, weights, coded: codes } of [coded, plain]) {
        const program = decodeProgram(config, null, 64);
        const executable = await device.compile(program, { weights, coded: codes, caches: program.caches });
        const cache = await executable.createCache();
        const positions = Int32Array.from(prompt, (_, i) => i);
        const { host } = await executable.run({ ids: int32(prompt), positions: int32(positions) }, { cache });
        logits.push(floats(host.logits!));
        await device.releaseCache(cache);
        await executable.release();
      }
      const [got, wanted] = logits;
      const norm = (numbers: Float32Array) => Math.hypot(...numbers);
      const off = norm(got!.map((value, i) => value - wanted![i]!)) / norm(wanted!);
      expect(off).toBeGreaterThan(0);
      expect(off).toBeLessThan(0.03);
    });

    test('what changes whole matrices is refused', async () => {
      const { layout } = newState(coded, 'full');
      const program = gradientProgram(coded.config, layout, shape);
      await expect(device.compile(program, { weights: coded.weights, coded: coded.coded })).rejects.toThrow(
        /'add' cannot read frozen weights in codes: use float32 weights/,
      );
    });
  });
});

async function unfolded(coded: BaseModel, to: string): Promise<BaseModel> {
  const source = await readSafetensors(join(coded.folder, 'model.safetensors'));
  const tensors = [];
  for (const name of source.entries.keys()) {
    const { dtype: _, ...stored } = storedTensor(source, name);
    const matrix = coded.coded!.get(name);
    if (matrix === undefined || coded.weights.has(name)) {
      tensors.push({ ...stored, dtype: 'F32' as const, data: await readTensor(storedTensor(source, name)) });
      continue;
    }
    const file = await readFile(matrix.file);
    const part = ({ byteOffset, byteLength }: { byteOffset: number; byteLength: number }) =>
      Uint8Array.from(file.subarray(byteOffset, byteOffset + byteLength));
    const scales = new Float32Array(part(matrix.scales).buffer);
    const data = dequantize({ codes: part(matrix.codes), scales }, matrix.bits);
    tensors.push({ ...stored, dtype: 'F32' as const, data });
  }
  await makeTinyModel(to, { seed: 2, config: { hidden_size: 64, intermediate_size: 96 } });
  await rm(join(to, 'model.safetensors'));
  await writeSafetensors(join(to, 'model.safetensors'), tensors);
  return openBaseModel(to, { folder: join(to, 'cache'), form: 'F32' });
}
