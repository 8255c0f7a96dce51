import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layOut } from '../../native-host/model/adapter-layout.ts';
import type { AdapterFolder } from '../../native-host/store/adapter-folder.ts';
import { openStore } from '../../native-host/store/adapter-store.ts';
import { LockedError, StoreError } from '../../native-host/store/store-error.ts';
import { baseModelKey, folderNamed, smallLayout, temporaryFolder, vectorOf } from './store-fixture.ts';

let temporary: ReturnType<typeof temporaryFolder>;
let adapter: AdapterFolder;

beforeEach(() => {
  temporary = temporaryFolder();
  adapter = openAgain();
});
afterEach(() => temporary.remove());

/** A store with nothing remembered in memory. */
function openAgain(options = {}): AdapterFolder {
  const repository = folderNamed(temporary.path, 'my repository');
  return openStore(join(temporary.path, 'store'), options).adapter(repository, baseModelKey);
}

function versionFile(version: number): string {
  return join(adapter.path, 'versions', `${version}.safetensors`);
}

async function saveVersions(...seeds: number[]): Promise<void> {
  for (const seed of seeds) await adapter.saveVersion(smallLayout, vectorOf(smallLayout, seed), { seed });
}

test('nothing saved: no manifest, no version, no checkpoint, and nothing on disk', async () => {
  expect(await adapter.manifest()).toBeNull();
  expect(await adapter.loadVersion()).toBeNull();
  expect(await adapter.loadCheckpoint()).toBeNull();
  expect(await adapter.versions()).toEqual([]);
  expect(await adapter.verify()).toEqual([]);
  expect(await adapter.removeVersions([1])).toEqual([]);
  await adapter.removeCheckpoints();
  expect(existsSync(adapter.path)).toBe(false);
  await expect(adapter.rollBack()).rejects.toThrow(/no earlier version/);
  expect(existsSync(adapter.path)).toBe(false);
});

test('a version comes back exactly, in a store opened anew', async () => {
  const vector = vectorOf(smallLayout, 1);
  const saved = await adapter.saveVersion(smallLayout, vector, { recall: 0.5, tree: 'abc' });
  const loaded = (await openAgain().loadVersion())!;
  expect(loaded.vector).toEqual(vector);
  expect(loaded.layout).toEqual(smallLayout);
  expect(loaded.version).toEqual(saved);
  expect(loaded.version.note).toEqual({ recall: 0.5, tree: 'abc' });
  expect(loaded.warnings).toEqual([]);
  const manifest = (await openAgain().manifest())!;
  expect(manifest).toMatchObject({ format: 1, current: 1, previous: null, kind: 'lora', layout: smallLayout });
  expect(manifest.folder.endsWith('my repository')).toBe(true);
});

test('a version file is a safetensors file with one flat F32 tensor', async () => {
  await saveVersions(1);
  const bytes = readFileSync(versionFile(1));
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength));
  expect(headerLength % 8).toBe(0);
  expect(header.adapter).toEqual({ dtype: 'F32', shape: [20], data_offsets: [0, 80] });
  expect(header.__metadata__.version).toBe('1');
  expect(bytes.byteLength).toBe(8 + headerLength + 80);
});

test('keeps the last versions, and finds one by its note', async () => {
  adapter = openAgain({ keepVersions: 3 });
  await saveVersions(1, 2, 3, 4, 5);
  expect((await adapter.versions()).map(({ version }) => version)).toEqual([3, 4, 5]);
  expect(readdirSync(join(adapter.path, 'versions'))).toEqual(['3.safetensors', '4.safetensors', '5.safetensors']);
  const found = await adapter.findVersion((note) => note.seed === 4);
  expect(found?.version).toBe(4);
  expect((await adapter.loadVersion(found!.version))!.vector).toEqual(vectorOf(smallLayout, 4));
  expect(await adapter.findVersion((note) => note.seed === 1)).toBeNull();
  await expect(adapter.loadVersion(1)).rejects.toThrow(/no version 1; there are 3, 4, 5/);
});

test('rolls back step by step, keeps what it left, and goes on with a new number', async () => {
  await saveVersions(1, 2, 3);
  expect((await adapter.rollBack()).version).toBe(2);
  expect((await adapter.loadVersion())!.vector).toEqual(vectorOf(smallLayout, 2));
  expect((await adapter.rollBack()).version).toBe(1);
  await expect(adapter.rollBack()).rejects.toThrow(/cannot be rolled back/);
  const next = await adapter.saveVersion(smallLayout, vectorOf(smallLayout, 9), {});
  expect(next.version).toBe(4);
  expect(await adapter.manifest()).toMatchObject({ current: 4, previous: 1 });
  expect((await adapter.versions()).map(({ version }) => version)).toEqual([1, 2, 3, 4]);
});

test('a rolled-back current version outlives newer ones when old versions go', async () => {
  adapter = openAgain({ keepVersions: 2 });
  await saveVersions(1, 2);
  await adapter.rollBack();
  await saveVersions(3);
  expect(await adapter.manifest()).toMatchObject({ current: 3, previous: 1 });
  expect((await adapter.rollBack()).version).toBe(1);
  expect((await adapter.loadVersion())!.vector).toEqual(vectorOf(smallLayout, 1));
});

test('an older version becomes current again, which drops the checkpoint of what was left', async () => {
  await saveVersions(1, 2, 3);
  await saveCheckpoint(30);
  await adapter.makeCurrent(1);
  expect(await adapter.manifest()).toMatchObject({ current: 1, previous: 3 });
  expect(await adapter.loadCheckpoint()).toBeNull();
  expect(readdirSync(join(adapter.path, 'checkpoints'))).toEqual([]);
  await expect(adapter.makeCurrent(7)).rejects.toThrow(/no version 7/);
});

test('layouts may change from version to version', async () => {
  await saveVersions(1);
  const dense = layOut('full', 0, 1, [{ name: 'layers.0.q_proj.delta', shape: [3, 3] }]);
  await adapter.saveVersion(dense, vectorOf(dense, 2), {});
  expect((await adapter.loadVersion(1))!.layout).toEqual(smallLayout);
  expect((await adapter.loadVersion())!.layout).toEqual(dense);
  await adapter.rollBack();
  expect(await adapter.manifest()).toMatchObject({ kind: 'lora', layout: smallLayout });
});

test('refuses a vector that does not fit its layout or is not finite, with every reason', async () => {
  await saveVersions(1);
  await expect(adapter.saveVersion(smallLayout, new Float32Array(3), {})).rejects.toThrow(/has 3 values.*describes 20/);
  const diverged = vectorOf(smallLayout, 1);
  diverged[14] = Number.NaN;
  await expect(adapter.saveVersion(smallLayout, diverged, {})).rejects.toThrow(/NaN in layers.0.q_proj.lora_B/);
  const twice = { ...smallLayout, entries: [...smallLayout.entries, smallLayout.entries[0]!] };
  await expect(adapter.saveVersion(twice, vectorOf(smallLayout, 1), {})).rejects.toThrow(
    /twice.*starts at 0 instead of 12/,
  );
  expect((await adapter.versions()).length).toBe(1);
});

async function saveCheckpoint(step: number): Promise<void> {
  await adapter.saveCheckpoint({
    layout: smallLayout,
    vector: vectorOf(smallLayout, step),
    m: vectorOf(smallLayout, step + 1),
    v: vectorOf(smallLayout, step + 2),
    step,
    state: { random: [1, 2, 3], epoch: 2, plan: { position: step } },
  });
}

test('a checkpoint comes back exactly', async () => {
  await saveVersions(1);
  await saveCheckpoint(10);
  await saveCheckpoint(20);
  const loaded = (await openAgain().loadCheckpoint())!;
  expect(loaded.step).toBe(20);
  expect(loaded.vector).toEqual(vectorOf(smallLayout, 20));
  expect(loaded.m).toEqual(vectorOf(smallLayout, 21));
  expect(loaded.v).toEqual(vectorOf(smallLayout, 22));
  expect(loaded.state).toEqual({ random: [1, 2, 3], epoch: 2, plan: { position: 20 } });
  expect(loaded.layout).toEqual(smallLayout);
  expect(loaded.version).toBe(1);
  expect(loaded.warnings).toEqual([]);
});

test('a checkpoint of an optimizer without second moments has none', async () => {
  const [vector, m] = [vectorOf(smallLayout, 1), vectorOf(smallLayout, 2)];
  await adapter.saveCheckpoint({ layout: smallLayout, vector, m, v: null, step: 7, state: {} });
  expect(await openAgain().loadCheckpoint()).toMatchObject({ vector, m, v: null, step: 7 });
});

test('a damaged checkpoint falls back to the one before, and all damaged to an error', async () => {
  await saveCheckpoint(10);
  await saveCheckpoint(20);
  await saveCheckpoint(30);
  expect(readdirSync(join(adapter.path, 'checkpoints'))).toEqual(['2.safetensors', '3.safetensors']);
  flip(join(adapter.path, 'checkpoints', '3.safetensors'), 200);
  const loaded = (await adapter.loadCheckpoint())!;
  expect(loaded.step).toBe(20);
  expect(loaded.warnings.join()).toMatch(/checkpoint 3 is damaged.*SHA-256.*checkpoint 2 of step 20 is used/);
  rmSync(join(adapter.path, 'checkpoints', '2.safetensors'));
  await expect(adapter.loadCheckpoint()).rejects.toThrow(/No checkpoint.*Absorb the folder again/);
  await adapter.removeCheckpoints();
  expect(await adapter.loadCheckpoint()).toBeNull();
});

function flip(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position]! ^= 1;
  writeFileSync(path, bytes);
}

test('a damaged current version falls back to the previous one with a warning', async () => {
  await saveVersions(1, 2, 3);
  flip(versionFile(3), 150);
  const loaded = (await adapter.loadVersion())!;
  expect(loaded.vector).toEqual(vectorOf(smallLayout, 2));
  expect(loaded.warnings.join('; ')).toMatch(/version 3 is damaged.*SHA-256.*version 2 of .* is used/);
  await expect(adapter.loadVersion(3)).rejects.toThrow(/Version 3 .* is damaged/);
  expect(await adapter.verify()).toEqual(['versions/3.safetensors: its SHA-256 is not the recorded one']);
  flip(versionFile(2), 150);
  expect((await adapter.loadVersion())!.vector).toEqual(vectorOf(smallLayout, 1));
  rmSync(versionFile(1));
  await expect(adapter.loadVersion()).rejects.toThrow(
    /nothing in it can be loaded.*lift adapters delete my-repository-/,
  );
});

test('a damaged manifest falls back to the one before with a warning, and the next save mends it', async () => {
  await saveVersions(1, 2, 3);
  flip(join(adapter.path, 'manifest.json'), 40);
  const loaded = (await adapter.loadVersion())!;
  expect(loaded.vector).toEqual(vectorOf(smallLayout, 2));
  expect(loaded.warnings.join()).toMatch(/manifest.json is damaged/);
  const saved = await adapter.saveVersion(smallLayout, vectorOf(smallLayout, 4), {});
  expect(saved.version).toBe(4);
  expect(await openAgain().verify()).toEqual([]);
  expect((await openAgain().loadVersion())!.vector).toEqual(vectorOf(smallLayout, 4));
});

test('with no manifest left, versions are not taken for a new store', async () => {
  await saveVersions(1, 2);
  rmSync(join(adapter.path, 'manifest.json'));
  rmSync(join(adapter.path, 'manifest.previous.json'));
  await expect(adapter.loadVersion()).rejects.toThrow(/manifest is missing.*lift adapters delete/);
  await expect(saveVersions(3)).rejects.toThrow(StoreError);
  expect(existsSync(versionFile(2))).toBe(true);
});

test('a manifest of a newer format says so; one that only claims it is damaged', async () => {
  await saveVersions(1, 2);
  const path = join(adapter.path, 'manifest.json');
  const { createHash } = await import('node:crypto');
  const { manifest } = JSON.parse(readFileSync(path, 'utf8'));
  const sha256 = createHash('sha256')
    .update(`2\n${JSON.stringify(manifest)}`)
    .digest('hex');
  writeFileSync(path, JSON.stringify({ format: 2, sha256, manifest }));
  await expect(adapter.loadVersion()).rejects.toThrow(/made by a newer version of LIFT \(format 2/);
  await expect(saveVersions(3)).rejects.toThrow(/newer version/);
  writeFileSync(path, JSON.stringify({ format: 3, sha256, manifest }));
  expect((await adapter.loadVersion())!.warnings.join()).toMatch(/manifest.json is damaged/);
});

test("another adapter's files in the folder are refused", async () => {
  await saveVersions(1);
  const other = openStore(join(temporary.path, 'store')).adapter(folderNamed(temporary.path, 'other'), baseModelKey);
  await other.saveVersion(smallLayout, vectorOf(smallLayout, 2), {});
  for (const file of ['manifest.json', 'manifest.previous.json', 'versions/1.safetensors']) {
    writeFileSync(join(adapter.path, file), readFileSync(join(other.path, file)));
  }
  await expect(adapter.loadVersion()).rejects.toThrow(/its manifest belongs to other-/);
});

test('leftovers of interrupted writes go when the lock is taken', async () => {
  await saveVersions(1, 2);
  const leftovers = ['manifest.json.1-a.tmp', 'versions/3.safetensors.1-b.tmp', 'versions/3.safetensors'];
  for (const name of leftovers) writeFileSync(join(adapter.path, name), 'half');
  expect((await adapter.loadVersion())!.version.version).toBe(2);
  const lock = await adapter.lock();
  for (const name of leftovers) expect(existsSync(join(adapter.path, name))).toBe(false);
  await lock.release();
});

test('one trainer: a second lock is refused, writes go on under the first', async () => {
  const lock = await adapter.lock();
  await expect(adapter.lock()).rejects.toThrow(LockedError);
  const elsewhere = openAgain();
  await expect(elsewhere.lock()).rejects.toThrow(new RegExp(`process ${process.pid}.*since ${lock.holder.since}`));
  await expect(elsewhere.saveVersion(smallLayout, vectorOf(smallLayout, 1), {})).rejects.toThrow(LockedError);
  await saveVersions(1);
  expect((await elsewhere.loadVersion())!.vector).toEqual(vectorOf(smallLayout, 1));
  expect((await elsewhere.lockedBy())?.pid).toBe(process.pid);
  await lock.release();
  expect(await elsewhere.lockedBy()).toBeNull();
  expect((await elsewhere.saveVersion(smallLayout, vectorOf(smallLayout, 2), {})).version).toBe(2);
});

test('writes asked for at the same time happen one after another', async () => {
  await Promise.all(
    [1, 2, 3, 4].map((seed) => adapter.saveVersion(smallLayout, vectorOf(smallLayout, seed), { seed })),
  );
  expect((await adapter.versions()).map(({ version, note }) => [version, note.seed])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
  expect(await adapter.verify()).toEqual([]);
});

test('a reader that races with the retention of a writer always gets a whole version', async () => {
  adapter = openAgain({ keepVersions: 2 });
  await saveVersions(0);
  const reader = openAgain();
  let isWriting = true;
  const writing = (async () => {
    for (let seed = 1; seed <= 20; seed++) await saveVersions(seed);
    isWriting = false;
  })();
  let reads = 0;
  while (isWriting) {
    const loaded = (await reader.loadVersion())!;
    expect(loaded.warnings).toEqual([]);
    expect(loaded.vector).toEqual(vectorOf(smallLayout, loaded.version.note.seed as number));
    reads++;
  }
  await writing;
  expect(reads).toBeGreaterThan(0);
});
