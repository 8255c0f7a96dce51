/**
 * Weights on disk as a device takes them: half-precision and quantised ones are converted once into a file that later
 * starts reuse.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { narrowToBfloat16, narrowToFloat16 } from './half-precision.ts';
import {
  float32Slices,
  inspectSafetensors,
  type SafetensorsFile,
  type StoredTensor,
  storedTensor,
} from './safetensors.ts';
import { createSafetensors } from './safetensors-writer.ts';
import type { CachedDtype } from './tensor-dtype.ts';

/** A tensor of any format, to be kept as `dtype`. */
export interface ConvertibleTensor<Values extends Float32Array | Uint8Array = Float32Array> {
  name: string;
  shape: number[];
  dtype: CachedDtype;
  file: string;
  /** Whatever else says which values it has: format, place in the file. */
  origin: readonly (string | number | null)[];
  /** The values, row by row; a slice is valid until the next one is asked for. Bytes are kept as they are. */
  slices(): AsyncIterable<Values>;
}

type AnyConvertible = ConvertibleTensor<Float32Array | Uint8Array>;

/**
 * Where all tensors are F32 they stay where they are, by their real path. Otherwise all are read from `cacheFile` (see
 * convertedWeights): a program's weights have to lie in one folder.
 */
export async function convertToFloat32(
  tensors: ReadonlyMap<string, StoredTensor>,
  cacheFile: string,
): Promise<Map<string, StoredTensor>> {
  const realFiles = new Map<string, string>();
  for (const { file } of tensors.values()) if (!realFiles.has(file)) realFiles.set(file, await realpath(file));
  const real = [...tensors.values()].map((tensor) => ({ ...tensor, file: realFiles.get(tensor.file)! }));
  // A runtime that maps the file into memory needs floats that start at multiples of their size.
  const fits = real.every(({ dtype, byteOffset }) => dtype === 'F32' && byteOffset % 4 === 0);
  if (fits) return new Map(real.map((tensor) => [tensor.name, tensor]));
  return convertedWeights(real.map(asFloat32), cacheFile);
}

export function asFloat32(tensor: StoredTensor): ConvertibleTensor {
  const { dtype, byteOffset } = tensor;
  return { ...tensor, dtype: 'F32', origin: [dtype, byteOffset], slices: () => float32Slices(tensor) };
}

/**
 * The tensors in `cacheFile`, which is written first where it is missing, damaged, or made from other files. Memory stays
 * at a few megabytes.
 */
export async function convertedWeights(
  tensors: readonly ConvertibleTensor[],
  cacheFile: string,
): Promise<Map<string, StoredTensor>> {
  const cached = await cachedTensors(tensors, cacheFile);
  return new Map(tensors.map(({ name }) => [name, storedTensor(cached, name)]));
}

/** As convertedWeights, with the file itself. */
export async function cachedTensors(tensors: readonly AnyConvertible[], cacheFile: string): Promise<SafetensorsFile> {
  const origin = await originOf(tensors);
  let cache = await readCache(cacheFile, tensors, origin);
  if (cache === null) {
    await writeCache(cacheFile, tensors, origin);
    cache = await readCache(cacheFile, tensors, origin);
    if (cache === null) throw new Error(`${cacheFile} changed while it was written. Start again.`);
  }
  return { ...cache, file: await realpath(cacheFile) };
}

/** Tells a cache of other or since changed weights apart: sizes and times of the files that it was made from. */
async function originOf(tensors: readonly AnyConvertible[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...new Set(tensors.map((tensor) => tensor.file))].sort()) {
    const { size, mtimeMs } = await stat(file);
    hash.update(JSON.stringify([path.basename(file), size, mtimeMs]));
  }
  for (const { name, shape, origin } of tensors) hash.update(JSON.stringify([name, shape, ...origin]));
  return hash.digest('hex');
}

async function readCache(
  cacheFile: string,
  tensors: readonly AnyConvertible[],
  origin: string,
): Promise<SafetensorsFile | null> {
  const { contents, problems } = await inspectSafetensors(cacheFile);
  if (contents === null || problems.length > 0 || contents.metadata.origin !== origin) return null;
  const holdsAll = tensors.every(({ name, shape, dtype }) => {
    const entry = contents.entries.get(name);
    return entry?.dtype === dtype && JSON.stringify(entry.shape) === JSON.stringify(shape);
  });
  return holdsAll ? contents : null;
}

async function writeCache(cacheFile: string, tensors: readonly AnyConvertible[], origin: string): Promise<void> {
  await mkdir(path.dirname(cacheFile), { recursive: true });
  await removeAbandoned(cacheFile);
  const writer = await createSafetensors(cacheFile, tensors, { origin });
  try {
    for (const tensor of tensors) {
      for await (const slice of tensor.slices()) {
        const stored = narrowed(slice, tensor.dtype);
        await writer.write(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
      }
    }
    await writer.commit();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

function narrowed(values: Float32Array | Uint8Array, dtype: CachedDtype): Float32Array | Uint8Array | Uint16Array {
  if (dtype === 'F32' || values instanceof Uint8Array) return values;
  return dtype === 'BF16' ? narrowToBfloat16(values) : narrowToFloat16(values);
}

/** Temporary files of processes that were killed while they converted; each may be as large as the model. */
async function removeAbandoned(cacheFile: string): Promise<void> {
  const folder = path.dirname(cacheFile);
  const prefix = `${path.basename(cacheFile)}.`;
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith('.tmp')) continue;
    const owner = Number.parseInt(name.slice(prefix.length), 10);
    if (owner !== process.pid && !isRunning(owner)) await rm(path.join(folder, name), { force: true });
  }
}

function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
