/** Weights as F32 on disk: half-precision weights are widened once into a file that later starts reuse. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  float32Slices,
  inspectSafetensors,
  type SafetensorsFile,
  type StoredTensor,
  storedTensor,
} from './safetensors.ts';
import { createSafetensors } from './safetensors-writer.ts';

/**
 * Where all tensors are F32 they stay where they are, by their real path. Otherwise all are read from `cacheFile`, which is
 * written first where it is missing, damaged, or made from other files: a program's weights have to lie in one folder.
 * Memory stays at a few megabytes.
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
  const origin = await originOf(real);
  let cache = await readCache(cacheFile, real, origin);
  if (cache === null) {
    await writeCache(cacheFile, real, origin);
    cache = await readCache(cacheFile, real, origin);
    if (cache === null) throw new Error(`${cacheFile} changed while it was written. Start again.`);
  }
  const file = await realpath(cacheFile);
  const cached = cache;
  return new Map(real.map(({ name }) => [name, { ...storedTensor(cached, name), file }]));
}

/** Tells a cache of other or since changed weights apart: sizes and times of the files that it was made from. */
async function originOf(tensors: readonly StoredTensor[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [...new Set(tensors.map((tensor) => tensor.file))].sort()) {
    const { size, mtimeMs } = await stat(file);
    hash.update(JSON.stringify([path.basename(file), size, mtimeMs]));
  }
  for (const { name, dtype, shape, byteOffset } of tensors)
    hash.update(JSON.stringify([name, dtype, shape, byteOffset]));
  return hash.digest('hex');
}

async function readCache(
  cacheFile: string,
  tensors: readonly StoredTensor[],
  origin: string,
): Promise<SafetensorsFile | null> {
  const { contents, problems } = await inspectSafetensors(cacheFile);
  if (contents === null || problems.length > 0 || contents.metadata.origin !== origin) return null;
  const holdsAll = tensors.every(({ name, shape }) => {
    const entry = contents.entries.get(name);
    return entry?.dtype === 'F32' && JSON.stringify(entry.shape) === JSON.stringify(shape);
  });
  return holdsAll ? contents : null;
}

async function writeCache(cacheFile: string, tensors: readonly StoredTensor[], origin: string): Promise<void> {
  await mkdir(path.dirname(cacheFile), { recursive: true });
  await removeAbandoned(cacheFile);
  const descriptions = tensors.map(({ name, shape }) => ({ name, dtype: 'F32' as const, shape }));
  const writer = await createSafetensors(cacheFile, descriptions, { origin });
  try {
    for (const tensor of tensors) {
      for await (const slice of float32Slices(tensor)) {
        await writer.write(new Uint8Array(slice.buffer, slice.byteOffset, slice.byteLength));
      }
    }
    await writer.commit();
  } catch (error) {
    await writer.discard();
    throw error;
  }
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
