// What goes wrong on a card, and what is left there: against the emulated driver, which is told what to do by variables.
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { scale } from '../../../native-host/graph/ops/elementwise.ts';
import { input } from '../../../native-host/graph/ops/source.ts';
import type { ModelConfig } from '../../../native-host/model/config.ts';
import { parseModelConfig } from '../../../native-host/model/config.ts';
import { CudaDevice, openCudaDevice } from '../../../native-host/runtime/cuda/cuda-device.ts';
import { Driver } from '../../../native-host/runtime/cuda/driver.ts';
import { float32 } from '../../../native-host/runtime/device.ts';
import type { WeightForm } from '../../../native-host/runtime/fitting.ts';
import {
  chooseDevice,
  type DeviceFiles,
  type DeviceRequest,
  neededBytes,
} from '../../../native-host/runtime/open-device.ts';
import { tinyConfig } from '../../fixtures/tiny-model.ts';
import { floats } from '../devices.ts';
import { fakeDriverLibrary, leftOnCard, openFakeCard, workerFile } from './fake-driver.ts';

const library = fakeDriverLibrary();
const nothing = { contexts: 0, bytes: 0, others: 0 };
const variables: string[] = [];

/** Until the end of the test. */
function tellDriver(values: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(values)) {
    process.env[name] = String(value);
    variables.push(name);
  }
}

afterEach(() => {
  for (const name of variables.splice(0)) delete process.env[name];
});

describe('a card that cannot be used says what to do', () => {
  test('no driver', () => {
    expect(() => new Driver('libcuda-that-is-nowhere.so')).toThrow(
      /there is no NVIDIA driver .* Install the NVIDIA display driver 580 or newer, or use --device webgpu or cpu/,
    );
  });

  test('a driver before 580', () => {
    tellDriver({ FAKE_CUDA_DRIVER: 12_080 });
    expect(() => new Driver(library)).toThrow('it has CUDA 12.8, and 13.0 is needed. Update the NVIDIA display driver');
  });

  test('a driver without a card', () => {
    tellDriver({ FAKE_CUDA_CARDS: 0 });
    expect(() => new Driver(library)).toThrow('no NVIDIA card was found. Use --device webgpu or cpu.');
  });

  test('a device that cannot be opened rejects every job with the reason', async () => {
    const device = openCudaDevice({ workerFile, kernelsFile: 'nowhere', driverLibrary: 'libcuda-that-is-nowhere.so' });
    await expect(device.opened).rejects.toThrow('there is no NVIDIA driver');
    await expect(device.upload(float32(Float32Array.of(1)))).rejects.toThrow('there is no NVIDIA driver');
    await device.close();
  });
});

test('a card is described', () => {
  expect(new Driver(library).cards()).toEqual([
    {
      ...{ ordinal: 0, name: 'Emulated card', capability: 90, totalBytes: 2 ** 30, multiprocessors: 2 },
      sharedBytesPerBlock: 232_448,
    },
  ]);
});

describe('memory', () => {
  test('too little of it is an error with both numbers, and the device goes on', async () => {
    tellDriver({ FAKE_CUDA_MEMORY: 8 * 2 ** 20 });
    const device = openFakeCard();
    const large = float32(new Float32Array(4 * 2 ** 20));
    await expect(device.upload(large)).rejects.toThrow(/16 MB were asked for, and \d MB of 8 MB are free/);
    const small = await device.upload(float32(Float32Array.of(1, 2)));
    expect([...floats(await device.download(small))]).toEqual([1, 2]);
    await device.close();
  });

  test('is given back: of tensors, programs and caches, and all of it at the end', async () => {
    const device = openFakeCard();
    const before = (await device.memory()).used;
    const executable = await device.compile(program(), { weights: new Map(), deviceOutputs: ['y'] });
    const tensor = await device.upload(float32(Float32Array.of(1, 2, 3)));
    const part = await device.view(tensor, 1, [2]);
    await device.release([tensor]);
    expect([...floats(await device.download(part))]).toEqual([2, 3]);
    const results = [];
    for (let i = 0; i < 3; i++) results.push((await executable.run({ x: part })).device.y!);
    expect([...floats(await device.download(results[2]!))]).toEqual([4, 6]);
    await device.release([part, ...results]);
    await executable.release();
    // What is left are the two lanes' scratch blocks.
    expect((await device.memory()).used - before).toBeLessThanOrEqual(1024);
    await device.close();
    expect(leftOnCard()).toEqual(nothing);
  });

  test('a released tensor is in use until the run that was asked for before is over', async () => {
    const device = openFakeCard();
    const executable = await device.compile(program(), { weights: new Map() });
    const tensor = await device.upload(float32(Float32Array.of(5, 6)));
    const running = executable.run({ x: tensor });
    const released = device.release([tensor]);
    expect([...floats((await running).host.y!)]).toEqual([10, 12]);
    await released;
    await expect(device.download(tensor)).rejects.toThrow('this device tensor was released');
    await expect(executable.run({ x: tensor })).rejects.toThrow('this device tensor was released');
    await device.close();
    expect(leftOnCard()).toEqual(nothing);
  });
});

describe('what ends', () => {
  test('a lost card fails what waits, says so, and leaves nothing', async () => {
    tellDriver({ FAKE_CUDA_FAIL: 'cuLaunchKernel:700:1' });
    const device = openFakeCard();
    const executable = await device.compile(program(), { weights: new Map() });
    const runs = [0, 1].map(() => executable.run({ x: float32(Float32Array.of(1, 2)) }));
    for (const run of runs)
      await expect(run).rejects.toThrow('the card stopped working: cuLaunchKernel said CUDA_ERROR_ILLEGAL');
    await expect(device.memory()).rejects.toThrow('the card stopped working');
    await device.close();
    expect(leftOnCard()).toEqual(nothing);
  });

  test('what the worker still says of other jobs after the card was lost changes nothing', async () => {
    const worker = `
      const { parentPort } = require('node:worker_threads');
      const jobs = [];
      parentPort.on('message', ({ id }) => {
        if (jobs.push(id) < 3) return;
        for (const job of jobs) parentPort.postMessage({ kind: 'error', job, message: 'lost', lost: true });
      });`;
    const device = new CudaDevice(new Worker(worker, { eval: true }), library);
    const jobs = await Promise.allSettled([0, 1, 2].map(() => device.memory()));
    expect(jobs.map((job) => job.status === 'rejected' && job.reason.message)).toEqual(['lost', 'lost', 'lost']);
    await device.close();
    await expect(device.memory()).rejects.toThrow('lost');
  });

  test('a driver that cannot run these kernels', async () => {
    tellDriver({ FAKE_CUDA_FAIL: 'cuModuleLoadData:209:1' });
    const device = openFakeCard();
    await expect(device.opened).rejects.toThrow("cannot run this build's kernels");
    await device.close();
    expect(leftOnCard()).toEqual(nothing);
  });

  test('closing settles what was asked for, fails what comes later, and can be asked for twice', async () => {
    const device = openFakeCard();
    const executable = await device.compile(program(), { weights: new Map() });
    const running = executable.run({ x: float32(Float32Array.of(1, 2)) });
    const closing = device.close();
    await expect(executable.run({ x: float32(Float32Array.of(1, 2)) })).rejects.toThrow('the cuda device was closed');
    await Promise.allSettled([running]);
    await closing;
    await device.close();
    expect(leftOnCard()).toEqual(nothing);
  });
});

describe('the choice of a device', () => {
  const config: ModelConfig = parseModelConfig(tinyConfig(), 'tiny');
  const small = { config, parameters: 150_000 };
  const files: DeviceFiles = { onnxWorker: workerFile, cudaWorker: workerFile, kernels: '', driverLibrary: library };
  const without: DeviceFiles = { ...files, driverLibrary: 'libcuda-that-is-nowhere.so' };
  const needed = (storage: 'bfloat16' | 'int4') => neededBytes(large, storage);
  const large = { config, parameters: 1_000_000_000 };
  const choose = (
    device: DeviceRequest,
    model: typeof large,
    from: DeviceFiles,
    weights: WeightForm | 'auto' = 'auto',
  ) => chooseDevice('tiny', { device, weights }, model, from, 16e9);

  test('asked for by name', () => {
    expect(choose('cpu', small, files).name).toBe('cpu');
    expect(choose('webgpu', small, without).name).toBe('webgpu');
    tellDriver({ FAKE_CUDA_MEMORY: 4 * 2 ** 30 });
    expect(choose('cuda', small, files)).toMatchObject({
      name: 'cuda',
      cuda: { ordinal: 0, weights: 'bfloat16' },
    });
    expect(() => choose('cuda', small, without)).toThrow('there is no NVIDIA driver');
  });

  test('auto takes a card that can take the model, with weights in fewer bits where it must', () => {
    expect(choose('auto', small, without)).toMatchObject({ name: 'cpu' });
    tellDriver({ FAKE_CUDA_MEMORY: needed('bfloat16') + 1 });
    expect(choose('auto', large, files).cuda).toEqual({ ordinal: 0, weights: 'bfloat16' });
    tellDriver({ FAKE_CUDA_MEMORY: needed('int4') + 1 });
    expect(choose('auto', large, files).cuda).toEqual({ ordinal: 0, weights: 'int4' });
    expect(() => choose('cuda', large, files, 'int8')).toThrow('with weights as int8');
    tellDriver({ FAKE_CUDA_MEMORY: needed('int4') - 1 });
    expect(choose('auto', large, files)).toMatchObject({ name: 'cpu', weights: 'float32' });
    expect(choose('auto', large, files, 'int8')).toMatchObject({ name: 'cpu', weights: 'int8' });
    expect(() => choose('cuda', large, files)).toThrow('take a smaller model');
  });

  test('a model that the kernels cannot compute gives webgpu, with the reason, unless cuda was asked for', () => {
    tellDriver({ FAKE_CUDA_MEMORY: 4 * 2 ** 30 });
    const sized = (headDim: number) => {
      const config = tinyConfig({ modelType: 'gemma2', config: { head_dim: headDim } });
      return { config: parseModelConfig(config, 'tiny'), parameters: 150_000 };
    };
    const reason = 'this gemma2 model has heads of 288 columns, and the kernels take up to 256';
    expect(choose('auto', sized(288), files)).toEqual({
      name: 'webgpu',
      weights: 'float32',
      cuda: null,
      reason: `${reason}: using webgpu`,
    });
    expect(() => choose('cuda', sized(288), files)).toThrow(`${reason}. Use --device webgpu or cpu.`);
    expect(choose('auto', sized(288), without).name).toBe('cpu');
    expect(choose('auto', sized(256), files).name).toBe('cuda');
  });

  test('an old driver or an old card gives webgpu, with the reason', () => {
    tellDriver({ FAKE_CUDA_CAPABILITY: 75 });
    for (const request of ['auto', 'cuda'] as const) {
      const { name, reason } = choose(request, small, files);
      expect(name).toBe('webgpu');
      expect(reason).toMatch('compute capability 7.5, and the kernels want 8.0 or newer');
    }
    tellDriver({ FAKE_CUDA_CAPABILITY: 90, FAKE_CUDA_DRIVER: 12_040 });
    expect(choose('auto', small, files)).toMatchObject({ name: 'webgpu' });
    expect(choose('cuda', small, files).reason).toMatch('Update the NVIDIA display driver to 580');
  });

  test('choosing leaves nothing on the card', () => {
    choose('auto', small, files);
    expect(leftOnCard()).toEqual(nothing);
  });
});

/** y = 2 · x for x [2] */
function program() {
  return { name: 'double', outputs: { y: scale(input('x', [2]), 2) } };
}
