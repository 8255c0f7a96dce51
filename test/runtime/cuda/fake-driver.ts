/** A card that every machine has: the driver's library over the kernels' emulator, compiled here and kept in .cache. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import {
  type CudaDevice,
  type CudaDeviceOptions,
  openCudaDevice,
} from '../../../native-host/runtime/cuda/cuda-device.ts';
import { emulatedLibrary } from './kernels/emulated-kernels.ts';

const source = fileURLToPath(new URL('../../fixtures/cuda/fake-libcuda.cpp', import.meta.url));
export const workerFile = new URL('../../../dist/cuda-worker.js', import.meta.url);

/** Compiles the driver's library where that has not been done yet; returns its file. */
export function fakeDriverLibrary(): string {
  const kernels = emulatedLibrary();
  const hash = createHash('sha256').update(readFileSync(source)).update(kernels).digest('hex').slice(0, 16);
  const library = path.join(path.dirname(kernels), `libcuda-${hash}.so`);
  if (existsSync(library)) return library;
  const unfinished = `${library}.${process.pid}`;
  const flags = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-o', unfinished];
  execFileSync('g++', [...flags, source, kernels, `-Wl,-rpath,${path.dirname(kernels)}`], { stdio: 'inherit' });
  renameSync(unfinished, library);
  return library;
}

/** Opens the emulated card, with the worker that `npm run build` bundled. */
export function openFakeCard(options: Pick<CudaDeviceOptions, 'weights' | 'logitsOfSlice'> = {}): CudaDevice {
  if (!existsSync(workerFile)) throw new Error('dist/cuda-worker.js is missing: run `npm run build` first');
  // The emulated driver does not look into the kernels' file.
  return openCudaDevice({ workerFile, kernelsFile: source, driverLibrary: fakeDriverLibrary(), ...options });
}

/** What is on the emulated card: contexts, bytes of memory, and streams, events, graphs, modules and pinned ranges. */
export function leftOnCard(): { contexts: number; bytes: number; others: number } {
  const counts = new BigUint64Array(3);
  koffi.load(fakeDriverLibrary()).func('void fakeCudaLeft(void *counts)')(counts);
  return { contexts: Number(counts[0]), bytes: Number(counts[1]), others: Number(counts[2]) };
}
