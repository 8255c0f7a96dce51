/** What the device's worker is asked to do, and what it answers. Sent with postMessage; typed arrays are transferred. */
import type { HostTensor } from '../device.ts';
import type { CacheJob, TensorJob, TensorReference, TensorResult } from '../worker-device.ts';

export type Job =
  | {
      kind: 'compile';
      executable: number;
      model: Uint8Array;
      weightsFolder: string | null;
      /** Weights may be laid out anew for speed, beside the mapped file. */
      packsWeights: boolean;
      deviceOutputs: readonly string[];
      caches: readonly { past: string; rows: string; width: number }[];
    }
  | { kind: 'run'; executable: number; inputs: Record<string, HostTensor | TensorReference>; cache: number | null }
  | TensorJob
  | CacheJob
  | { kind: 'close' };

export interface JobResult extends TensorResult {
  /** A cache's id after createCache, its length after run or truncateCache. */
  cache?: number;
  seconds: number;
}

export interface WorkerSettings {
  device: 'cpu' | 'webgpu';
  threads: number;
}

export type WorkerReply = { ok: true; result: JobResult } | { ok: false; message: string };
