/** How far an append-only ledger had come, and the hash of everything up to there. */
import { createHash, type Hash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';

export interface LedgerPosition {
  bytes: number;
  /** Of the first `bytes` bytes, lower-case hex. */
  sha256: string;
}

const sliceBytes = 1 << 20;

/** Hashes only what was appended since the last call. A ledger that does not exist has the position 0. */
export class LedgerReader {
  readonly #path: string;
  #hash: Hash = createHash('sha256');
  #bytes = 0;
  #inode = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async position(): Promise<LedgerPosition> {
    const { size, inode } = await stateOf(this.#path);
    if (size < this.#bytes || inode !== this.#inode) {
      // Another file than before: cut, or written anew.
      this.#hash = createHash('sha256');
      this.#bytes = 0;
      this.#inode = inode;
    }
    this.#bytes = await hashRange(this.#path, this.#hash, this.#bytes, size);
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest('hex') };
  }
}

/** Whether the ledger still begins with what it held at that position. */
export async function beginsWith(path: string, position: LedgerPosition): Promise<boolean> {
  const hash = createHash('sha256');
  const end = await hashRange(path, hash, 0, Math.min(position.bytes, (await stateOf(path)).size));
  return end === position.bytes && hash.digest('hex') === position.sha256;
}

async function stateOf(path: string): Promise<{ size: number; inode: number }> {
  try {
    const { size, ino } = await stat(path);
    return { size, inode: ino };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { size: 0, inode: 0 };
    throw error;
  }
}

/** Returns where it ended, which is before `end` if the file is shorter. */
async function hashRange(path: string, hash: Hash, start: number, end: number): Promise<number> {
  const file = await openIfExists(path);
  if (file === null) return start;
  try {
    const buffer = Buffer.alloc(Math.min(sliceBytes, Math.max(end - start, 0)));
    let position = start;
    while (position < end) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, end - position), position);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    return position;
  } finally {
    await file.close();
  }
}

async function openIfExists(path: string): Promise<Awaited<ReturnType<typeof open>> | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
