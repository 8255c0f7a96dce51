import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../native-host/store/adapter-store.ts';
import { LockedError } from '../../native-host/store/store-error.ts';
import type { AbsorbControl } from '../../native-host/study/absorb.ts';
import { emptyLedger, readLedger } from '../../native-host/study/ledger.ts';
import { moduleText, StudyFixture, smallRepository, writeTo } from './study-fixture.ts';

let fixture: StudyFixture;

beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

test('from the first absorption on, only what changed is trained, and what comes back is not', async () => {
  const folder = await fixture.repository('history', smallRepository());
  const adapter = fixture.adapter(folder);

  const first = await fixture.absorb(folder);
  expect(first).toMatchObject({ end: 'budget', version: 1 });
  expect(first.steps).toBeGreaterThan(0);
  expect(first.absorbed).toBeGreaterThan(0);
  expect(first.repository.documents).toHaveLength(9);
  expect(await adapter.loadCheckpoint()).toBeNull();

  expect(await fixture.absorb(folder)).toMatchObject({
    end: 'unchanged',
    steps: 0,
    trainedTokens: 0,
    version: 1,
    absorbed: first.absorbed,
  });

  await writeTo(join(folder, 'src/alpha.ts'), moduleText('alpha', 4242));
  const edited = await fixture.absorb(folder);
  expect(edited.version).toBe(2);
  expect(edited.steps).toBeGreaterThan(0);
  expect(edited.trainedTokens).toBeLessThan(first.trainedTokens / 2);
  expect(await adapter.loadCheckpoint()).toBeNull();
  const ledger = await ledgerOfCurrent(folder);
  expect(ledger.documents.get('src/alpha.ts')!.counted).toBeGreaterThan(0);

  await writeTo(join(folder, 'src/alpha.ts'), smallRepository()['src/alpha.ts']!);
  expect(await fixture.absorb(folder)).toMatchObject({ end: 'restored', steps: 0, version: 1 });
  expect((await adapter.loadVersion())!.version.version).toBe(1);
  expect(await fixture.absorb(folder)).toMatchObject({ end: 'unchanged', steps: 0, version: 1 });

  await rename(join(folder, 'src/bravo.ts'), join(folder, 'src/bristol.ts'));
  const renamed = await fixture.absorb(folder);
  expect(renamed.version).toBe(3);
  expect([...(await ledgerOfCurrent(folder)).documents.keys()]).toContain('src/bristol.ts');
  expect([...(await ledgerOfCurrent(folder)).documents.keys()]).not.toContain('src/bravo.ts');

  await rm(join(folder, 'src/carol.ts'));
  const deleted = await fixture.absorb(folder);
  expect(deleted.version).toBe(4);
  expect(deleted.steps).toBeGreaterThan(0);
  const paths = [...(await ledgerOfCurrent(folder)).lessons.values()].map(({ path }) => path);
  expect(paths).not.toContain('src/carol.ts');
  expect(await fixture.absorb(folder)).toMatchObject({ end: 'unchanged', steps: 0, version: 4 });
  expect(await adapter.verify()).toEqual([]);
});

test('a stopped absorption goes on where it stood, and ends as one that was never stopped', async () => {
  const whole = await fixture.repository('whole', smallRepository());
  const folder = await fixture.repository('stopped', smallRepository());
  const uninterrupted = await fixture.absorb(whole);

  const stopped = await fixture.absorbAndStop(folder, 3);
  expect(stopped).toMatchObject({ end: 'cancelled', steps: 3, version: 1 });
  const checkpoint = await fixture.adapter(folder).loadCheckpoint();
  expect(checkpoint!.step).toBe(3);

  const rest = await fixture.absorb(folder);
  expect(rest.steps).toBe(uninterrupted.steps - 3);
  expect(rest.trainedTokens).toBe(uninterrupted.trainedTokens);
  expect(await vectorOf(folder)).toEqual(await vectorOf(whole));
  expect(await fixture.adapter(folder).loadCheckpoint()).toBeNull();
  expect(await fixture.absorb(folder)).toMatchObject({ end: 'unchanged', steps: 0 });
});

test('stopped before anything was trained: nothing is saved', async () => {
  const folder = await fixture.repository('stopped-at-once', smallRepository());
  const stop = new AbortController();
  const onProgress = ({ phase }: { phase: string }) => phase === 'questions' && stop.abort();
  const stopped = await fixture.absorb(folder, { epochs: 1 }, { signal: stop.signal, onProgress });
  expect(stopped).toMatchObject({ end: 'cancelled', steps: 0, version: null, absorbed: 0 });
  expect(await fixture.adapter(folder).versions()).toEqual([]);
});

test('a file that changes while an absorption is stopped does not undo what was absorbed', async () => {
  const folder = await fixture.repository('changed-meanwhile', smallRepository());
  const stopped = await fixture.absorbAndStop(folder, 3);
  await writeTo(join(folder, 'src/delta.ts'), moduleText('delta', 9999));
  const rest = await fixture.absorb(folder);
  expect(rest.trainedTokens).toBeGreaterThan(stopped.trainedTokens);
  expect((await currentOf(folder)).note).toMatchObject({ complete: true, tree: rest.repository.tree });
  expect((await ledgerOfCurrent(folder)).documents.get('src/delta.ts')!.counted).toBeGreaterThan(0);
});

test('a stopped refresh leaves the version as it was, and is gone on with', async () => {
  const folder = await fixture.repository('refresh', smallRepository());
  await fixture.absorb(folder);
  const before = await vectorOf(folder);
  await writeTo(join(folder, 'src/echo.ts'), moduleText('echo', 5150));

  const stopped = await fixture.absorbAndStop(folder, 2, { epochs: 4 });
  expect(stopped).toMatchObject({ end: 'cancelled', steps: 2, version: 1 });
  expect(await vectorOf(folder)).toEqual(before);

  const rest = await fixture.absorb(folder, { epochs: 4 });
  expect(rest.version).toBe(2);
  expect(rest.trainedTokens).toBeGreaterThan(stopped.trainedTokens);
  expect((await currentOf(folder)).note.complete).toBe(true);

  const same = await fixture.repository('refresh-whole', smallRepository());
  await fixture.absorb(same);
  await writeTo(join(same, 'src/echo.ts'), moduleText('echo', 5150));
  const uninterrupted = await fixture.absorb(same, { epochs: 4 });
  expect(rest.steps).toBe(uninterrupted.steps - 2);
  expect(await vectorOf(folder)).toEqual(await vectorOf(same));
});

test('another kind of adapter is absorbed anew, each kind is found again', async () => {
  const folder = await fixture.repository('kinds', smallRepository());
  await fixture.absorb(folder, { epochs: 1 });
  expect((await currentOf(folder)).note.kind).toBe('full');
  const lora = await fixture.absorb(folder, { epochs: 1, adapterKind: 'lora' });
  expect(lora).toMatchObject({ end: 'budget', version: 2 });
  expect((await fixture.adapter(folder).loadVersion())!.layout.kind).toBe('lora');
  expect(await fixture.absorb(folder, { epochs: 1 })).toMatchObject({ end: 'restored', steps: 0, version: 1 });
});

test('the damaged version of this tree is not brought back', async () => {
  const folder = await fixture.repository('damaged', smallRepository());
  await fixture.absorb(folder, { epochs: 1 });
  await writeTo(join(folder, 'src/gamma.ts'), moduleText('gamma', 777));
  await fixture.absorb(folder, { epochs: 1 });
  const { version } = await currentOf(folder);
  const file = join(fixture.adapter(folder).path, 'versions', `${version}.safetensors`);
  await writeTo(file, 'damaged');
  const again = await fixture.absorb(folder, { epochs: 1 });
  expect(again.steps).toBeGreaterThan(0);
  expect(again.version).toBe(version + 1);
});

test('while another process trains the adapter: an error that says so', async () => {
  const folder = await fixture.repository('locked', smallRepository());
  const other = await openStore(fixture.store.root).adapter(folder, fixture.model.key).lock();
  await expect(fixture.absorb(folder)).rejects.toThrow(LockedError);
  await other.release();
  expect((await fixture.absorb(folder, { epochs: 1 })).version).toBe(1);
});

test('folders with nothing to learn: nothing is saved, and what was skipped is said', async () => {
  const empty = await fixture.repository('empty', {});
  expect(await fixture.absorb(empty)).toMatchObject({ end: 'unchanged', steps: 0, version: null, absorbed: 0 });

  const binary = await fixture.repository('binary', {
    'image.bin': Uint8Array.from({ length: 4096 }, (_, i) => i % 256),
  });
  const result = await fixture.absorb(binary);
  expect(result).toMatchObject({ end: 'unchanged', steps: 0, version: null });
  expect(result.repository.skipped.map(({ path }) => path)).toEqual(['image.bin']);

  const hollow = await fixture.repository('hollow', { 'nothing.ts': '' });
  expect(await fixture.absorb(hollow, { minutes: 1 })).toMatchObject({ end: 'unchanged', steps: 0, version: null });

  await expect(fixture.absorb(join(fixture.path, 'not-there'))).rejects.toThrow(/not-there/);
});

async function currentOf(folder: string) {
  return (await fixture.adapter(folder).loadVersion())!.version;
}

async function vectorOf(folder: string): Promise<Float32Array> {
  return (await fixture.adapter(folder).loadVersion())!.vector;
}

async function ledgerOfCurrent(folder: string) {
  const { note } = await currentOf(folder);
  return (await readLedger(fixture.adapter(folder).path, note.ledger)) ?? emptyLedger();
}

test('an absorption is trained as the memory allows, says what that costs, and leaves no lock where nothing fits', async () => {
  const folder = await fixture.repository('short-of-memory', smallRepository());
  const nothingFits = () => {
    throw new Error('4 GB would fit');
  };
  await expect(fixture.absorb(folder, { epochs: 1 }, { fitToMemory: nothingFits })).rejects.toThrow('4 GB would fit');
  const steps: number[] = [];
  for (const rows of [4, 1]) {
    const fitToMemory: AbsorbControl['fitToMemory'] = (recipe) => {
      const shape = { ...recipe.full.shape, rows };
      return { recipe: { ...recipe, full: { ...recipe.full, shape } }, cost: ` ${rows} at a time.` };
    };
    const other = await fixture.repository(`short-of-memory-${rows}`, smallRepository());
    const result = await fixture.absorb(other, { epochs: 1 }, { fitToMemory });
    expect(result.recipe).toMatch(/^Every matrix: .* At most 1 epoch, as asked for\. [41] at a time\.$/);
    expect((await fixture.adapter(other).loadVersion())!.version.note.recipe).toBe(result.recipe);
    steps.push(result.steps);
  }
  expect(steps[1]).toBeGreaterThan(2 * steps[0]!);
});
