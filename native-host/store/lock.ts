/**
 * One trainer for an adapter at a time, across processes; a crash releases the lock.
 *
 * A lock is a file `lock.<n>`. Who wants it creates the next number exclusively, and then looks again: it holds the lock
 * only if no other living process has one. Of two that race for the number one wins; a stale lock is never removed before
 * its successor exists, so nobody can remove a living one by mistake.
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explained, namesIn, retryWhileBusy } from './atomic-file.ts';
import { type ProcessIdentity, processState, thisProcess } from './process-liveness.ts';
import { lockedBy } from './store-error.ts';

export interface LockHolder extends ProcessIdentity {
  /** When the lock was taken, ISO 8601. */
  since: string;
}

interface Claim {
  number: number;
  path: string;
  /** Null while it is being written, or damaged. */
  holder: (LockHolder & { token: string }) | null;
  alive: boolean;
}

const heartbeatMilliseconds = 10_000;
/** A process that cannot be asked whether it runs is taken for dead after this long without a heartbeat. */
const heartbeatLimitMilliseconds = 60_000;
/** A lock file without readable contents is somebody's who is just writing it, for this long. */
const writingLimitMilliseconds = 10_000;
const attempts = 50;

export class Lock {
  readonly holder: LockHolder;
  readonly #folder: string;
  readonly #number: number;
  readonly #token: string;
  #heartbeat: NodeJS.Timeout | null;

  constructor(folder: string, number: number, holder: LockHolder & { token: string }) {
    const { token, ...publicHolder } = holder;
    this.holder = publicHolder;
    this.#folder = folder;
    this.#number = number;
    this.#token = token;
    this.#heartbeat = setInterval(() => {
      const now = new Date();
      // A failed heartbeat is found by isHeld before anything is written.
      utimes(lockPath(folder, number), now, now).catch(() => undefined);
    }, heartbeatMilliseconds);
    this.#heartbeat.unref();
  }

  get isReleased(): boolean {
    return this.#heartbeat === null;
  }

  /** False once released, or when the machine slept so long that another process took the lock over. */
  async isHeld(): Promise<boolean> {
    if (this.#heartbeat === null) return false;
    return (await this.#ownClaim()) !== undefined;
  }

  /** Does nothing if the lock was released or lost before. */
  async release(): Promise<void> {
    if (this.#heartbeat === null) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = null;
    const own = await this.#ownClaim();
    if (own !== undefined) await retryWhileBusy(() => rm(own.path, { force: true }));
  }

  async #ownClaim(): Promise<Claim | undefined> {
    const claims = await readClaims(this.#folder);
    return claims.find(({ number, holder }) => number === this.#number && holder?.token === this.#token);
  }
}

/** Takes the lock of an existing folder or throws a LockedError that names who has it and since when. */
export async function acquireLock(folder: string): Promise<Lock> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const claims = await readClaims(folder);
    const alive = claims.find((claim) => claim.alive);
    if (alive?.holder) throw lockedBy(folder, alive.holder.pid, alive.holder.since);
    if (alive !== undefined) {
      // Somebody is just writing it, and will be named.
      await sleep(20);
      continue;
    }
    const number = (claims.at(-1)?.number ?? 0) + 1;
    const holder = { ...thisProcess(), since: new Date().toISOString(), token: randomBytes(12).toString('hex') };
    const created = await createExclusively(lockPath(folder, number), `${JSON.stringify(holder)}\n`);
    if (created) {
      const now = await readClaims(folder);
      const isOurs = now.some((claim) => claim.number === number && claim.holder?.token === holder.token);
      const others = now.filter((claim) => claim.number !== number);
      if (isOurs && !others.some((claim) => claim.alive)) {
        for (const stale of others) await retryWhileBusy(() => rm(stale.path, { force: true }));
        return new Lock(folder, number, holder);
      }
      if (isOurs) await rm(lockPath(folder, number), { force: true });
    }
    await sleep(1 + Math.random() * 20);
  }
  throw lockedBy(folder, null, null);
}

/** Who holds the lock now; null if nobody alive does. */
export async function lockHolder(folder: string): Promise<LockHolder | null> {
  const claim = (await readClaims(folder)).find(({ alive, holder }) => alive && holder !== null);
  if (claim?.holder === undefined || claim.holder === null) return null;
  const { token: _token, ...holder } = claim.holder;
  return holder;
}

export function isLockFile(name: string): boolean {
  return /^lock\.[1-9]\d{0,14}$/.test(name);
}

function lockPath(folder: string, number: number): string {
  return join(folder, `lock.${number}`);
}

/** All lock files, the oldest first. */
async function readClaims(folder: string): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const name of (await namesIn(folder)).filter(isLockFile)) {
    const path = join(folder, name);
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
      const holder = parseHolder(text);
      const age = Math.abs(Date.now() - mtimeMs);
      claims.push({ number: Number(name.slice('lock.'.length)), path, holder, alive: isAlive(holder, age) });
    } catch (error) {
      // Released between the listing and the reading.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return claims.sort((a, b) => a.number - b.number);
}

function isAlive(holder: LockHolder | null, ageMilliseconds: number): boolean {
  if (holder === null) return ageMilliseconds < writingLimitMilliseconds;
  const state = processState(holder);
  return state === 'unknown' ? ageMilliseconds < heartbeatLimitMilliseconds : state === 'running';
}

function parseHolder(text: string): (LockHolder & { token: string }) | null {
  try {
    const holder = JSON.parse(text);
    const strings = [holder.machine, holder.since, holder.token];
    const complete = Number.isSafeInteger(holder.pid) && holder.pid > 0 && strings.every((s) => typeof s === 'string');
    return complete && (holder.started === null || typeof holder.started === 'string') ? holder : null;
  } catch {
    return null;
  }
}

/** False if the file exists. */
async function createExclusively(path: string, text: string): Promise<boolean> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'wx');
  } catch (error) {
    // Windows reports a file that is just being deleted as EPERM or EACCES.
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST' || (process.platform === 'win32' && (code === 'EPERM' || code === 'EACCES'))) return false;
    throw await explained(error, path, text.length);
  }
  try {
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true }).catch(() => undefined);
    throw await explained(error, path, text.length);
  }
}
