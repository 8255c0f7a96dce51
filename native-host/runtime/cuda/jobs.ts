/** What the card's worker is asked to do, and what it answers. Sent with postMessage; replies name the job by its number. */
import type { StoredTensor } from '../../model/safetensors.ts';
import type { HostTensor, Priority } from '../device.ts';
import type { CacheJob, TensorJob, TensorReference, TensorResult } from '../worker-device.ts';
import type { PortableProgram } from './portable-graph.ts';

export type Job =
  | {
      kind: 'compile';
      program: PortableProgram;
      /** Of the program's weights. */
      weights: ReadonlyMap<string, StoredTensor>;
      deviceOutputs: readonly string[];
      caches: readonly { past: string; rows: string }[];
    }
  | {
      kind: 'run';
      executable: number;
      inputs: Record<string, HostTensor | TensorReference>;
      cache: number | null;
      priority: Priority;
    }
  | TensorJob
  | CacheJob
  | { kind: 'memory' }
  /** Whether there is memory for programs that are not compiled yet. */
  | { kind: 'fits'; programs: readonly { program: PortableProgram; deviceOutputs: readonly string[] }[] }
  | { kind: 'close' };

/** Bytes of the card's memory. */
export interface MemoryUse {
  /** Of it, how much is free for anyone, and how much there is. */
  free: number;
  total: number;
  /** Taken by this device, frozen weights included. */
  used: number;
  weights: number;
}

export interface JobResult extends TensorResult {
  executable?: number;
  /** A cache's id after createCache, its length after run or truncateCache. */
  cache?: number;
  memory?: MemoryUse;
  fits?: boolean;
  /** Of a run, on the card; of another job, in the worker. */
  seconds: number;
}

/** How frozen matrices are kept on the card. */
export type WeightStorage = 'bfloat16' | 'int8' | 'int4';

export interface WorkerSettings {
  /** Which card. */
  ordinal: number;
  /** The driver's library, where it is not the system's. */
  driverLibrary: string | null;
  /** The file of the kernels. */
  kernels: string;
  weights: WeightStorage;
  logitsOfSlice: number;
}

export type WorkerMessage =
  /** The first: the context, so that it can be destroyed if the worker ends without doing so. */
  | { kind: 'ready'; context: number }
  | { kind: 'failed'; message: string }
  | { kind: 'reply'; job: number; result: JobResult }
  /** `lost`: nothing that is on the card can be used any more. */
  | { kind: 'error'; job: number; message: string; lost: boolean };
