/**
 * NVIDIA's driver called from TypeScript: contexts, memory, kernels, streams, events and graphs. Every return code is
 * checked. Device addresses are plain numbers (they lie below 2^53). Source: the CUDA driver API's reference.
 */
import koffi from 'koffi';
import {
  CudaUnavailableError,
  callError,
  notReadyCode,
  outOfMemoryCode,
  outOfMemoryError,
  updateAdvice,
} from './driver-error.ts';
import { type DriverCall, type DriverCalls, loadDriverLibrary } from './driver-library.ts';

/** CUDA 13.0, whose nvcc made the kernels; display drivers from 580 on have it. */
const oldestDriver = 13_000;

const noCard = 100;
const streamNonBlocking = 1;
const captureThreadLocal = 1;
const attributes = { multiprocessors: 16, major: 75, minor: 76, sharedBytesPerBlock: 97 };
const maxDynamicSharedSize = 8;
/** Up to here a kernel gets shared memory without being asked to raise its limit. */
const plainSharedBytes = 48 * 1024;
const registerMemory = 0;

export interface Card {
  ordinal: number;
  name: string;
  /** Compute capability times ten: 80 for 8.0. */
  capability: number;
  totalBytes: number;
  multiprocessors: number;
  /** Most shared memory that one block may have. */
  sharedBytesPerBlock: number;
}

export type KernelArgument = { address: number } | { int: number } | { float: number };

export interface Launch {
  function: number;
  grid: readonly [number, number, number];
  block: number;
  sharedBytes: number;
  arguments: readonly KernelArgument[];
}

const mostArguments = 64;

export class Driver {
  private readonly calls: DriverCalls;
  // One slot of eight bytes for each argument, and the addresses of the slots. Both are large enough to lie outside V8's
  // movable heap.
  private readonly slots = new DataView(new ArrayBuffer(8 * mostArguments));
  private readonly slotAddresses = new BigUint64Array(mostArguments);

  /** Errors: CudaUnavailableError where there is no driver or one that is too old. */
  constructor(library?: string) {
    this.calls = loadDriverLibrary(library);
    const code = this.calls.cuInit(0);
    if (code !== 0) {
      if (code === noCard) throw new CudaUnavailableError('no NVIDIA card was found. Use --device webgpu or cpu.');
      throw new CudaUnavailableError(`the NVIDIA driver does not start: ${this.describe(code)}. ${updateAdvice}`);
    }
    const version = this.get('cuDriverGetVersion');
    if (version < oldestDriver) {
      const text = (number: number) => `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;
      throw new CudaUnavailableError(
        `the NVIDIA driver is too old: it has CUDA ${text(version)}, and ${text(oldestDriver)} is needed. ${updateAdvice}`,
        true,
      );
    }
    const slotsAddress = koffi.address(this.slots.buffer);
    for (let i = 0; i < mostArguments; i++) this.slotAddresses[i] = slotsAddress + BigInt(8 * i);
  }

  cards(): Card[] {
    return Array.from({ length: this.get('cuDeviceGetCount') }, (_, ordinal) => {
      const device = this.get('cuDeviceGet', ordinal);
      const attribute = (which: keyof typeof attributes) => this.get('cuDeviceGetAttribute', attributes[which], device);
      const name = new Uint8Array(256);
      this.check('cuDeviceGetName', this.calls.cuDeviceGetName(name, name.length, device));
      return {
        ordinal,
        name: Buffer.from(name.subarray(0, name.indexOf(0))).toString('utf8'),
        capability: 10 * attribute('major') + attribute('minor'),
        totalBytes: this.get('cuDeviceTotalMem_v2', device),
        multiprocessors: attribute('multiprocessors'),
        sharedBytesPerBlock: attribute('sharedBytesPerBlock'),
      };
    });
  }

  /** Bytes that are free on a card. */
  freeMemoryOf(ordinal: number): number {
    const context = this.createContext(ordinal);
    try {
      return this.memory().free;
    } finally {
      this.destroyContext(context);
    }
  }

  /** A context of its own, so that destroying it frees whatever its thread left. It becomes the thread's current one. */
  createContext(ordinal: number): number {
    return this.get('cuCtxCreate_v2', 0, this.get('cuDeviceGet', ordinal));
  }

  /** Frees everything that was made in the context. */
  destroyContext(context: number): void {
    this.call('cuCtxDestroy_v2', context);
  }

  useContext(context: number): void {
    this.call('cuCtxSetCurrent', context);
  }

  loadModule(image: Uint8Array): number {
    return this.get('cuModuleLoadData', image);
  }

  unloadModule(module: number): void {
    this.call('cuModuleUnload', module);
  }

  /** A kernel by its name; `sharedBytes` is the most that it will be launched with. */
  kernel(module: number, name: string, sharedBytes: number): number {
    const found = this.out('cuModuleGetFunction', 1, module, name)[0]!;
    if (sharedBytes > plainSharedBytes) this.call('cuFuncSetAttribute', found, maxDynamicSharedSize, sharedBytes);
    return found;
  }

  memory(): { free: number; total: number } {
    const [free, total] = this.out('cuMemGetInfo_v2', 2);
    return { free: free!, total: total! };
  }

  /** Errors: CudaError with how much was asked for and how much is free. */
  allocate(bytes: number): number {
    const result = [null];
    const code = this.calls.cuMemAlloc_v2(result, bytes);
    if (code === outOfMemoryCode) {
      const { free, total } = this.memory();
      throw outOfMemoryError(bytes, free, total);
    }
    this.check('cuMemAlloc_v2', code);
    return Number(result[0]);
  }

  free(address: number): void {
    this.call('cuMemFree_v2', address);
  }

  /** Pins host memory that V8 owns, so that copies from it run beside other work; false where the system refuses. */
  pin(memory: Uint8Array): boolean {
    return this.calls.cuMemHostRegister_v2(memory, memory.byteLength, registerMemory) === 0;
  }

  unpin(memory: Uint8Array): void {
    this.call('cuMemHostUnregister', memory);
  }

  /** Pinned source: it may be changed only when the stream has come past this. Other source: at once. */
  copyToDevice(target: number, source: ArrayBufferView, stream: number): void {
    if (source.byteLength > 0) this.call('cuMemcpyHtoDAsync_v2', target, source, source.byteLength, stream);
  }

  /** Returns when the data are there. */
  copyToHost(target: ArrayBufferView, source: number, stream: number): void {
    if (target.byteLength === 0) return;
    this.call('cuMemcpyDtoHAsync_v2', target, source, target.byteLength, stream);
    this.synchronize(stream);
  }

  copyOnDevice(target: number, source: number, bytes: number, stream: number): void {
    if (bytes > 0) this.call('cuMemcpyDtoDAsync_v2', target, source, bytes, stream);
  }

  fillWithZeros(target: number, bytes: number, stream: number): void {
    if (bytes > 0) this.call('cuMemsetD8Async', target, 0, bytes, stream);
  }

  /** `urgent` work starts before other work that waits for the card's processors. */
  createStream(urgent: boolean): number {
    const [least, greatest] = this.out('cuCtxGetStreamPriorityRange', 2);
    return this.get('cuStreamCreateWithPriority', streamNonBlocking, urgent ? greatest : least);
  }

  destroyStream(stream: number): void {
    this.call('cuStreamDestroy_v2', stream);
  }

  synchronize(stream: number): void {
    this.call('cuStreamSynchronize', stream);
  }

  launch({ function: kernel, grid, block, sharedBytes, arguments: given }: Launch, stream: number): void {
    given.forEach((argument, i) => {
      if ('address' in argument) {
        this.slots.setUint32(8 * i, argument.address >>> 0, true);
        this.slots.setUint32(8 * i + 4, Math.floor(argument.address / 2 ** 32), true);
      } else if ('int' in argument) this.slots.setInt32(8 * i, argument.int, true);
      else this.slots.setFloat32(8 * i, argument.float, true);
    });
    const [x, y, z] = grid;
    this.call('cuLaunchKernel', kernel, x, y, z, block, 1, 1, sharedBytes, stream, this.slotAddresses, null);
  }

  /** What `record` asks of the stream, as a graph that can be launched again and again. */
  capture(stream: number, record: () => void): number {
    this.call('cuStreamBeginCapture_v2', stream, captureThreadLocal);
    let graph: number | null = null;
    try {
      record();
    } finally {
      // After a failed call the capture is void, and ending it says so; the first error is the one to tell.
      const ended = [null];
      const code = this.calls.cuStreamEndCapture(stream, ended);
      if (code === 0) graph = Number(ended[0]);
    }
    if (graph === null) throw callError('cuStreamEndCapture', 901, 'that the capture is void');
    try {
      return this.get('cuGraphInstantiateWithFlags', graph, 0);
    } finally {
      this.call('cuGraphDestroy', graph);
    }
  }

  launchGraph(executable: number, stream: number): void {
    this.call('cuGraphLaunch', executable, stream);
  }

  destroyGraph(executable: number): void {
    this.call('cuGraphExecDestroy', executable);
  }

  createEvent(): number {
    return this.get('cuEventCreate', 0);
  }

  destroyEvent(event: number): void {
    this.call('cuEventDestroy_v2', event);
  }

  record(event: number, stream: number): void {
    this.call('cuEventRecord', event, stream);
  }

  /** Whether the stream has come past the event. */
  hasPassed(event: number): boolean {
    const code = this.calls.cuEventQuery(event);
    if (code === notReadyCode) return false;
    this.check('cuEventQuery', code);
    return true;
  }

  waitFor(event: number): void {
    this.call('cuEventSynchronize', event);
  }

  secondsBetween(start: number, end: number): number {
    return this.get('cuEventElapsedTime', start, end) / 1000;
  }

  /** A call whose first argument is a number that it gives. */
  private get(name: DriverCall, ...rest: unknown[]): number {
    return this.out(name, 1, ...rest)[0]!;
  }

  private out(name: DriverCall, count: number, ...rest: unknown[]): number[] {
    const results = Array.from({ length: count }, () => [null]);
    this.call(name, ...results, ...rest);
    return results.map(([value]) => Number(value));
  }

  private call(name: DriverCall, ...given: unknown[]): void {
    this.check(name, this.calls[name](...given));
  }

  private check(name: DriverCall, code: number): void {
    if (code !== 0) throw callError(name.replace(/_v\d$/, ''), code, this.describe(code));
  }

  private describe(code: number): string {
    const name = [null];
    const text = [null];
    const known = this.calls.cuGetErrorName(code, name) === 0 && this.calls.cuGetErrorString(code, text) === 0;
    return known ? `${name[0]} (${code}: ${text[0]})` : `error ${code}`;
  }
}
