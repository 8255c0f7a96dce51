import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { statusOf } from '../../native-host/folder-status.ts';
import type { AbsorbRequest } from '../../native-host/study/absorb.ts';
import { isConsolidationDue } from '../../native-host/study/consolidation.ts';
import { arrangedFolder, knownParts } from '../../native-host/study/folder-adapters.ts';
import { emptyLedger, readLedger, unlearnedPaths } from '../../native-host/study/ledger.ts';
import { readRepository } from '../../native-host/study/repository.ts';
import { moduleText, StudyFixture, writeTo } from './study-fixture.ts';

let fixture: StudyFixture;

beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

const names = ['alpha', 'bravo', 'carol', 'delta'];

const fourModules = (name: string) =>
  fixture.repository(name, Object.fromEntries(names.map((one, i) => [`src/${one}.ts`, moduleText(one, 100 + i)])));

/** A quarter of the folder: more than is refreshed for good. */
const changeMuch = (folder: string) => writeTo(join(folder, 'src/alpha.ts'), moduleText('alphas', 31337));

/** Three steps of absorbing everything anew were taken. */
async function begunAnew(name: string): Promise<string> {
  const folder = await fourModules(name);
  await fixture.absorb(folder, { epochs: 3 });
  await changeMuch(folder);
  await fixture.absorb(folder, { epochs: 2, editsOnly: true });
  await fixture.absorbAndStop(folder, 3);
  return folder;
}

async function currentOf(folder: string) {
  const { version, vector } = (await fixture.adapter(folder).loadVersion())!;
  const ledger = (await readLedger(fixture.adapter(folder).path, version.note.ledger)) ?? emptyLedger();
  return { version, vector, ledger };
}

/** What an absorption begins to train, one after another: a version that is saved comes between them. */
async function worksOf(folder: string, request: AbsorbRequest): Promise<string[]> {
  const adapter = fixture.adapter(folder);
  const works: string[] = [];
  let saved = 0;
  let seen = -1;
  const stop = new AbortController();
  await fixture.absorb(folder, request, {
    signal: stop.signal,
    secondsBetweenCheckpoints: 0,
    onProgress: ({ phase }) => {
      if (phase === 'save') saved += 1;
    },
    // The second step of each.
    whileRunning: async () => {
      const work = (await adapter.loadCheckpoint())?.state.work;
      if (seen === saved || work === undefined) return;
      seen = saved;
      works.push(String(work));
      if (work !== 'refresh') stop.abort();
    },
  });
  return works;
}

test('a change of much is refreshed and saved first, and then everything is absorbed anew', async () => {
  const folder = await fourModules('much');
  await fixture.absorb(folder, { epochs: 3 });
  await changeMuch(folder);
  expect(await worksOf(folder, { epochs: 2 })).toEqual(['refresh', 'anew']);
  const { version, ledger } = await currentOf(folder);
  expect(version.version).toBe(2);
  expect(version.note).toMatchObject({ complete: true, whole: true });
  expect(ledger.documents.get('src/alpha.ts')!.counted).toBeGreaterThan(0);
  expect(isConsolidationDue(version.note)).toBe(true);
  const adapters = fixture.adapters(folder);
  const repository = await readRepository(folder, fixture.model.tokenizer, null);
  const arranged = await arrangedFolder(repository, adapters);
  const known = { repository, arranged, parts: knownParts(repository, adapters, arranged) };
  expect(await statusOf(fixture.model, known)).toMatchObject({ dirty: 0, version: 2, isConsolidationDue: true });
  // Nothing changed since, and it goes on.
  expect(await worksOf(folder, { epochs: 2 })).toEqual(['anew']);
});

test('where only edits are asked for, or without consolidation, it ends with the refresh', async () => {
  const requests: AbsorbRequest[] = [{ editsOnly: true }, { method: [] }];
  for (const [i, only] of requests.entries()) {
    const folder = await fourModules(`refreshed-only-${i}`);
    await fixture.absorb(folder, { epochs: 3 });
    await changeMuch(folder);
    expect(await worksOf(folder, { epochs: 2, ...only })).toEqual(['refresh']);
    const { version, ledger } = await currentOf(folder);
    expect(version.version).toBe(2);
    expect(
      unlearnedPaths(
        ledger,
        [...ledger.documents].map(([path, { hash }]) => ({ path, hash })),
      ),
    ).toEqual([]);
    expect(await fixture.absorb(folder, { epochs: 2, ...only })).toMatchObject({ end: 'unchanged', steps: 0 });
  }
});

test('what little refreshes change adds up, and absorbing everything settles it', async () => {
  const note = { tokens: 1000, whole: true, absorbed: 0.9, absorbedWhole: 0.9 };
  expect(isConsolidationDue({ ...note, refreshedTokens: 150 })).toBe(false);
  expect(isConsolidationDue({ ...note, refreshedTokens: 151 })).toBe(true);
  expect(isConsolidationDue({ ...note, absorbed: 0.84 })).toBe(true);
  expect(isConsolidationDue({ ...note, whole: false, refreshedTokens: 900 })).toBe(false);

  const folder = await fourModules('little-by-little');
  await fixture.absorb(folder, { epochs: 2 });
  const refreshed: number[] = [];
  for (const [i, name] of names.slice(0, 2).entries()) {
    await writeTo(join(folder, `src/${name}.ts`), moduleText(name, 700 + i));
    await fixture.absorb(folder, { epochs: 2, editsOnly: true });
    refreshed.push(Number((await currentOf(folder)).version.note.refreshedTokens));
  }
  expect(refreshed[0]).toBeGreaterThan(0);
  expect(refreshed[1]).toBeGreaterThan(refreshed[0]!);
});

test('absorbing anew does not replace a version that knows more, and goes on until it knows as much', async () => {
  const folder = await fourModules('anew');
  const first = await fixture.absorb(folder, { epochs: 3 });
  await changeMuch(folder);
  expect(await fixture.absorb(folder, { epochs: 3, editsOnly: true })).toMatchObject({ version: 2 });

  const stopped = await fixture.absorbAndStop(folder, 1);
  expect(stopped).toMatchObject({ end: 'cancelled', steps: 1, version: 2 });
  expect(stopped.absorbed).toBeGreaterThan(0.5 * first.absorbed);

  let rest = await fixture.absorb(folder, { epochs: 1 });
  expect(rest).toMatchObject({ end: 'budget', version: 2 });
  for (let more = 0; more < 9 && rest.version === 2; more++) rest = await fixture.absorb(folder, { epochs: 6 });
  expect(rest.version).toBe(3);
  expect((await currentOf(folder)).version.note).toMatchObject({ complete: true, whole: true, refreshedTokens: 0 });
  expect(rest.absorbed).toBeGreaterThan(0.9 * first.absorbed);
  expect(await fixture.absorb(folder)).toMatchObject({ end: 'unchanged', steps: 0 });
});

test('an edit while everything is absorbed anew is refreshed, and the absorbing anew goes on from where it was', async () => {
  const folder = await begunAnew('edited-meanwhile');
  const checkpoint = (await fixture.adapter(folder).loadCheckpoint())!;
  expect(checkpoint.state).toMatchObject({ work: 'anew' });

  await writeTo(join(folder, 'src/bravo.ts'), moduleText('bravo', 4711));
  expect(await fixture.absorb(folder, { epochs: 2, editsOnly: true })).toMatchObject({ version: 3 });
  const kept = (await fixture.adapter(folder).loadCheckpoint())!;
  expect(kept.state).toEqual(checkpoint.state);
  expect(kept.step).toBe(checkpoint.step);
  const goneOn = await fixture.absorbAndStop(folder, 1);
  expect(goneOn.version).toBe(3);
  const after = (await fixture.adapter(folder).loadCheckpoint())!;
  expect(after.state).toMatchObject({ work: 'anew' });
  expect(after.step).toBe(checkpoint.step + 1);
});

test('where most changes while everything is absorbed anew, what was begun from zero is left', async () => {
  const folder = await begunAnew('most-meanwhile');
  for (const name of names.slice(1)) await writeTo(join(folder, `src/${name}.ts`), moduleText(`${name}er`, 4000));
  await fixture.absorbAndStop(folder, 1);
  const checkpoint = (await fixture.adapter(folder).loadCheckpoint())!;
  expect(checkpoint.state).toMatchObject({ work: 'full' });
  expect(checkpoint.step).toBe(1);
});

test('absorbing anew that gains nothing more, and is not better, is not tried again', async () => {
  const folder = await fourModules('as-good-as-it-gets');
  await fixture.absorb(folder, { epochs: 60 });
  await changeMuch(folder);
  await fixture.absorb(folder, { epochs: 60, editsOnly: true });
  const before = await currentOf(folder);
  const anew = await fixture.absorb(folder, {});
  expect(anew).toMatchObject({ end: 'saturated', version: 3 });
  const after = await currentOf(folder);
  expect(after.version.note).toMatchObject({ complete: true, whole: true, refreshedTokens: 0 });
  expect(Number(after.version.note.absorbed)).toBeGreaterThanOrEqual(Number(before.version.note.absorbed));
  expect(after.vector.findIndex((value, i) => value !== before.vector[i])).toBe(-1);
  expect(await fixture.adapter(folder).loadCheckpoint()).toBeNull();
  expect(await fixture.absorb(folder, {})).toMatchObject({ end: 'unchanged', steps: 0 });
});

test('where most has changed, everything is learned from the version on, leaving out at first what is known', async () => {
  const folder = await fourModules('most');
  await fixture.absorb(folder, { epochs: 3 });
  for (const name of names.slice(0, 3)) await writeTo(join(folder, `src/${name}.ts`), moduleText(`${name}er`, 4000));
  expect(await fixture.absorb(folder, { epochs: 1, editsOnly: true })).toMatchObject({ end: 'unchanged', steps: 0 });
  expect(await worksOf(folder, { epochs: 1 })).toEqual(['full']);
  const rest = await fixture.absorb(folder, { epochs: 2 });
  const { version, ledger } = await currentOf(folder);
  expect(version.note).toMatchObject({ complete: true, whole: true, tree: rest.repository.tree, refreshedTokens: 0 });
  expect(unlearnedPaths(ledger, rest.repository.documents)).toEqual([]);
});
