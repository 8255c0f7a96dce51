/**
 * The thread that owns a device: compiled programs, tensors that stay on the device, and caches. It does one job at a
 * time, because a run of onnxruntime blocks its thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import type { HostTensor } from '../device.ts';
import type { DeviceTensorDescription } from '../worker-device.ts';
import { CpuCache, type KeyValueCache, TensorCache } from './cache.ts';
import { GpuReader } from './gpu-reader.ts';
import type { Job, JobResult, WorkerReply, WorkerSettings } from './jobs.ts';

interface Loaded {
  session: ort.InferenceSession;
  deviceOutputs: ReadonlySet<string>;
  caches: readonly { past: string; rows: string; width: number }[];
}

const { device, threads } = workerData as WorkerSettings;
const executables = new Map<number, Loaded>();
const tensors = new Map<number, ort.Tensor>();
const caches = new Map<number, KeyValueCache>();
const reader = new GpuReader(device);
let nextId = 1;

const port = parentPort!;
port.on('message', async (job: Job) => {
  const started = performance.now();
  let reply: WorkerReply;
  try {
    const result = await perform(job);
    reply = { ok: true, result: { ...result, seconds: (performance.now() - started) / 1000 } };
  } catch (error) {
    reply = { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(reply);
  // The process may only end a worker that is idle, so the worker ends itself.
  if (job.kind === 'close') port.close();
});

async function perform(job: Job): Promise<Omit<JobResult, 'seconds'>> {
  switch (job.kind) {
    case 'compile':
      executables.set(job.executable, await compile(job));
      return {};
    case 'run':
      return run(job);
    case 'upload':
      return { device: { tensor: keep(toOrt(job.tensor)) } };
    case 'view': {
      const data = tensorOf(job.tensor).data as Float32Array;
      const size = job.shape.reduce((product, dimension) => product * dimension, 1);
      return { device: { tensor: keep(new ort.Tensor(data.subarray(job.offset, job.offset + size), job.shape)) } };
    }
    case 'download': {
      const tensor = tensorOf(job.tensor);
      const data = (await reader.read(tensor)).slice();
      return { host: { tensor: { dtype: tensor.type as HostTensor['dtype'], shape: tensor.dims, data } } };
    }
    case 'releaseTensors':
      for (const id of job.tensors) {
        tensors.get(id)?.dispose();
        tensors.delete(id);
      }
      return {};
    case 'releaseExecutable':
      await executables.get(job.executable)?.session.release();
      executables.delete(job.executable);
      return {};
    case 'createCache': {
      const widths = executableOf(job.executable).caches.map(({ width }) => width);
      const id = nextId++;
      caches.set(id, device === 'cpu' ? new CpuCache(widths) : new TensorCache(widths, reader));
      return { cache: id };
    }
    case 'truncateCache':
      await cacheOf(job.cache).truncate(job.length);
      return { cache: job.length };
    case 'releaseCache':
      cacheOf(job.cache).dispose();
      caches.delete(job.cache);
      return {};
    case 'close':
      for (const { session } of executables.values()) await session.release();
      await reader.close();
      return {};
  }
}

async function compile(job: Extract<Job, { kind: 'compile' }>): Promise<Loaded> {
  const onDevice = device === 'cpu' ? [] : [...job.deviceOutputs, ...job.caches.map(({ rows }) => rows)];
  const session = await ort.InferenceSession.create(job.model, {
    executionProviders: [device],
    intraOpNumThreads: threads,
    // The lowering already makes equal nodes once; what onnxruntime's own passes would add costs seconds at load.
    graphOptimizationLevel: 'basic',
    // Planned memory is one block beside what the first run, which is not planned, took: as much again, and no faster.
    enableMemPattern: false,
    ...(onDevice.length > 0
      ? { preferredOutputLocation: Object.fromEntries(onDevice.map((name) => [name, 'gpu-buffer' as const])) }
      : {}),
    logSeverityLevel: 3,
    extra: {
      session: {
        // Without packed copies the frozen weights stay memory-mapped: one copy, however many programs use them. Products
        // with codes are slow without; theirs are small.
        disable_prepacking: job.packsWeights ? '0' : '1',
        ...(job.weightsFolder === null ? {} : { model_external_initializers_file_folder_path: job.weightsFolder }),
      },
    },
  });
  return { session, deviceOutputs: new Set(job.deviceOutputs), caches: job.caches };
}

async function run(job: Extract<Job, { kind: 'run' }>): Promise<Omit<JobResult, 'seconds'>> {
  const loaded = executableOf(job.executable);
  const feeds: Record<string, ort.Tensor> = {};
  for (const [name, given] of Object.entries(job.inputs)) {
    feeds[name] = 'tensor' in given ? tensorOf(given.tensor) : toOrt(given);
  }
  const cache = job.cache === null ? null : cacheOf(job.cache);
  if (cache !== null) {
    const past = cache.tensors();
    loaded.caches.forEach((slot, i) => {
      feeds[slot.past] = past[i]!;
    });
  }
  const outputs = await loaded.session.run(feeds);
  const host: Record<string, HostTensor> = {};
  const deviceTensors: Record<string, DeviceTensorDescription> = {};
  const cacheRows = new Set(loaded.caches.map(({ rows }) => rows));
  for (const [name, tensor] of Object.entries(outputs)) {
    if (cacheRows.has(name)) continue;
    if (loaded.deviceOutputs.has(name)) deviceTensors[name] = keep(tensor);
    else
      host[name] = { dtype: tensor.type as HostTensor['dtype'], shape: tensor.dims, data: tensor.data as Float32Array };
  }
  if (cache === null) return { host, device: deviceTensors };
  cache.append(loaded.caches.map(({ rows }) => outputs[rows]!));
  return { host, device: deviceTensors, cache: cache.length };
}

function keep(tensor: ort.Tensor): DeviceTensorDescription {
  const id = nextId++;
  tensors.set(id, tensor);
  return { id, dtype: tensor.type as HostTensor['dtype'], shape: tensor.dims };
}

function toOrt({ dtype, shape, data }: HostTensor): ort.Tensor {
  return new ort.Tensor(dtype, data, shape);
}

function tensorOf(id: number): ort.Tensor {
  const tensor = tensors.get(id);
  if (tensor === undefined) throw new Error('this device tensor was released');
  return tensor;
}

function executableOf(id: number): Loaded {
  const executable = executables.get(id);
  if (executable === undefined) throw new Error('this program was released');
  return executable;
}

function cacheOf(id: number): KeyValueCache {
  const cache = caches.get(id);
  if (cache === undefined) throw new Error('this cache was released');
  return cache;
}
