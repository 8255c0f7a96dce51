import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { FrozenWeights } from '../../model/coded-weights.ts';
import type {
  CompileOptions,
  Device,
  DeviceCache,
  DeviceName,
  DeviceTensor,
  Executable,
  HostTensor,
  Priority,
  Program,
  RunOptions,
  RunResult,
} from '../device.ts';
import { WorkerDevice } from '../worker-device.ts';
import type { Job, JobResult, WorkerReply, WorkerSettings } from './jobs.ts';
import { lowerProgram } from './lower.ts';
import { neededBytes } from './program-memory.ts';
import { encodeModel } from './proto.ts';

export type OnnxDeviceName = Exclude<DeviceName, 'cuda'>;

interface Queued {
  job: Job;
  resolve: (result: JobResult) => void;
  reject: (error: Error) => void;
}

/**
 * Starts the worker of an onnxruntime device. `workerFile` is the bundled worker.ts.
 * Errors: those of a run reject that run; a worker that dies rejects everything that is queued.
 */
export function openOnnxDevice(name: OnnxDeviceName, workerFile: URL, threads = availableParallelism()): Device {
  return new OnnxDevice(name, workerFile, threads);
}

class OnnxDevice extends WorkerDevice implements Device {
  private readonly worker: Worker;
  private readonly queues: Record<Priority, Queued[]> = { answer: [], training: [] };
  private running: Queued | null = null;
  private failure: Error | null = null;
  private nextExecutable = 1;

  constructor(
    readonly name: OnnxDeviceName,
    workerFile: URL,
    threads: number,
  ) {
    super();
    this.worker = new Worker(workerFile, { workerData: { device: name, threads } satisfies WorkerSettings });
    this.worker.on('message', (reply: WorkerReply) => {
      const { resolve, reject } = this.running!;
      this.running = null;
      if (reply.ok) resolve(reply.result);
      else reject(new Error(reply.message));
      this.startNext();
    });
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', () => this.fail(new Error(`the ${name} device was closed`)));
  }

  // A GPU does not tell how much memory it has; many have that of the system.
  async hasMemoryFor(programs: readonly Program[], frozen: FrozenWeights): Promise<boolean> {
    const needed = programs.reduce((sum, program) => sum + neededBytes(program, frozen), 0);
    return needed <= process.availableMemory();
  }

  async compile(program: Program, options: CompileOptions): Promise<Executable> {
    const caches = options.caches ?? [];
    const isCpu = this.name === 'cpu';
    const full = isCpu ? [] : caches.map(({ past, rows }) => [rows, past] as const);
    const generates = caches.length > 0;
    const lowering = { fullCaches: new Map(full), generates, dynamicRows: isCpu };
    const { model, weightsFolder } = lowerProgram(program, options, lowering);
    const executable = this.nextExecutable++;
    await this.submit({
      kind: 'compile',
      executable,
      model: encodeModel(model),
      weightsFolder,
      packsWeights: generates && options.coded !== undefined,
      deviceOutputs: options.deviceOutputs ?? [],
      caches: caches.map((slot) => ({ ...slot, width: program.outputs[slot.rows]!.shape[1] as number })),
    });
    return new OnnxExecutable((job, priority) => this.submit(job, priority), executable);
  }

  async truncate(cache: DeviceCache, length: number): Promise<void> {
    cache.length = (await this.submit({ kind: 'truncateCache', cache: cache.id, length }, 'answer')).cache!;
  }

  async releaseCache(cache: DeviceCache): Promise<void> {
    await this.submit({ kind: 'releaseCache', cache: cache.id }, 'answer');
  }

  async close(): Promise<void> {
    for (const queue of Object.values(this.queues)) {
      for (const { reject } of queue.splice(0)) reject(new Error(`the ${this.name} device was closed`));
    }
    if (this.failure === null) await this.submit({ kind: 'close' }, 'answer');
  }

  protected submit(job: Job, priority: Priority = 'training'): Promise<JobResult> {
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.queues[priority].push({ job, resolve, reject });
      this.startNext();
    });
  }

  private startNext(): void {
    if (this.running !== null) return;
    this.running = this.queues.answer.shift() ?? this.queues.training.shift() ?? null;
    if (this.running !== null) this.worker.postMessage(this.running.job);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.running?.reject(error);
    this.running = null;
    for (const queue of Object.values(this.queues)) for (const { reject } of queue.splice(0)) reject(error);
  }
}

class OnnxExecutable implements Executable {
  constructor(
    private readonly submit: (job: Job, priority?: Priority) => Promise<JobResult>,
    private readonly id: number,
  ) {}

  async run(inputs: Record<string, HostTensor | DeviceTensor>, options: RunOptions = {}): Promise<RunResult> {
    const given = Object.entries(inputs).map(
      ([name, tensor]) => [name, 'data' in tensor ? tensor : { tensor: tensor.id }] as const,
    );
    const { cache } = options;
    const result = await this.submit(
      { kind: 'run', executable: this.id, inputs: Object.fromEntries(given), cache: cache?.id ?? null },
      options.priority,
    );
    if (cache !== undefined) cache.length = result.cache!;
    return { host: result.host!, device: result.device!, seconds: result.seconds };
  }

  async createCache(): Promise<DeviceCache> {
    const { cache } = await this.submit({ kind: 'createCache', executable: this.id }, 'answer');
    return { id: cache!, length: 0 };
  }

  async release(): Promise<void> {
    await this.submit({ kind: 'releaseExecutable', executable: this.id });
  }
}
