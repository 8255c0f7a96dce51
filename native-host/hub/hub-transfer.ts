/** One file from a hub to the disk, gone on with after a cut, and believed only when its size and hash are right. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError, notAllowed, unreachable, webPage, wrongContents } from './hub-error.ts';
import type { HubFile } from './hub-plan.ts';

export interface Transfer {
  /** Of the model, for messages. */
  id: string;
  endpoint: string;
  url: string;
  headers: Record<string, string>;
  file: HubFile;
  /** Where the file is to be; what has come of it so far is beside it, as `.incomplete`. */
  target: string;
  fetch: typeof globalThis.fetch;
  signal: AbortSignal;
  /** Told how much of the file is here; falls when a part has to be thrown away. */
  onBytes(bytes: number): void;
  pace?: TransferPace;
}

export interface TransferPace {
  /** A connection over which nothing comes for so long is given up. */
  stallMilliseconds: number;
  /** Before the first new try; doubles with each that brings nothing. */
  retryMilliseconds: number;
  /** Tries in a row that bring nothing, after which it ends. */
  mostFruitless: number;
}

const standardPace: TransferPace = { stallMilliseconds: 30_000, retryMilliseconds: 1_000, mostFruitless: 5 };

/** Errors: HubError; whatever the disk says; the signal's reason. What has come is kept for the next try. */
export async function transferFile(transfer: Transfer): Promise<void> {
  const { file, target, signal } = transfer;
  const incomplete = `${target}.incomplete`;
  await mkdir(dirname(target), { recursive: true });
  for (let wrong = 0; ; wrong++) {
    await loadAll(transfer, incomplete);
    if ((await hashOf(incomplete, file, signal)) === file.hash) break;
    await rm(incomplete, { force: true });
    transfer.onBytes(0);
    if (wrong > 0) throw wrongContents(file.name);
  }
  const handle = await open(incomplete, 'r+');
  await handle.sync();
  await handle.close();
  await rename(incomplete, target);
}

async function loadAll(transfer: Transfer, incomplete: string): Promise<void> {
  const { file, endpoint, signal, pace = standardPace } = transfer;
  let reason = '';
  for (let fruitless = 0; fruitless < pace.mostFruitless; ) {
    signal.throwIfAborted();
    const before = await sizeOf(incomplete);
    if (before > file.size) await rm(incomplete);
    transfer.onBytes(Math.min(before, file.size));
    if (before === file.size) return;
    try {
      await loadOnce(transfer, incomplete, before > file.size ? 0 : before, pace);
    } catch (error) {
      if (error instanceof HubError) throw error;
      signal.throwIfAborted();
      if (isOfDisk(error)) throw error;
      reason = reasonOf(error);
    }
    const after = await sizeOf(incomplete);
    if (after === file.size) continue;
    fruitless = after > before ? 0 : fruitless + 1;
    await sleep(pace.retryMilliseconds * 2 ** fruitless, undefined, { signal });
  }
  throw unreachable(endpoint, reason === '' ? 'it sends less than it says' : reason);
}

/** Adds what one connection brings. */
async function loadOnce(transfer: Transfer, incomplete: string, from: number, pace: TransferPace): Promise<void> {
  const { id, endpoint, file, signal, url, fetch } = transfer;
  const stalled = new AbortController();
  const giveUp = () => stalled.abort(new Error(`nothing came for ${pace.stallMilliseconds / 1000} s`));
  let timer = setTimeout(giveUp, pace.stallMilliseconds);
  try {
    const headers = {
      ...transfer.headers,
      'accept-encoding': 'identity',
      ...(from > 0 ? { range: `bytes=${from}-` } : {}),
    };
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, stalled.signal]) });
    if (response.status === 401 || response.status === 403) throw notAllowed(id, endpoint);
    if (response.status === 404)
      throw new HubError(`${endpoint} no longer has ${file.name} of ${id}. Try again later.`);
    // The range is beyond what the server has.
    if (response.status === 416) await rm(incomplete, { force: true });
    if (!response.ok || response.body === null) throw new Error(`it answers with status ${response.status}`);
    if (/^text\/html/.test(response.headers.get('content-type') ?? '')) throw webPage(file.name, endpoint);
    const start = response.status === 206 ? from : 0;
    checkRange(response, start, file.size);
    const handle = await open(incomplete, start === 0 ? 'w' : 'a');
    try {
      let here = start;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        clearTimeout(timer);
        timer = setTimeout(giveUp, pace.stallMilliseconds);
        if (here + chunk.length > file.size) throw new Error(`it sends more of ${file.name} than there is`);
        await handle.write(chunk);
        here += chunk.length;
        transfer.onBytes(here);
      }
    } finally {
      await handle.close();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Errors: Error where the server sends another part than was asked for, or of a file of another size. */
function checkRange(response: Response, start: number, size: number): void {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (response.status === 206 && range === null) throw new Error('it does not say which part of the file it sends');
  if (range !== null && (Number(range[1]) !== start || (range[2] !== '*' && Number(range[2]) !== size))) {
    throw new Error(`it sends another part than was asked for (${range[0]})`);
  }
  const length = response.headers.get('content-length');
  if (length !== null && start + Number(length) !== size) {
    throw new Error(`it says that ${start + Number(length)} bytes come, where the file has ${size}`);
  }
}

/** SHA-256, or the SHA-1 of Git's blob, whichever the file is known by. */
async function hashOf(path: string, { hash, size }: HubFile, signal: AbortSignal): Promise<string> {
  const digest = createHash(hash.length === 64 ? 'sha256' : 'sha1');
  if (hash.length === 40) digest.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) digest.update(chunk as Buffer);
  return digest.digest('hex');
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function isOfDisk(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** The cause says more than `fetch failed`. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
