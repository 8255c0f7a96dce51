/** What devices that compute in a worker have in common: the jobs that move tensors to them, on them and from them. */
import type { DeviceTensor, HostTensor } from './device.ts';

/** A tensor that is on the device. */
export interface TensorReference {
  tensor: number;
}

export interface DeviceTensorDescription {
  id: number;
  dtype: HostTensor['dtype'];
  shape: readonly number[];
}

export type TensorJob =
  | { kind: 'upload'; tensor: HostTensor }
  | { kind: 'view'; tensor: number; offset: number; shape: readonly number[] }
  | { kind: 'download'; tensor: number }
  | { kind: 'releaseTensors'; tensors: readonly number[] };

/** Of executables and the caches that belong to them. */
export type CacheJob =
  | { kind: 'releaseExecutable'; executable: number }
  | { kind: 'createCache'; executable: number }
  | { kind: 'truncateCache'; cache: number; length: number }
  | { kind: 'releaseCache'; cache: number };

export interface TensorResult {
  host?: Record<string, HostTensor>;
  device?: Record<string, DeviceTensorDescription>;
}

export abstract class WorkerDevice {
  protected abstract submit(job: TensorJob): Promise<TensorResult>;

  async upload(tensor: HostTensor): Promise<DeviceTensor> {
    return (await this.submit({ kind: 'upload', tensor })).device!.tensor!;
  }

  async view(tensor: DeviceTensor, offset: number, shape: readonly number[]): Promise<DeviceTensor> {
    return (await this.submit({ kind: 'view', tensor: tensor.id, offset, shape })).device!.tensor!;
  }

  async download(tensor: DeviceTensor): Promise<HostTensor> {
    return (await this.submit({ kind: 'download', tensor: tensor.id })).host!.tensor!;
  }

  async release(tensors: readonly DeviceTensor[]): Promise<void> {
    await this.submit({ kind: 'releaseTensors', tensors: tensors.map(({ id }) => id) });
  }
}
