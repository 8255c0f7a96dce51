/** Writes that a kill, a crash of the machine or a full disk leaves either done or not begun. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { diskFull, notWritable } from './store-error.ts';

export interface WrittenFile {
  bytes: number;
  /** Of the whole file, lower-case hex. */
  sha256: string;
}

const temporarySuffix = '.tmp';
/** Bytes that are hashed and written in one go, so that the event loop stays responsive. */
const sliceBytes = 4 << 20;

/**
 * Writes `parts` one after another to a temporary file beside `path`, flushes it, renames it to `path` and flushes the
 * folder. On any error `path` is as it was before and the temporary file is gone.
 */
export async function writeFileAtomically(path: string, parts: readonly Uint8Array[]): Promise<WrittenFile> {
  const folder = dirname(path);
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const temporary = join(
    folder,
    `${basename(path)}.${process.pid}-${randomBytes(6).toString('hex')}${temporarySuffix}`,
  );
  try {
    const sha256 = await writeAndFlush(temporary, parts);
    await retryWhileBusy(() => rename(temporary, path));
    await flushFolder(folder);
    return { bytes, sha256 };
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw await explained(error, folder, bytes);
  }
}

/** Creates `folder` and its parents; all of them survive a crash of the machine. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    const firstCreated = await mkdir(folder, { recursive: true });
    if (firstCreated === undefined) return;
    for (let created = folder; created.length >= firstCreated.length; created = dirname(created)) {
      await flushFolder(dirname(created));
    }
  } catch (error) {
    throw await explained(error, dirname(folder), 0);
  }
}

/** Removes what interrupted writes left in `folder`. Only for who holds the folder's lock. */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (name.endsWith(temporarySuffix)) await rm(join(folder, name), { force: true });
  }
}

/** The names in a folder, sorted; none if it does not exist. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** On Windows a file that a virus scanner or a reader holds open cannot be replaced for a moment: tries for about 3 s. */
export async function retryWhileBusy<T>(operation: () => Promise<T>, attempts = 12): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (attempt >= attempts || !['EPERM', 'EBUSY', 'EACCES'].includes(code)) throw error;
      await sleep(Math.min(10 * 2 ** attempt, 400));
    }
  }
}

/** A full disk or a missing permission becomes an error that says what to do; every other error stays as it is. */
export async function explained(error: unknown, folder: string, needed: number): Promise<unknown> {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return notWritable(folder, code);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  const free = await statfs(folder).then(
    (disk) => disk.bavail * disk.bsize,
    () => null,
  );
  return diskFull(folder, needed, free);
}

async function writeAndFlush(path: string, parts: readonly Uint8Array[]): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  try {
    for (const part of parts) {
      for (let start = 0; start < part.byteLength; start += sliceBytes) {
        const slice = part.subarray(start, start + sliceBytes);
        hash.update(slice);
        for (let done = 0; done < slice.byteLength; ) {
          done += (await file.write(slice, done)).bytesWritten;
        }
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Windows and some network file systems cannot flush a folder; the rename is as durable there as it gets.
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'ENOTSUP', 'EBADF'].includes(code)) throw error;
  }
}
