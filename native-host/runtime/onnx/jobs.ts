/** What the device's worker is asked to do, and what it answers. Sent with postMessage; typed arrays are transferred. */
import type { HostTensor } from '../device.ts';

export interface TensorReference {
  tensor: number;
}

export type Job =
  | {
      kind: 'compile';
      executable: number;
      model: Uint8Array;
      weightsFolder: string | null;
      deviceOutputs: readonly string[];
      caches: readonly { past: string; rows: string; width: number }[];
    }
  | { kind: 'run'; executable: number; inputs: Record<string, HostTensor | TensorReference>; cache: number | null }
  | { kind: 'upload'; tensor: HostTensor }
  | { kind: 'view'; tensor: number; offset: number; shape: readonly number[] }
  | { kind: 'download'; tensor: number }
  | { kind: 'releaseTensors'; tensors: readonly number[] }
  | { kind: 'releaseExecutable'; executable: number }
  | { kind: 'createCache'; executable: number }
  | { kind: 'truncateCache'; cache: number; length: number }
  | { kind: 'releaseCache'; cache: number }
  | { kind: 'close' };

export interface DeviceTensorDescription {
  id: number;
  dtype: HostTensor['dtype'];
  shape: readonly number[];
}

export interface JobResult {
  host?: Record<string, HostTensor>;
  device?: Record<string, DeviceTensorDescription>;
  /** A cache's id after createCache, its length after run or truncateCache. */
  cache?: number;
  seconds: number;
}

export interface WorkerSettings {
  device: 'cpu' | 'webgpu';
  threads: number;
}

export type WorkerReply = { ok: true; result: JobResult } | { ok: false; message: string };
