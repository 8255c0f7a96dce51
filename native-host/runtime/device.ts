/** What a backend offers. Training and generating reach hardware through this and nothing else. */
import type { DType, Value } from '../graph/value.ts';
import type { FrozenWeights } from '../model/coded-weights.ts';

/** A graph with names for what goes in (its `input` values) and what comes out. */
export interface Program {
  name: string;
  outputs: Record<string, Value>;
}

/** With where each frozen weight of the program lies, by name; all F32 or in codes, all in one folder. */
export interface CompileOptions extends FrozenWeights {
  /** Outputs that stay on the device; run() returns handles for them. */
  deviceOutputs?: readonly string[];
  /** Key/value caches: at each run the rows of output `rows` [n, C] are appended to what input `past` [t, C] sees. */
  caches?: readonly { past: string; rows: string }[];
}

export interface HostTensor {
  dtype: DType;
  shape: readonly number[];
  data: Float32Array | Int32Array;
}

/** A tensor that lives on the device until released. */
export interface DeviceTensor {
  readonly id: number;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Cached keys and values of one conversation; holds `length` positions. */
export interface DeviceCache {
  readonly id: number;
  length: number;
}

/** Answers go before training: a queued 'answer' run starts before any queued 'training' run. */
export type Priority = 'answer' | 'training';

export interface RunOptions {
  priority?: Priority;
  cache?: DeviceCache;
}

export interface RunResult {
  host: Record<string, HostTensor>;
  device: Record<string, DeviceTensor>;
  /** Seconds that the device was busy with this run. */
  seconds: number;
}

export interface Executable {
  run(inputs: Record<string, HostTensor | DeviceTensor>, options?: RunOptions): Promise<RunResult>;
  /** An empty cache for this program. Errors: Error where the program has no caches. */
  createCache(): Promise<DeviceCache>;
  /** Only after the tensors and caches that it made: a GPU's memory belongs to the program that it was allocated for. */
  release(): Promise<void>;
}

export type DeviceName = 'cpu' | 'webgpu' | 'cuda';

export interface Device {
  readonly name: DeviceName;
  /**
   * Whether programs that are not compiled yet, frozen weights and all, will find the memory that they take when they
   * run. Absent where a backend cannot tell.
   */
  hasMemoryFor?(programs: readonly Program[], frozen: FrozenWeights): Promise<boolean>;
  compile(program: Program, options: CompileOptions): Promise<Executable>;
  upload(tensor: HostTensor): Promise<DeviceTensor>;
  /** `count` floats from `offset` of an uploaded vector, as a tensor of its own that shares its memory where it can. */
  view(tensor: DeviceTensor, offset: number, shape: readonly number[]): Promise<DeviceTensor>;
  download(tensor: DeviceTensor): Promise<HostTensor>;
  release(tensors: readonly DeviceTensor[]): Promise<void>;
  /** Forgets all but the first `length` positions. */
  truncate(cache: DeviceCache, length: number): Promise<void>;
  releaseCache(cache: DeviceCache): Promise<void>;
  /** Ends the worker once it is idle; what is still queued fails. */
  close(): Promise<void>;
}

export function float32(data: Float32Array, shape: readonly number[] = [data.length]): HostTensor {
  return { dtype: 'float32', shape, data };
}

export function int32(data: Int32Array, shape: readonly number[] = [data.length]): HostTensor {
  return { dtype: 'int32', shape, data };
}
