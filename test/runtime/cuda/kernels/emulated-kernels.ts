/**
 * The kernels compiled for the CPU, with buffers to launch them on. The library is built once for a state of the sources
 * and kept in .cache.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import {
  narrowToBfloat16,
  narrowToFloat16,
  widenBfloat16,
  widenFloat16,
} from '../../../../native-host/model/half-precision.ts';
import { normalNumbers } from '../../../../native-host/model/random.ts';
import {
  type ElementType,
  type KernelLaunch,
  type KernelName,
  kernelParameters,
  kernelTable,
} from '../../../../native-host/runtime/cuda/kernel-table.ts';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const kernelsFolder = path.join(root, 'native-host/runtime/cuda/kernels');

/** How threads and blocks are ordered, and when asynchronous copies land. What a kernel computes must not depend on it. */
export const orders = ['forward', 'backward', 'shuffled'] as const;
export type Order = (typeof orders)[number];

/** Compiles kernels for the CPU and returns the library's file. Errors: Error where g++ is missing or fails. */
export function emulatedLibrary(source = path.join(kernelsFolder, 'all.cu')): string {
  const language = [
    '-x',
    'c++',
    '-std=c++17',
    '-O2',
    '-fPIC',
    '-shared',
    '-fvisibility=hidden',
    '-fno-strict-aliasing',
  ];
  const warnings = ['-Wall', '-Werror', '-Wno-unknown-pragmas'];
  const flags = [...language, ...warnings, '-DLIFT_EMULATED', `-I${kernelsFolder}`];
  const hash = createHash('sha256').update([...flags, process.arch, source, readFileSync(source)].join(' '));
  for (const file of readdirSync(kernelsFolder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(cu|cuh|h)$/.test(file)) hash.update(file).update(readFileSync(path.join(kernelsFolder, file)));
  }
  const folder = path.join(root, '.cache/emulated-kernels');
  const library = path.join(folder, `${hash.digest('hex').slice(0, 16)}.so`);
  if (existsSync(library)) return library;
  mkdirSync(folder, { recursive: true });
  const unfinished = `${library}.${process.pid}`;
  try {
    execFileSync('g++', [...flags, '-o', unfinished, source], { stdio: 'pipe', maxBuffer: 1 << 26 });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    if (code === 'ENOENT') {
      throw new Error(
        'g++ is missing, and the kernels cannot be tested without it: `node scripts/install-test-tools.mjs`',
      );
    }
    throw new Error(`g++ could not compile the kernels:\n${stderr?.toString().slice(0, 4000)}`);
  }
  renameSync(unfinished, library);
  return library;
}

/** Memory as the kernels see it. Fresh memory is full of NaN. */
export interface EmulatedBuffer {
  address: bigint;
  bytes: number;
}

function entryPoints(libraryFile: string) {
  const library = koffi.load(libraryFile);
  return {
    launch: library.func('int emulatorLaunch(const char *, uint, uint, uint, uint, uint, uint, uint, void *)'),
    error: library.func('const char *emulatorError()'),
    kernels: library.func('const char *emulatorKernels()'),
    order: library.func('void emulatorOrder(int)'),
    allocate: library.func('uint64 emulatorAllocate(uint64)'),
    free: library.func('void emulatorFree(uint64)'),
    copyIn: library.func('void emulatorCopy(uint64, const void *, uint64)'),
    copyOut: library.func('void emulatorCopy(void *, uint64, uint64)'),
  };
}

/** What a parameter may be given: memory, none, or a number. */
type Argument = EmulatedBuffer | number | null;

export class EmulatedKernels {
  readonly #entries: ReturnType<typeof entryPoints>;
  #buffers: EmulatedBuffer[] = [];

  constructor(libraryFile = emulatedLibrary()) {
    this.#entries = entryPoints(libraryFile);
  }

  /** The registered kernels: name → a letter for each parameter. */
  signatures(): Map<string, string> {
    const lines = (this.#entries.kernels() as string).trim().split('\n');
    return new Map(lines.map((line) => line.split(' ') as [string, string]));
  }

  setOrder(order: Order): void {
    this.#entries.order(orders.indexOf(order));
  }

  /** Unwritten memory for `count` elements. */
  empty(count: number, bytesEach = 4): EmulatedBuffer {
    const bytes = count * bytesEach;
    const buffer = { address: BigInt(this.#entries.allocate(bytes) as number | bigint), bytes };
    this.#buffers.push(buffer);
    return buffer;
  }

  put(data: Uint8Array | Uint16Array | Int32Array | Float32Array): EmulatedBuffer {
    const buffer = this.empty(data.length, data.BYTES_PER_ELEMENT);
    this.#entries.copyIn(buffer.address, data, data.byteLength);
    return buffer;
  }

  putNumbers(numbers: Float32Array, type: ElementType): EmulatedBuffer {
    return this.put(encodeNumbers(numbers, type));
  }

  bytes({ address, bytes }: EmulatedBuffer): Uint8Array {
    const copy = new Uint8Array(bytes);
    this.#entries.copyOut(copy, address, bytes);
    return copy;
  }

  numbers(buffer: EmulatedBuffer, type: ElementType): Float32Array {
    return decodeNumbers(this.bytes(buffer), type);
  }

  integers(buffer: EmulatedBuffer): Int32Array {
    return new Int32Array(this.bytes(buffer).buffer);
  }

  run(launches: readonly KernelLaunch<EmulatedBuffer>[] | KernelLaunch<EmulatedBuffer>): void {
    for (const launch of [launches].flat() as KernelLaunch<EmulatedBuffer>[]) this.#run(launch);
  }

  #run({ kernel, grid, arguments: given }: KernelLaunch<EmulatedBuffer>): void {
    const { threads, sharedBytes } = kernelTable[kernel as KernelName];
    const kinds = kernelParameters(kernel).map(({ kind }) => kind);
    this.launch(kernel, { grid, threads, sharedBytes }, kinds, given);
  }

  /** A launch of a kernel of any name. Errors: Error with what the emulator found. */
  launch(
    kernel: string,
    { grid, threads, sharedBytes }: { grid: readonly number[]; threads: number; sharedBytes: number },
    kinds: readonly string[],
    given: readonly Argument[],
  ): void {
    const values = new BigInt64Array(given.length);
    const view = new DataView(values.buffer);
    given.forEach((value, i) => {
      if (kinds[i] === 'p') view.setBigInt64(i * 8, value === null ? 0n : (value as EmulatedBuffer).address, true);
      else if (kinds[i] === 'i') view.setInt32(i * 8, value as number, true);
      else view.setFloat32(i * 8, value as number, true);
    });
    const base = koffi.address(values);
    const addresses = BigInt64Array.from(given, (_, i) => base + BigInt(i * 8));
    const code = this.#entries.launch(kernel, ...grid, threads, 1, 1, sharedBytes, addresses);
    if (code !== 0) throw new Error(this.#entries.error());
  }

  freeAll(): void {
    for (const { address } of this.#buffers) this.#entries.free(address);
    this.#buffers = [];
  }
}

/** A place that a computation writes, and how to read it. */
export interface EmulatedOutput {
  buffer: EmulatedBuffer;
  type: ElementType;
}

export interface EmulatedComputation {
  launches: readonly KernelLaunch<EmulatedBuffer>[];
  outputs: Record<string, EmulatedOutput>;
}

const emulated = new EmulatedKernels();

/**
 * Builds a computation and runs it, once in each order of threads and blocks. Errors: Error where the order changes a
 * single bit of an output: then a barrier is missing, or blocks depend on each other.
 */
export function computeInEveryOrder(
  build: (memory: EmulatedKernels) => EmulatedComputation,
): Record<string, Float32Array> {
  const inOrders = orders.map((order) => {
    emulated.setOrder(order);
    const { launches, outputs } = build(emulated);
    emulated.run(launches);
    const numbers = Object.entries(outputs).map(([name, { buffer, type }]): [string, Float32Array] => [
      name,
      emulated.numbers(buffer, type),
    ]);
    emulated.freeAll();
    return Object.fromEntries(numbers);
  });
  for (const [i, other] of inOrders.entries()) {
    for (const [name, numbers] of Object.entries(other)) {
      const first = Buffer.from(inOrders[0]![name]!.buffer);
      if (!first.equals(Buffer.from(numbers.buffer))) throw new Error(`'${name}' differs when run ${orders[i]}`);
    }
  }
  return inOrders[0]!;
}

/** `count` normal numbers that the type can hold exactly. */
export function normalsOf(type: ElementType, count: number, seed: number, scale = 1): Float32Array {
  const normal = normalNumbers(seed);
  const numbers = Float32Array.from({ length: count }, () => scale * normal());
  const bits = encodeNumbers(numbers, type);
  return decodeNumbers(new Uint8Array(bits.buffer), type);
}

export function encodeNumbers(numbers: Float32Array, type: ElementType): Float32Array | Uint16Array {
  if (type === 'float32') return numbers;
  return type === 'bfloat16' ? narrowToBfloat16(numbers) : narrowToFloat16(numbers);
}

export function decodeNumbers(bytes: Uint8Array, type: ElementType): Float32Array {
  if (type === 'float32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  const numbers = new Float32Array(bits.length);
  if (type === 'bfloat16') widenBfloat16(bits, numbers);
  else widenFloat16(bits, numbers);
  return numbers;
}
