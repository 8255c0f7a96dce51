/** The interface of a device over the worker that owns an NVIDIA card. */
import { Worker } from 'node:worker_threads';
import type {
  CompileOptions,
  Device,
  DeviceCache,
  DeviceTensor,
  Executable,
  HostTensor,
  Program,
  RunOptions,
  RunResult,
} from '../device.ts';
import { WorkerDevice } from '../worker-device.ts';
import { Driver } from './driver.ts';
import type { Job, JobResult, MemoryUse, WeightStorage, WorkerMessage, WorkerSettings } from './jobs.ts';
import { portableProgram } from './portable-graph.ts';

export interface CudaDeviceOptions {
  /** The bundled worker.ts. */
  workerFile: URL;
  /** The file of the kernels for all cards. */
  kernelsFile: string;
  /** Which card; the first without it. */
  ordinal?: number;
  /** How frozen matrices are kept: bfloat16 without it. */
  weights?: WeightStorage;
  /** How many logits a loss computes at once, 2 bytes each: 160 Mi without it. A slice reads the whole embedding. */
  logitsOfSlice?: number;
  /** The driver's library, where it is not the system's. */
  driverLibrary?: string;
}

interface Pending {
  resolve: (result: JobResult) => void;
  reject: (error: Error) => void;
}

/**
 * Opens a card. Frozen weights may be F32, F16 or BF16, in any files. Runs of answers and of training go on side by side,
 * answers first. Errors, as the rejection of `opened` and of every job: no driver, an old one, no card, no such kernels.
 */
export function openCudaDevice(options: CudaDeviceOptions): CudaDevice {
  const settings: WorkerSettings = {
    ordinal: options.ordinal ?? 0,
    driverLibrary: options.driverLibrary ?? null,
    kernels: options.kernelsFile,
    weights: options.weights ?? 'bfloat16',
    logitsOfSlice: options.logitsOfSlice ?? 160 * 2 ** 20,
  };
  return new CudaDevice(new Worker(options.workerFile, { workerData: settings }), options.driverLibrary);
}

export class CudaDevice extends WorkerDevice implements Device {
  readonly name = 'cuda';
  /** Rejected where the card cannot be used. */
  readonly opened: Promise<void>;
  private readonly pending = new Map<number, Pending>();
  private context: number | null = null;
  private failure: Error | null = null;
  private hasClosed = false;
  private nextJob = 1;
  private readonly ended: Promise<void>;

  constructor(
    private readonly worker: Worker,
    private readonly driverLibrary: string | undefined,
  ) {
    super();
    this.opened = new Promise((resolve, reject) => {
      worker.on('message', (message: WorkerMessage) => {
        if (message.kind === 'ready') {
          this.context = message.context;
          resolve();
        } else if (message.kind === 'failed') {
          this.fail(new Error(message.message));
          reject(this.failure);
        } else this.receive(message);
      });
      worker.on('error', (error) => {
        this.fail(error);
        reject(error);
      });
      worker.on('exit', () => reject(new Error('the worker of the cuda device ended')));
    });
    // Who does not wait for it hears of it from the first job.
    this.opened.catch(() => {});
    this.ended = new Promise((resolve) => {
      worker.on('exit', () => {
        this.fail(new Error('the cuda device was closed'));
        this.freeWhatIsLeft();
        resolve();
      });
    });
  }

  async compile(program: Program, options: CompileOptions): Promise<Executable> {
    const portable = portableProgram(program);
    const names = new Set(portable.nodes.filter(({ op }) => op === 'weight').map(({ attributes }) => attributes.name));
    const { executable } = await this.submit({
      kind: 'compile',
      program: portable,
      weights: new Map([...options.weights].filter(([name]) => names.has(name))),
      deviceOutputs: options.deviceOutputs ?? [],
      caches: options.caches ?? [],
    });
    return new CudaExecutable((job) => this.submit(job), executable!);
  }

  async truncate(cache: DeviceCache, length: number): Promise<void> {
    cache.length = (await this.submit({ kind: 'truncateCache', cache: cache.id, length })).cache!;
  }

  async releaseCache(cache: DeviceCache): Promise<void> {
    await this.submit({ kind: 'releaseCache', cache: cache.id });
  }

  /** Whether programs that are not compiled yet, frozen weights and all, will find the memory that they take when they run. */
  async hasMemoryFor(programs: readonly Program[]): Promise<boolean> {
    const portable = programs.map((program) => ({
      program: portableProgram(program),
      // Whatever is as large as a vector of parameters stays on the card.
      deviceOutputs: Object.keys(program.outputs).filter((name) => program.outputs[name]!.shape.length > 0),
    }));
    return (await this.submit({ kind: 'fits', programs: portable })).fits!;
  }

  async memory(): Promise<MemoryUse> {
    return (await this.submit({ kind: 'memory' })).memory!;
  }

  async close(): Promise<void> {
    if (this.failure === null && !this.hasClosed) {
      this.hasClosed = true;
      await this.submit({ kind: 'close' });
    }
    await this.ended;
  }

  protected submit(job: Job): Promise<JobResult> {
    if (this.failure !== null) return Promise.reject(this.failure);
    if (this.hasClosed && job.kind !== 'close') return Promise.reject(new Error('the cuda device was closed'));
    const id = this.nextJob++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.worker.postMessage({ id, job });
    });
  }

  private receive(message: Extract<WorkerMessage, { job: number }>): void {
    const asked = this.pending.get(message.job);
    // What the worker says after the card was lost: every job has been failed with that.
    if (asked === undefined) return;
    this.pending.delete(message.job);
    if (message.kind === 'reply') {
      asked.resolve(message.result);
      return;
    }
    const error = new Error(message.message);
    asked.reject(error);
    // Every tensor and program went with the card.
    if (message.lost) {
      this.fail(error);
      void this.worker.terminate();
    }
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.pending.values()) reject(this.failure);
    this.pending.clear();
  }

  /** A worker that ended without being asked to leaves its context, and with it all that it had on the card. */
  private freeWhatIsLeft(): void {
    if (this.hasClosed || this.context === null) return;
    try {
      new Driver(this.driverLibrary).destroyContext(this.context);
    } catch {
      // The context of a lost card may not be there any more.
    }
  }
}

class CudaExecutable implements Executable {
  constructor(
    private readonly submit: (job: Job) => Promise<JobResult>,
    private readonly id: number,
  ) {}

  async run(inputs: Record<string, HostTensor | DeviceTensor>, options: RunOptions = {}): Promise<RunResult> {
    const given = Object.entries(inputs).map(
      ([name, tensor]) => [name, 'data' in tensor ? tensor : { tensor: tensor.id }] as const,
    );
    const { cache, priority = 'training' } = options;
    const job = {
      kind: 'run',
      executable: this.id,
      inputs: Object.fromEntries(given),
      cache: cache?.id ?? null,
      priority,
    } as const;
    const result = await this.submit(job);
    if (cache !== undefined) cache.length = result.cache!;
    return { host: result.host!, device: result.device!, seconds: result.seconds };
  }

  async createCache(): Promise<DeviceCache> {
    return { id: (await this.submit({ kind: 'createCache', executable: this.id })).cache!, length: 0 };
  }

  async release(): Promise<void> {
    await this.submit({ kind: 'releaseExecutable', executable: this.id });
  }
}
