import { readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { acquireLock, isLockFile, lockHolder } from '../../native-host/store/lock.ts';
import { processState, thisProcess } from '../../native-host/store/process-liveness.ts';
import { LockedError } from '../../native-host/store/store-error.ts';
import { bundleForChild, folderNamed, startChild, temporaryFolder } from './store-fixture.ts';

// Only there to end a hang; a busy machine may take its time.
vi.setConfig({ testTimeout: 600_000 });

/** Waits for a line, tries to take the lock of the folder it is given, says how it went, and stays. */
const childSource = `
import { acquireLock } from './lock.ts';
const folder = process.argv[2]!;
process.stdout.write('ready\\n');
process.stdin.once('data', async () => {
  try {
    const lock = await acquireLock(folder);
    process.stdout.write('won ' + lock.holder.since + '\\n');
  } catch (error) {
    process.stdout.write((error as Error).name + ' ' + (error as Error).message + '\\n');
  }
});
process.stdin.on('end', () => process.exit(0));
`;

let temporary: ReturnType<typeof temporaryFolder>;
let bundle: string;
let folder: string;
let count = 0;

beforeAll(async () => {
  temporary = temporaryFolder();
  bundle = await bundleForChild(temporary.path, 'lock-child', childSource);
});
afterAll(() => temporary.remove());
beforeEach(() => {
  folder = folderNamed(temporary.path, `folder-${count++}`);
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function startReady(amount: number): Promise<ReturnType<typeof startChild>[]> {
  const children = Array.from({ length: amount }, () => startChild(bundle, [folder]));
  await until(() => children.every(({ lines }) => lines.includes('ready')));
  return children;
}

/** All try at once; returns the children that won. */
async function race(children: ReturnType<typeof startChild>[]): Promise<ReturnType<typeof startChild>[]> {
  for (const { child } of children) child.stdin!.write('go\n');
  await until(() => children.every(({ lines }) => lines.length === 2));
  return children.filter(({ lines }) => lines[1]!.startsWith('won'));
}

async function kill(children: ReturnType<typeof startChild>[]): Promise<void> {
  for (const { child } of children) child.kill('SIGKILL');
  await Promise.all(children.map(({ ended }) => ended));
}

test('of processes that race for a free lock, and for one whose holder was killed, exactly one wins', async () => {
  const children = await startReady(4);
  const winners = await race(children);
  expect(winners).toHaveLength(1);
  const loser = children.find((child) => child !== winners[0])!;
  expect(loser.lines[1]).toContain(
    `LockedError The adapter in ${folder} is being trained by process ${winners[0]!.child.pid} since`,
  );
  expect((await lockHolder(folder))?.pid).toBe(winners[0]!.child.pid);
  await kill(winners);
  expect(await lockHolder(folder)).toBeNull();
  for (let round = 0; round < 3; round++) {
    const others = await startReady(4);
    const heirs = await race(others);
    expect(heirs).toHaveLength(1);
    expect((await lockHolder(folder))?.pid).toBe(heirs[0]!.child.pid);
    await kill(others);
  }
  await kill(children);
  const lock = await acquireLock(folder);
  expect(await lock.isHeld()).toBe(true);
  await lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('a zombie has released its lock', async () => {
  const [holder] = await startReady(1);
  await race([holder!]);
  holder!.child.kill('SIGKILL');
  // Not awaited: the child may be a zombie or not exist when the lock is looked at.
  let holderNow = await lockHolder(folder);
  while (holderNow !== null) holderNow = await lockHolder(folder);
  const lock = await acquireLock(folder);
  await lock.release();
  await holder!.ended;
});

test('a lock in one process refuses a second, and can be taken again after its release', async () => {
  const lock = await acquireLock(folder);
  await expect(acquireLock(folder)).rejects.toThrow(LockedError);
  await expect(acquireLock(folder)).rejects.toMatchObject({ pid: process.pid, since: lock.holder.since });
  await lock.release();
  await lock.release();
  expect(await lock.isHeld()).toBe(false);
  const again = await acquireLock(folder);
  await again.release();
});

test('a process id that another process has now does not hold the lock', async () => {
  if (thisProcess().started === null) return;
  const holder = { ...thisProcess(), started: '1', since: '2020-01-01T00:00:00.000Z', token: 'x' };
  writeFileSync(join(folder, 'lock.7'), JSON.stringify(holder));
  expect(await lockHolder(folder)).toBeNull();
  const lock = await acquireLock(folder);
  expect(readdirSync(folder)).toEqual(['lock.8']);
  await lock.release();
});

test('a process on another machine holds the lock as long as its heart beats', async () => {
  const holder = { pid: 1, machine: 'elsewhere', started: null, since: '2020-01-01T00:00:00.000Z', token: 'x' };
  const path = join(folder, 'lock.1');
  writeFileSync(path, JSON.stringify(holder));
  expect(processState(holder)).toBe('unknown');
  await expect(acquireLock(folder)).rejects.toThrow(/process 1 since 2020/);
  const longAgo = new Date(Date.now() - 120_000);
  utimesSync(path, longAgo, longAgo);
  const lock = await acquireLock(folder);
  await lock.release();
});

test('a lock file with nonsense in it is respected while it may be half written, not for ever', async () => {
  for (const text of ['', '{"pid":', 'null', '{"pid":-1,"machine":"","since":"","token":"","started":null}']) {
    const path = join(folder, 'lock.3');
    writeFileSync(path, text);
    await expect(acquireLock(folder)).rejects.toThrow(LockedError);
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(path, longAgo, longAgo);
    const lock = await acquireLock(folder);
    await lock.release();
  }
});

test('a lock that another process took over is not held any more, and its release harms nobody', async () => {
  const lock = await acquireLock(folder);
  writeFileSync(join(folder, 'lock.1'), JSON.stringify({ ...lock.holder, token: 'of another' }));
  expect(await lock.isHeld()).toBe(false);
  await lock.release();
  expect(readdirSync(folder)).toEqual(['lock.1']);
});

test('only lock files are taken for lock files', () => {
  expect(['lock.1', 'lock.12'].every(isLockFile)).toBe(true);
  expect(['lock', 'lock.', 'lock.0', 'lock.01', 'lock.1.tmp', 'package.lock.1', 'lock.x'].some(isLockFile)).toBe(false);
});
