// A monorepo of whose packages each has an adapter: absorbing, going on, edits, and changing how adapters are arranged.
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AbsorbFolderRequest } from '../../native-host/study/absorb-folder.ts';
import { arrangedFolder, knownParts } from '../../native-host/study/folder-adapters.ts';
import { readLedger, shareKnown } from '../../native-host/study/ledger.ts';
import { readRepository } from '../../native-host/study/repository.ts';
import { moduleText, StudyFixture, smallMonorepo, smallRepository, writeTo } from './study-fixture.ts';

let fixture: StudyFixture;

beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

const all = ['.', 'packages/one', 'packages/three', 'packages/two'];

async function loaded(folder: string, name: string) {
  const adapter = fixture.adapters(folder).ofPackage(name);
  const current = await adapter.loadVersion();
  const ledger = current === null ? null : await readLedger(adapter.path, current.version.note.ledger);
  return { adapter, current, ledger };
}

async function versions(folder: string): Promise<(number | null)[]> {
  return Promise.all(all.map(async (name) => (await loaded(folder, name)).current?.version.version ?? null));
}

/** Which adapter answers for each package now. */
async function holders(folder: string): Promise<Record<string, string | null>> {
  const repository = await readRepository(folder, fixture.model.tokenizer, null);
  const adapters = fixture.adapters(folder);
  const parts = knownParts(repository, adapters, await arrangedFolder(repository, adapters));
  return Object.fromEntries(
    parts.map((part) => [part.package ?? 'all', part.current === null ? null : part.byWhole ? 'whole' : 'own']),
  );
}

/** Aborts when so many steps of the package whose turn is that number were reported. */
async function stopIn(folder: string, number: number, steps: number, request?: AbsorbFolderRequest) {
  const stop = new AbortController();
  let reported = 0;
  return fixture.absorbFolder(folder, request, {
    signal: stop.signal,
    onProgress: ({ phase, package: turn }) => {
      if (phase === 'train' && turn?.number === number) reported += 1;
      if (reported === steps) stop.abort();
    },
  });
}

test('each package gets an adapter of its own text, under the paths that it has in the whole', async () => {
  const folder = await fixture.repository('each', smallMonorepo());
  const turns: string[] = [];
  const absorbed = await fixture.absorbFolder(folder, undefined, {
    onProgress: ({ package: turn, documents, absorbed }) => {
      if (turn === undefined) return;
      if (turns.at(-1) !== turn.folder) turns.push(turn.folder);
      expect(documents).toBe(11);
      expect(absorbed).toBeLessThanOrEqual(1);
    },
  });
  expect(absorbed).toMatchObject({
    end: 'budget',
    version: 1,
    dirty: 0,
    arrangement: expect.stringMatching(/^An adapter for each of 3/),
  });
  expect(absorbed.packages.map((one) => one.package)).toEqual(turns);
  expect([...turns].sort()).toEqual(all);
  expect(absorbed.steps).toBe(absorbed.packages.reduce((sum, { steps }) => sum + steps, 0));

  const { documents, tokens, tokenCount } = absorbed.repository;
  let known = 0;
  const learned: string[] = [];
  for (const name of all) {
    const { current, ledger } = await loaded(folder, name);
    expect(current!.version.note).toMatchObject({ complete: true, whole: true, folder });
    const own = documents.filter(({ path }) =>
      name === '.' ? !path.startsWith('packages/') : path.startsWith(`${name}/`),
    );
    expect([...ledger!.documents.keys()].sort()).toEqual(own.map(({ path }) => path).sort());
    learned.push(...ledger!.documents.keys());
    known +=
      own.reduce((sum, { path }) => sum + tokens.get(path)!.length, 0) *
      shareKnown(ledger!, own, (path) => tokens.get(path)!.length);
  }
  expect(learned.sort()).toEqual(documents.map(({ path }) => path).sort());
  expect(absorbed.absorbed).toBeCloseTo(known / tokenCount, 10);
  expect(await fixture.adapter(folder).versions()).toEqual([]);
  expect(await fixture.absorbFolder(folder)).toMatchObject({
    end: 'unchanged',
    steps: 0,
    version: 1,
    absorbed: absorbed.absorbed,
  });
  // As before, without being asked for.
  expect(await fixture.absorbFolder(folder, { epochs: 2 })).toMatchObject({
    end: 'unchanged',
    arrangement: expect.stringMatching(/as before/),
  });
});

test('an edit trains the adapter of its package, and no other file of the store changes', async () => {
  const folder = await fixture.repository('edit', smallMonorepo());
  await fixture.absorbFolder(folder);
  const before = await Promise.all(all.map((name) => loaded(folder, name)));
  await writeTo(join(folder, 'packages/two/carol.ts'), moduleText('carol', 31_337));
  const edited = await fixture.absorbFolder(folder);
  expect(edited.packages.filter(({ steps }) => steps > 0).map((one) => one.package)).toEqual(['packages/two']);
  expect(await versions(folder)).toEqual([1, 1, 1, 2]);
  const after = await Promise.all(all.map((name) => loaded(folder, name)));
  const hashes = (states: typeof before) => states.map(({ current }) => current!.version.sha256);
  expect(hashes(after).slice(0, 3)).toEqual(hashes(before).slice(0, 3));
  expect(after[3]!.ledger!.documents.get('packages/two/carol.ts')).toMatchObject({ unlearned: 0 });
  // Undoing it costs no step.
  await writeTo(join(folder, 'packages/two/carol.ts'), smallMonorepo()['packages/two/carol.ts']!);
  expect(await fixture.absorbFolder(folder)).toMatchObject({ end: 'restored', steps: 0 });
});

test('a stop keeps the packages that were learned, and going on ends as if there had been none', async () => {
  const whole = await fixture.repository('stop-whole', smallMonorepo());
  const folder = await fixture.repository('stop', smallMonorepo());
  const uninterrupted = await fixture.absorbFolder(whole);
  const order = uninterrupted.packages.map((one) => one.package);

  const stopped = await stopIn(folder, 2, 1);
  expect(stopped.end).toBe('cancelled');
  expect(stopped.packages.map(({ end }) => end)).toEqual(['budget', 'cancelled', 'cancelled', 'cancelled']);
  expect(stopped.packages.map(({ version }) => version)).toEqual([1, 1, null, null]);
  expect((await loaded(folder, order[0]!)).current!.version.note.complete).toBe(true);
  expect((await loaded(folder, order[1]!)).current!.version.note.complete).toBe(false);
  expect(stopped.dirty).toBeGreaterThan(0);
  expect(stopped.absorbed).toBeLessThan(uninterrupted.absorbed);

  const rest = await fixture.absorbFolder(folder);
  expect(rest.packages.map(({ end }) => end)).toEqual(['unchanged', 'budget', 'budget', 'budget']);
  for (const name of all) {
    const [one, other] = [await loaded(folder, name), await loaded(whole, name)];
    // Two vectors that differ would take minutes to print.
    expect(
      one.current!.vector.findIndex((value, i) => value !== other.current!.vector[i]),
      name,
    ).toBe(-1);
    expect(await one.adapter.loadCheckpoint()).toBeNull();
  }
  expect(rest.absorbed).toBeCloseTo(uninterrupted.absorbed, 10);
});

test('stopped before the folder is read, the versions that there are stay named', async () => {
  const folder = await fixture.repository('stopped-at-once', smallMonorepo());
  await fixture.absorbFolder(folder, { epochs: 1, packages: 'each' });
  const stopped = await fixture.absorbFolder(folder, undefined, { signal: AbortSignal.abort(new Error('stopped')) });
  expect(stopped).toMatchObject({ end: 'cancelled', version: 1, steps: 0, packages: [] });
  expect(await versions(folder)).toEqual([1, 1, 1, 1]);
});

test('what the user has at hand is learned first', async () => {
  const folder = await fixture.repository('first', smallMonorepo());
  const first = ['packages/three/echo.ts', 'README.md'];
  const { packages } = await fixture.absorbFolder(folder, { epochs: 1, packages: 'each', first });
  expect(packages.map((one) => one.package).slice(0, 2)).toEqual(['packages/three', '.']);
});

test('minutes are shared, and a version says what it had of them', async () => {
  const folder = await fixture.repository('minutes', smallMonorepo());
  let seconds = 0;
  const clock = () => {
    seconds += 1;
    return 1000 * seconds;
  };
  const absorbed = await fixture.absorbFolder(folder, { minutes: 4, packages: 'each' }, { clock });
  const shares = absorbed.packages.map(
    ({ recipe }) => /At most ([\d.]+) minutes, its share of 4; as asked for\.$/.exec(recipe)?.[1],
  );
  expect(shares.every((share) => share !== undefined)).toBe(true);
  // The largest came first.
  expect(Number(shares[0])).toBeLessThan(2);
  expect(Number(shares[0])).toBeGreaterThan(0.5);
  for (const [index, { seconds }] of absorbed.packages.entries()) {
    // Each ends with the step or the measurement in which its time does.
    expect(seconds).toBeGreaterThanOrEqual(60 * Number(shares[index]) * 0.98);
    expect(seconds).toBeLessThan(60 * Number(shares[index]) + 30);
  }
  expect(absorbed.seconds).toBeLessThan(240);
});

test('without minutes they share what suits the size of all', async () => {
  const folder = await fixture.repository('minutes-usual', smallMonorepo());
  const stopped = await stopIn(folder, 1, 1, { packages: 'each' });
  expect(stopped.packages[0]!.recipe).toMatch(
    /At most [\d.]+ minutes, its share of 60; less where more would gain little\.$/,
  );
});

test('from one adapter to one for each, and back: the old one answers until a new one is finished, and stays', async () => {
  const folder = await fixture.repository('switch', smallMonorepo());
  const first = await fixture.absorbFolder(folder, { epochs: 2 });
  expect(first).toMatchObject({
    packages: [],
    arrangement: expect.stringMatching(/^One adapter for all 3 packages: /),
  });
  expect(await holders(folder)).toEqual({ all: 'own' });
  const wholeBefore = (await fixture.adapter(folder).loadVersion())!;

  const stopped = await stopIn(folder, 2, 1);
  const [done, begun] = stopped.packages.map((one) => one.package);
  const now = await holders(folder);
  expect(now[done!]).toBe('own');
  // It has a version, but not of all of its text.
  expect(now[begun!]).toBe('whole');
  expect(Object.values(now).filter((holder) => holder === 'whole')).toHaveLength(3);
  await fixture.absorbFolder(folder);
  expect(Object.values(await holders(folder))).toEqual(['own', 'own', 'own', 'own']);
  expect((await fixture.adapter(folder).loadVersion())!.version).toEqual(wholeBefore.version);

  const ofEach = await versions(folder);

  // Back, with an edit, so that there is something to learn.
  await writeTo(join(folder, 'packages/one/alpha.ts'), moduleText('alpha', 4242));
  const back = await fixture.absorbFolder(folder, { epochs: 2, packages: 'whole' });
  expect(back).toMatchObject({
    packages: [],
    arrangement: expect.stringMatching(/as asked for\. Until it is finished/),
  });
  expect(back.version).toBe(2);
  expect(await holders(folder)).toEqual({ all: 'own' });
  expect(await versions(folder)).toEqual(ofEach);
  // And again to each: only what changed since is trained.
  const again = await fixture.absorbFolder(folder);
  expect(again.packages.filter(({ steps }) => steps > 0).map((one) => one.package)).toEqual(['packages/one']);
});

test('a small monorepo has one adapter unless asked otherwise, the same as if it declared nothing', async () => {
  const folder = await fixture.repository('small', smallMonorepo());
  const plain = await fixture.repository('small-plain', smallMonorepo());
  const absorbed = await fixture.absorbFolder(folder, { epochs: 1 });
  await fixture.absorb(plain, { epochs: 1 });
  const [one, other] = [await fixture.adapter(folder).loadVersion(), await fixture.adapter(plain).loadVersion()];
  expect(one!.vector.findIndex((value, i) => value !== other!.vector[i])).toBe(-1);
  expect(absorbed.packages).toEqual([]);
  // A folder without packages is told nothing of them.
  const none = await fixture.repository('no-packages', smallRepository());
  expect(await fixture.absorbFolder(none, { epochs: 1 })).toMatchObject({ arrangement: '', packages: [] });
  expect(await fixture.absorbFolder(none)).toMatchObject({
    arrangement: expect.stringMatching(/fewer than two/),
    packages: [],
  });
});

test('a package that is gone is no part, and its adapter is there when it comes back', async () => {
  const folder = await fixture.repository('gone', smallMonorepo());
  await fixture.absorbFolder(folder);
  await rename(join(folder, 'packages/two'), join(fixture.path, 'two-elsewhere'));
  const without = await fixture.absorbFolder(folder);
  expect(without.packages.map((one) => one.package).sort()).toEqual(['.', 'packages/one', 'packages/three']);
  expect(await holders(folder)).not.toHaveProperty('packages/two');
  expect((await loaded(folder, 'packages/two')).current).not.toBeNull();
  await rename(join(fixture.path, 'two-elsewhere'), join(folder, 'packages/two'));
  expect(await fixture.absorbFolder(folder)).toMatchObject({ end: 'unchanged', steps: 0 });
});

test('a manifest that cannot be read for a while changes nothing', async () => {
  const folder = await fixture.repository('broken', smallMonorepo());
  await fixture.absorbFolder(folder);
  await writeTo(join(folder, 'package.json'), '{ "workspaces": [');
  const { packages } = await fixture.absorbFolder(folder);
  expect(packages.map((one) => one.package).sort()).toEqual(all);
  expect(packages.filter(({ steps }) => steps > 0).map((one) => one.package)).toEqual(['.']);
  await rm(join(folder, 'package.json'));
  expect((await fixture.absorbFolder(folder)).packages).toHaveLength(4);
});

test('while a folder is absorbed, no other process absorbs it, nor a package of it', async () => {
  const folder = await fixture.repository('locked', smallMonorepo());
  const lock = await fixture.adapter(folder).lock();
  await expect(fixture.absorbFolder(folder)).rejects.toThrow(/is being trained/);
  await lock.release();
  await fixture.absorbFolder(folder, { epochs: 1, packages: 'each' });
});
