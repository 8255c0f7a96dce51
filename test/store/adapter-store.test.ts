import { execFileSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layOut } from '../../native-host/model/adapter-layout.ts';
import { openStore, type Store } from '../../native-host/store/adapter-store.ts';
import { readArrangement, writeArrangement } from '../../native-host/store/arrangement.ts';
import { repositoryKeyOf } from '../../native-host/store/repository-key.ts';
import { DiskFullError, LockedError, StoreError } from '../../native-host/store/store-error.ts';
import { baseModelKey, folderNamed, smallLayout, temporaryFolder, vectorOf } from './store-fixture.ts';

let temporary: ReturnType<typeof temporaryFolder>;
let root: string;
let store: Store;

beforeEach(() => {
  temporary = temporaryFolder();
  root = join(temporary.path, 'store');
  store = openStore(root);
});
afterEach(() => temporary.remove());

async function saveVersions(name: string, amount: number, key = baseModelKey): Promise<string> {
  const folder = folderNamed(temporary.path, name);
  for (let seed = 1; seed <= amount; seed++) {
    await store.adapter(folder, key).saveVersion(smallLayout, vectorOf(smallLayout, seed), { seed });
  }
  return folder;
}

async function currentVector(folder: string, key = baseModelKey): Promise<Float32Array | undefined> {
  return (await openStore(root).adapter(folder, key).loadVersion())?.vector;
}

async function totalBytes(): Promise<number> {
  return (await store.list()).reduce((sum, { bytes }) => sum + bytes, 0);
}

test('a key is the name of the folder and a hash of its real path', () => {
  const folder = folderNamed(temporary.path, 'My Répo (new)');
  expect(repositoryKeyOf(folder)).toMatch(/^My-R-po-new-(-)?[0-9a-f]{12}$/);
  symlinkSync(folder, join(temporary.path, 'link'));
  expect(repositoryKeyOf(join(temporary.path, 'link'))).toBe(repositoryKeyOf(folder));
  expect(repositoryKeyOf(`${folder}/../My Répo (new)/`)).toBe(repositoryKeyOf(folder));
  expect(repositoryKeyOf(folderNamed(temporary.path, 'a/lib'))).not.toBe(
    repositoryKeyOf(folderNamed(temporary.path, 'b/lib')),
  );
  expect(repositoryKeyOf(folderNamed(temporary.path, '...'))).toMatch(/^root-[0-9a-f]{12}$/);
  expect(repositoryKeyOf(folderNamed(temporary.path, 'x'.repeat(200)))).toMatch(/^x{40}-[0-9a-f]{12}$/);
  expect(repositoryKeyOf('/')).toMatch(/^root-/);
});

test('keys that lead elsewhere are refused', async () => {
  for (const key of ['..', '.', '', 'a/b', '../x', 'a\\b', 'C:', '-x', 'a\0b', 'x'.repeat(300), 'end.']) {
    expect(() => store.adapter(temporary.path, key)).toThrow(StoreError);
    await expect(store.delete(key)).rejects.toThrow(StoreError);
    await expect(store.delete('some-0123456789ab', key)).rejects.toThrow(StoreError);
  }
});

test('lists every repository and base model with sizes, versions and use', async () => {
  expect(await store.list()).toEqual([]);
  const folder = await saveVersions('one', 2);
  await saveVersions('one', 1, 'another-base');
  await saveVersions('two', 1);
  const entries = await openStore(root).list();
  expect(entries.map(({ repositoryKey, baseModelKey: key }) => [repositoryKey.slice(0, 3), key])).toEqual([
    ['one', baseModelKey],
    ['one', 'another-base'],
    ['two', baseModelKey],
  ]);
  const first = entries[0]!;
  expect(first).toMatchObject({ folder: realpathSync(folder), kind: 'lora', current: 2, lockedBy: null, problems: [] });
  expect(first.versions.map(({ version, note }) => [version, note.seed])).toEqual([
    [1, 1],
    [2, 2],
  ]);
  const du = execFileSync('find', [first.path, '-type', 'f', '-printf', '%s\n'], { encoding: 'utf8' });
  expect(first.bytes).toBe(
    du
      .trim()
      .split('\n')
      .map(Number)
      .reduce((sum, n) => sum + n, 0),
  );
  expect(Date.parse(first.lastUsed!)).toBeGreaterThanOrEqual(Date.parse(first.created!) - 1000);
});

test('lists damaged adapters with what is wrong, and deletes them', async () => {
  const folder = await saveVersions('one', 1);
  const { path, repositoryKey } = (await store.list())[0]!;
  for (const file of ['manifest.json', 'manifest.previous.json']) writeFileSync(join(path, file), '{');
  const [entry] = await store.list();
  expect(entry).toMatchObject({ folder: null, current: null, versions: [] });
  expect(entry!.problems.join()).toMatch(/manifest.json is damaged.*lift adapters delete one-/);
  expect(await store.prune(1 << 30)).toEqual([]);
  await store.delete(repositoryKey);
  expect(await store.list()).toEqual([]);
  expect(await store.adapter(folder, baseModelKey).loadVersion()).toBeNull();
});

test('deletes one base model, or all of a repository; what is not there is an error', async () => {
  const one = await saveVersions('one', 2);
  await saveVersions('one', 1, 'another-base');
  const two = await saveVersions('two', 1);
  const key = repositoryKeyOf(one);
  const [removed] = await store.delete(key, 'another-base');
  expect(removed).toMatchObject({ repositoryKey: key, baseModelKey: 'another-base', version: null });
  expect(removed!.bytes).toBeGreaterThan(100);
  expect(await currentVector(one)).toEqual(vectorOf(smallLayout, 2));
  await expect(store.delete(key, 'another-base')).rejects.toThrow(/There is no adapter one-.*lift adapters list/);
  await saveVersions('one', 1, 'another-base');
  expect(await store.delete(key)).toHaveLength(2);
  expect(readdirSync(root)).toEqual(['adapters']);
  expect(readdirSync(join(root, 'adapters'))).toEqual([repositoryKeyOf(two)]);
  expect((await store.list()).map(({ folder }) => folder)).toEqual([realpathSync(two)]);
  // The object that the process still holds starts a new life.
  await saveVersions('one', 1);
  expect(await currentVector(one)).toEqual(vectorOf(smallLayout, 1));
});

test('packages of a repository have adapters of their own beside its own', async () => {
  const folder = await saveVersions('mono', 1);
  const names = ['.', 'packages/a', 'packages-a', 'packages/ä', 'x'.repeat(300)];
  for (const [seed, name] of names.entries()) {
    await store
      .packageAdapter(folder, name, baseModelKey)
      .saveVersion(smallLayout, vectorOf(smallLayout, 10 + seed), {});
  }
  const entries = await openStore(root).list();
  expect(entries.map((entry) => entry.package).sort()).toEqual([null, ...names].sort());
  expect(entries.every((entry) => entry.folder === realpathSync(folder))).toBe(true);
  expect(new Set(entries.map(({ repositoryKey }) => repositoryKey)).size).toBe(6);
  for (const [seed, name] of names.entries()) {
    const loaded = await openStore(root).packageAdapter(folder, name, baseModelKey).loadVersion();
    expect(loaded!.vector).toEqual(vectorOf(smallLayout, 10 + seed));
  }
  expect(await currentVector(folder)).toEqual(vectorOf(smallLayout, 1));
  // What is in use stays, and so do its packages; those of a folder of which the name begins alike do not.
  await saveVersions('mono-other', 1);
  const removed = await store.prune(0, folder);
  expect(removed.map(({ repositoryKey }) => repositoryKey)).toEqual([
    repositoryKeyOf(join(temporary.path, 'mono-other')),
  ]);
  expect(await store.list()).toHaveLength(6);
});

test('what is noted of a repository goes with the last adapter of a package', async () => {
  const folder = folderNamed(temporary.path, 'mono');
  const { path } = store.adapter(folder, baseModelKey);
  await (await store.adapter(folder, baseModelKey).lock()).release();
  await writeArrangement(path, { arrangement: 'each', packages: ['a', 'b'] });
  expect(await readArrangement(path)).toEqual({ arrangement: 'each', packages: ['a', 'b'] });
  for (const name of ['a', 'b']) {
    await store.packageAdapter(folder, name, baseModelKey).saveVersion(smallLayout, vectorOf(smallLayout, 1), {});
  }
  const keys = (await store.list()).map(({ repositoryKey }) => repositoryKey);
  expect(keys).toHaveLength(2);
  await store.delete(keys[0]!);
  expect(await readArrangement(path)).not.toBeNull();
  await store.delete(keys[1]!);
  expect(readdirSync(join(root, 'adapters'))).toEqual([]);
  expect(await readArrangement(path)).toBeNull();
});

test.each([
  '',
  '{',
  '[]',
  '{"arrangement":"some","packages":[]}',
  '{"arrangement":"each","packages":[1]}',
  '{"arrangement":"each"}',
])('a note that says %s is none', async (text) => {
  const folder = folderNamed(temporary.path, 'noted');
  writeFileSync(join(folder, 'arrangement.json'), text);
  expect(await readArrangement(folder)).toBeNull();
});

test('what is being trained is not deleted, by nobody', async () => {
  const folder = await saveVersions('one', 1);
  const lock = await store.adapter(folder, baseModelKey).lock();
  await expect(store.delete(repositoryKeyOf(folder))).rejects.toThrow(LockedError);
  await expect(openStore(root).delete(repositoryKeyOf(folder))).rejects.toThrow(LockedError);
  expect((await store.list())[0]!.lockedBy?.pid).toBe(process.pid);
  await lock.release();
  expect(await store.delete(repositoryKeyOf(folder))).toHaveLength(1);
});

test('an interrupted deletion is finished later and never seen', async () => {
  const folder = await saveVersions('one', 1);
  await saveVersions('two', 1);
  renameSync((await store.list())[0]!.path, join(root, '.deleted-0123456789ab'));
  expect(await store.adapter(folder, baseModelKey).loadVersion()).toBeNull();
  expect(await store.list()).toHaveLength(1);
  await store.prune(1 << 30);
  expect(readdirSync(root)).toEqual(['adapters']);
});

test('prunes the oldest versions first, across repositories, and no more than needed', async () => {
  const one = await saveVersions('one', 3);
  const two = await saveVersions('two', 3);
  const before = await totalBytes();
  const versionBytes = (await store.list())[0]!.versions[0]!.bytes;
  expect(await store.prune(before)).toEqual([]);
  const removed = await store.prune(before - 2 * versionBytes - 1);
  expect(removed.map(({ repositoryKey, version }) => [repositoryKey.slice(0, 3), version])).toEqual([
    ['one', 1],
    ['one', 2],
    ['two', 1],
  ]);
  expect(await totalBytes()).toBeLessThanOrEqual(before - 2 * versionBytes - 1);
  for (const folder of [one, two]) {
    expect(await openStore(root).adapter(folder, baseModelKey).verify()).toEqual([]);
    expect(await currentVector(folder)).toEqual(vectorOf(smallLayout, 3));
  }
  await expect(store.adapter(one, baseModelKey).rollBack()).rejects.toThrow(/no earlier version/);
  expect((await store.adapter(two, baseModelKey).rollBack()).version).toBe(2);
});

test('prunes whole adapters when old versions are not enough: the one not used for longest', async () => {
  const one = await saveVersions('one', 2);
  const two = await saveVersions('two', 2);
  const { path } = (await store.list())[1]!;
  const longAgo = new Date('2020-01-01');
  utimesSync(join(path, 'manifest.json'), longAgo, longAgo);
  const removed = await store.prune((await totalBytes()) / 2);
  expect(removed.at(-1)).toMatchObject({ repositoryKey: repositoryKeyOf(two), version: null });
  expect(await currentVector(one)).toEqual(vectorOf(smallLayout, 2));
  expect(await currentVector(two)).toBeUndefined();
});

test('prunes whole adapters, but never that of the folder that is to be kept', async () => {
  const kept = await saveVersions('kept', 2);
  const other = await saveVersions('other', 2);
  const removed = await store.prune(0, kept);
  expect(removed.at(-1)).toMatchObject({ repositoryKey: repositoryKeyOf(other), version: null });
  expect(await currentVector(kept)).toEqual(vectorOf(smallLayout, 2));
});

test('prunes the checkpoints of idle adapters before whole adapters, and none of one that is trained', async () => {
  const idle = await saveVersions('idle', 1);
  const trained = await saveVersions('trained', 1);
  const [vector, m, v] = [1, 2, 3].map((seed) => vectorOf(smallLayout, seed)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (const folder of [idle, trained]) {
    await store.adapter(folder, baseModelKey).saveCheckpoint({ layout: smallLayout, vector, m, v, step: 5, state: {} });
  }
  const lastUsed = (await store.list())[0]!.lastUsed;
  const lock = await store.adapter(trained, baseModelKey).lock();
  const before = await totalBytes();
  const removed = await store.prune(before - 1);
  expect(removed).toMatchObject([{ repositoryKey: repositoryKeyOf(idle), version: null, checkpointsOnly: true }]);
  expect(await totalBytes()).toBeLessThan(before);
  expect(await store.adapter(idle, baseModelKey).loadCheckpoint()).toBeNull();
  expect((await store.list())[0]!.lastUsed).toBe(lastUsed);
  expect(await currentVector(idle)).toEqual(vector);

  await store.prune(0);
  expect((await store.adapter(trained, baseModelKey).loadCheckpoint())!.step).toBe(5);
  await lock.release();
});

test('pruning does not count as use', async () => {
  await saveVersions('one', 3);
  const path = join((await store.list())[0]!.path, 'manifest.json');
  const longAgo = new Date('2020-01-01T00:00:00.000Z');
  utimesSync(path, longAgo, longAgo);
  expect(await store.prune((await totalBytes()) - 1)).toHaveLength(1);
  expect((await store.list())[0]!.lastUsed).toBe(longAgo.toISOString());
});

test('pruning to nothing leaves what is trained: the current version in this process, everything in another', async () => {
  const mine = await saveVersions('mine', 3);
  const free = await saveVersions('free', 3);
  const others = await saveVersions('others', 3);
  const lock = await store.adapter(mine, baseModelKey).lock();
  const otherLock = await openStore(root).adapter(others, baseModelKey).lock();
  const removed = await store.prune(0);
  expect(removed.map(({ repositoryKey, version }) => [repositoryKey.slice(0, 4), version])).toEqual([
    ['mine', 1],
    ['mine', 2],
    ['free', 1],
    ['free', 2],
    ['free', null],
  ]);
  expect(await currentVector(mine)).toEqual(vectorOf(smallLayout, 3));
  expect((await store.adapter(others, baseModelKey).versions()).length).toBe(3);
  expect(await currentVector(free)).toBeUndefined();
  await lock.release();
  await otherLock.release();
});

/** Runs a test in a file system of `size`, or says why it cannot. */
async function onSmallDisk(
  size: string,
  skip: (note: string) => void,
  body: (disk: string) => Promise<void>,
): Promise<void> {
  const disk = folderNamed(temporary.path, 'disk');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk], { stdio: 'pipe' });
  } catch (error) {
    return skip(`needs root to mount a small disk: ${(error as Error).message.split('\n')[1] ?? error}`);
  }
  try {
    await body(disk);
  } finally {
    execFileSync('umount', [disk]);
  }
}

test('a full disk: the error says what was needed, and everything saved before is there', async ({ skip }) => {
  await onSmallDisk('2m', skip, async (disk) => {
    // 400 kB a version, 1.2 MB a checkpoint.
    const layout = layOut('full', 0, 0, [{ name: 'layers.0.q_proj.delta', shape: [100, 1000] }]);
    const small = openStore(join(disk, 'store'), { keepVersions: 100 });
    const adapter = small.adapter(temporary.path, baseModelKey);
    let saved = 0;
    let error: unknown;
    while (error === undefined && saved < 20) {
      await adapter.saveVersion(layout, vectorOf(layout, saved + 1), { seed: saved + 1 }).then(
        () => saved++,
        (reason: unknown) => {
          error = reason;
        },
      );
    }
    expect(saved).toBeGreaterThanOrEqual(3);
    expect(error).toBeInstanceOf(DiskFullError);
    expect((error as Error).message).toMatch(
      /^The disk is full: 40\d{4} bytes were needed in .*versions, \d+ are free/,
    );
    const [vector, m, v] = [1, 2, 3].map((seed) => vectorOf(layout, seed)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    await expect(adapter.saveCheckpoint({ layout, vector, m, v, step: 1, state: {} })).rejects.toThrow(
      /120\d{4} bytes were needed/,
    );

    const reopened = openStore(join(disk, 'store')).adapter(temporary.path, baseModelKey);
    expect(await reopened.verify()).toEqual([]);
    expect((await reopened.loadVersion())!.vector).toEqual(vectorOf(layout, saved));
    expect(await reopened.loadCheckpoint()).toBeNull();
    const leftovers = (readdirSync(disk, { recursive: true }) as string[]).filter((name) => name.endsWith('.tmp'));
    expect(leftovers).toEqual([]);

    // Not even a lock file fits, yet pruning frees space, and what is current stays.
    const filler = join(disk, 'filler');
    try {
      writeFileSync(filler, Buffer.alloc(4 << 20));
    } catch {
      // Full to the last byte is what it is for.
    }
    expect(() => writeFileSync(join(disk, 'one-more'), Buffer.alloc(4096))).toThrow(/ENOSPC/);
    await expect(adapter.saveVersion(layout, vectorOf(layout, 50), {})).rejects.toThrow(DiskFullError);
    const entries = await small.list();
    const removed = await small.prune(entries[0]!.bytes - 1);
    expect(removed.map(({ version }) => version)).toEqual([1]);
    expect(await adapter.verify()).toEqual([]);
    expect((await adapter.loadVersion())!.vector).toEqual(vectorOf(layout, saved));
    await small.prune(0);
    expect(await small.list()).toEqual([]);
  });
});

test('a disk that fills up at any moment of a save never leaves half a store', async ({ skip }) => {
  await onSmallDisk('1m', skip, async (disk) => {
    const adapter = openStore(join(disk, 'store'), { keepVersions: 2 }).adapter(temporary.path, baseModelKey);
    const layout = layOut('full', 0, 0, [{ name: 'layers.0.q_proj.delta', shape: [10, 1000] }]);
    await adapter.saveVersion(layout, vectorOf(layout, 1), { seed: 1 });
    const filler = join(disk, 'filler');
    let last = 1;
    let failures = 0;
    // Page by page, from no room at all to enough.
    for (let free = 0; free <= 24; free++) {
      writeFileSync(filler, '');
      const { bavail, bsize } = (await import('node:fs')).statfsSync(disk);
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail - free) * bsize));
      const seed = last + 1;
      const saved = await adapter.saveVersion(layout, vectorOf(layout, seed), { seed }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(DiskFullError);
        failures++;
        return null;
      });
      if (saved !== null) last = seed;
      const reopened = openStore(join(disk, 'store')).adapter(temporary.path, baseModelKey);
      const loaded = (await reopened.loadVersion())!;
      expect(loaded.version.note.seed).toBe(last);
      expect(loaded.vector).toEqual(vectorOf(layout, last));
      expect(loaded.warnings).toEqual([]);
      expect(await reopened.verify()).toEqual([]);
      expect(existsSync(join(adapter.path, 'manifest.json'))).toBe(true);
    }
    expect(failures).toBeGreaterThan(5);
    expect(last).toBeGreaterThan(3);
    expect(readFileSync(filler).byteLength).toBeGreaterThan(0);
  });
});
