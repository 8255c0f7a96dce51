/** Writes a safetensors file one piece at a time, so that a model never has to be in memory whole. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { bytesPerElement, type CachedDtype } from './tensor-dtype.ts';

export interface TensorDescription {
  name: string;
  dtype: CachedDtype;
  shape: readonly number[];
}

export interface SafetensorsWriter {
  /** Appends bytes of the tensors, in the order in which they were described; a call may carry any part of one. */
  write(bytes: Uint8Array): Promise<void>;
  /** Flushes and puts the file in its place. Throws when fewer bytes were written than described. */
  commit(): Promise<void>;
  /** Removes what was written. Does nothing after a commit. */
  discard(): Promise<void>;
}

/** The first tensor is aligned to this, and so are those after it whose predecessors' sizes are multiples of it. */
const ALIGNMENT = 64;

/**
 * Starts a file that appears under its name only when committed, flushed and whole. The same tensors and metadata give
 * the same bytes.
 */
export async function createSafetensors(
  file: string,
  tensors: readonly TensorDescription[],
  metadata: Record<string, string> = {},
): Promise<SafetensorsWriter> {
  const { header, dataLength } = safetensorsHeader(tensors, metadata);
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx');
  let state: 'open' | 'closed' | 'done' = 'open';
  let written = 0;

  async function append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      // A single write to a file is cut at 2 GiB by the system.
      const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 2 ** 30));
      done += bytesWritten;
    }
  }
  async function close(): Promise<void> {
    if (state === 'open') {
      state = 'closed';
      await handle.close();
    }
  }
  async function discard(): Promise<void> {
    if (state === 'done') return;
    await close();
    state = 'done';
    await rm(temporary, { force: true });
  }

  try {
    await append(header);
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    async write(bytes) {
      written += bytes.length;
      if (written > dataLength) throw new RangeError(`${file}: more bytes than the ${dataLength} described.`);
      await append(bytes);
    },
    async commit() {
      if (written !== dataLength)
        throw new RangeError(`${file}: ${written} bytes instead of the ${dataLength} described.`);
      await handle.sync();
      await close();
      await rename(temporary, file);
      state = 'done';
      await syncFolder(path.dirname(file));
    },
    discard,
  };
}

/** The first bytes of the file: the header's length and the header, padded with spaces. */
export function safetensorsHeader(
  tensors: readonly TensorDescription[],
  metadata: Record<string, string>,
): { header: Uint8Array; dataLength: number } {
  const entries: [string, object][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let end = 0;
  for (const { name, dtype, shape } of tensors) {
    const begin = end;
    end += shape.reduce((product, size) => product * size, bytesPerElement(dtype));
    entries.push([name, { dtype, shape, data_offsets: [begin, end] }]);
  }
  if (new Set(entries.map(([name]) => name)).size < entries.length) {
    throw new RangeError('A safetensors file cannot hold two tensors of the same name.');
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const header = Buffer.alloc(Math.ceil((8 + json.length) / ALIGNMENT) * ALIGNMENT, ' ');
  header.writeBigUInt64LE(BigInt(header.length - 8), 0);
  json.copy(header, 8);
  return { header, dataLength: end };
}

/** Makes the rename itself survive a power failure, where the system lets folders be opened. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows has no such operation; the file's own data is flushed either way.
  }
}
