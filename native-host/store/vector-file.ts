/**
 * Flat vectors in safetensors files: F32 tensors of one dimension. A file is read whole, and its contents are looked at
 * only after its SHA-256 was found right, so that they need no checks beyond that.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { safetensorsHeader } from '../model/safetensors-writer.ts';
import { type WrittenFile, writeFileAtomically } from './atomic-file.ts';

export interface VectorFile {
  vectors: Map<string, Float32Array>;
  metadata: Record<string, string>;
}

/** What is wrong with a file that should be there; the caller says what it means. */
export class DamagedFile extends Error {
  readonly isMissing: boolean;

  constructor(problem: string, isMissing = false) {
    super(problem);
    this.isMissing = isMissing;
  }
}

const sliceBytes = 4 << 20;

/** Vectors must not change until the promise settles. */
export async function writeVectorFile(
  path: string,
  vectors: ReadonlyMap<string, Float32Array>,
  metadata: Record<string, string>,
): Promise<WrittenFile> {
  const described = [...vectors].map(([name, { length }]) => ({ name, dtype: 'F32' as const, shape: [length] }));
  const { header } = safetensorsHeader(described, metadata);
  const data = [...vectors.values()].map((vector) => bytesOf(vector));
  return writeFileAtomically(path, [header, ...data]);
}

/** Throws DamagedFile unless the file has exactly this size and hash. */
export async function readVectorFile(path: string, expected: WrittenFile): Promise<VectorFile> {
  const bytes = await readVerified(path, expected);
  const headerLength = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(bytes.buffer, 8, headerLength).toString('utf8'));
  const { __metadata__: metadata, ...tensors } = header as Record<string, { data_offsets: [number, number] }>;
  const vectors = new Map<string, Float32Array>();
  for (const [name, { data_offsets }] of Object.entries(tensors)) {
    const [start, end] = data_offsets;
    const vector = new Float32Array(bytes.buffer, 8 + headerLength + start, (end - start) / 4);
    vectors.set(name, vector);
  }
  return { vectors, metadata: metadata as unknown as Record<string, string> };
}

/** Throws DamagedFile unless the file has exactly this size and hash; reads in slices and keeps nothing. */
export async function verifyFile(path: string, expected: WrittenFile): Promise<void> {
  await hashVerified(path, expected, () => Buffer.alloc(sliceBytes));
}

async function readVerified(path: string, expected: WrittenFile): Promise<Uint8Array<ArrayBuffer>> {
  let whole: Uint8Array<ArrayBuffer> | undefined;
  await hashVerified(path, expected, (position) => {
    whole ??= new Uint8Array(new ArrayBuffer(expected.bytes));
    return whole.subarray(position, position + sliceBytes);
  });
  return whole ?? new Uint8Array(new ArrayBuffer(0));
}

async function hashVerified(
  path: string,
  expected: WrittenFile,
  bufferFor: (position: number) => Uint8Array,
): Promise<void> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new DamagedFile('the file is missing', true);
    throw new DamagedFile(`the file cannot be opened (${error.code ?? error.message})`);
  });
  try {
    // Before any memory is taken, so that a file of any size does no harm.
    const { size } = await file.stat();
    if (size !== expected.bytes) throw new DamagedFile(`the file has ${size} bytes instead of ${expected.bytes}`);
    const hash = createHash('sha256');
    for (let position = 0; position < size; ) {
      const buffer = bufferFor(position);
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, size - position), position);
      if (bytesRead === 0) throw new DamagedFile('the file became shorter while it was read');
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    if (hash.digest('hex') !== expected.sha256) throw new DamagedFile('its SHA-256 is not the recorded one');
  } catch (error) {
    if (error instanceof DamagedFile) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new DamagedFile(`the file cannot be read (${code ?? message})`);
  } finally {
    await file.close();
  }
}

export function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
