import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emptyLedger, type Ledger, readLedger, shareKnown, unlearnedPaths } from '../../native-host/study/ledger.ts';
import { openMeasurable } from '../../native-host/study/probe.ts';
import { readRepository } from '../../native-host/study/repository.ts';
import { measureItems, recallItems } from '../../native-host/train/measure.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { moduleText, StudyFixture, smallRepository, writeTo } from './study-fixture.ts';

let fixture: StudyFixture;

beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

/** More than a moment's training. */
function manyModules(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`src/module${i}.ts`, moduleText(`part${i}x`, 1000 + 37 * i)]),
  );
}

const readNow = (folder: string) => readRepository(folder, fixture.model.tokenizer, null);

async function currentOf(folder: string) {
  const { version, layout, vector } = (await fixture.adapter(folder).loadVersion())!;
  const ledger = (await readLedger(fixture.adapter(folder).path, version.note.ledger)) ?? emptyLedger();
  return { version, layout, vector, ledger };
}

const lessonKeys = (ledger: Ledger) => [...ledger.lessons.keys()];

test('a budget that does not reach everything is not the end: what was not visited is told, and is trained next', async () => {
  const folder = await fixture.repository('too-much', manyModules(60));
  // Each reading of the clock is a second later, and a step takes two: fast machines reach no more than slow ones.
  let seconds = 0;
  const clock = () => {
    seconds += 1;
    return 1000 * seconds;
  };
  const minutes = 10 / 60;
  const first = await fixture.absorb(folder, { minutes }, { clock });
  expect(first).toMatchObject({ end: 'budget', version: 1 });
  const one = await currentOf(folder);
  expect(one.version.note).toMatchObject({ complete: false, whole: false });
  const { documents } = await readNow(folder);
  const unlearned = unlearnedPaths(one.ledger, documents);
  const reached = new Set([...one.ledger.lessons.values()].map(({ path }) => path));
  const unreached = documents.filter(({ path }) => !reached.has(path)).map(({ path }) => path);
  expect(unreached.length).toBeGreaterThan(0);
  expect(reached.size).toBeGreaterThan(0);
  expect(unlearned).toEqual(expect.arrayContaining(unreached));
  // The first in order of importance come first.
  expect(unreached).toEqual(documents.slice(-unreached.length).map(({ path }) => path));
  const known = documents.filter(({ path }) => one.ledger.documents.get(path)!.correct > 0);
  expect(known.length).toBeLessThanOrEqual(reached.size);
  expect(first.absorbed).toBeCloseTo(Number(one.version.note.absorbed));

  const second = await fixture.absorb(folder, { minutes }, { clock });
  expect(second.steps).toBeGreaterThan(0);
  const two = await currentOf(folder);
  expect(lessonKeys(two.ledger)).toEqual(expect.arrayContaining(lessonKeys(one.ledger)));
  expect(lessonKeys(two.ledger).length).toBeGreaterThan(lessonKeys(one.ledger).length);

  let rest = await fixture.absorb(folder, { epochs: 1 });
  for (let more = 0; more < 3 && rest.end !== 'unchanged'; more++) rest = await fixture.absorb(folder, { epochs: 1 });
  expect(rest.end).toBe('unchanged');
  const { version, ledger } = await currentOf(folder);
  expect(version.note).toMatchObject({ complete: true, whole: true });
  expect(unlearnedPaths(ledger, documents)).toEqual([]);
  expect(await fixture.adapter(folder).loadCheckpoint()).toBeNull();
});

test('what is named to be learned first is known when the budget ends early', async () => {
  const folder = await fixture.repository('named-first', manyModules(30));
  let seconds = 0;
  const clock = () => {
    seconds += 1;
    return 1000 * seconds;
  };
  const first = ['src/module9.ts', 'src/module8.ts'];
  expect(await fixture.absorb(folder, { minutes: 20 / 60, first }, { clock })).toMatchObject({ end: 'budget' });
  const { documents } = await readNow(folder);
  // By path alone they come last.
  expect(documents.slice(-2).map(({ path }) => path)).toEqual([...first].reverse());
  const { ledger } = await currentOf(folder);
  const unlearned = unlearnedPaths(ledger, documents);
  expect(unlearned.length).toBeGreaterThan(0);
  expect(unlearned.filter((path) => first.includes(path))).toEqual([]);
});

test('without its checkpoint an unfinished absorption goes on from its version', async () => {
  const folder = await fixture.repository('no-checkpoint', manyModules(12));
  await fixture.absorbAndStop(folder, 4);
  const before = await currentOf(folder);
  await fixture.adapter(folder).removeCheckpoints();
  const visited: number[] = [];
  const rest = await fixture.absorb(folder, { epochs: 2 }, { onProgress: ({ step = 0 }) => visited.push(step) });
  expect(rest).toMatchObject({ end: 'budget', version: 2 });
  const after = await currentOf(folder);
  expect(after.version.note).toMatchObject({ complete: true, whole: true });
  const twice = [...after.ledger.lessons].filter(([key, { visits }]) => key.startsWith('segment') && visits === 2);
  // Each segment twice: those that the version knew were left out of the first epoch.
  expect(twice.length).toBe([...after.ledger.lessons.keys()].filter((key) => key.startsWith('segment')).length);
  expect(before.ledger.lessons.size).toBeGreaterThan(0);
});

test('a file that changes before an unfinished absorption goes on is trained, and what was not reached too', async () => {
  const folder = await fixture.repository('changed-before', manyModules(12));
  await fixture.absorbAndStop(folder, 4);
  await writeTo(join(folder, 'src/module3.ts'), moduleText('otherwise', 4711));
  const rest = await fixture.absorb(folder, { epochs: 1 });
  expect(rest.end).toBe('budget');
  const { version, ledger } = await currentOf(folder);
  expect(version.note).toMatchObject({ complete: true, whole: true, tree: rest.repository.tree });
  expect(unlearnedPaths(ledger, rest.repository.documents)).toEqual([]);
});

test('an edit of what an unfinished absorption has learned is learned before it goes on, from where it was', async () => {
  const files = manyModules(30);
  const folder = await fixture.repository('edited-between', files);
  await fixture.absorbAndStop(folder, 6);
  const before = await currentOf(folder);
  const checkpoint = (await fixture.adapter(folder).loadCheckpoint())!;
  const isLearned = (ledger: Ledger, path: string) =>
    [...ledger.lessons.values()].some((lesson) => lesson.path === path);
  const path = Object.keys(files).find((one) => isLearned(before.ledger, one))!;
  const missing = Object.keys(files).filter((one) => !isLearned(before.ledger, one));
  expect(missing.length).toBeGreaterThan(0);
  await writeTo(join(folder, path), files[path]!.replace(/= \d+/, '= 4711'));

  const stop = new AbortController();
  let saved = 0;
  let between: Awaited<ReturnType<typeof currentOf>> | null = null;
  let kept: typeof checkpoint | null = null;
  const result = await fixture.absorb(
    folder,
    { epochs: 2 },
    {
      signal: stop.signal,
      onProgress: ({ phase }) => {
        if (phase === 'save') saved += 1;
      },
      whileRunning: async () => {
        if (saved === 0 || between !== null) return;
        between = await currentOf(folder);
        kept = await fixture.adapter(folder).loadCheckpoint();
        stop.abort();
      },
    },
  );
  expect(result.end).toBe('cancelled');
  const { version, ledger, vector } = between!;
  expect(version.note).toMatchObject({ complete: false, whole: false });
  expect(ledger.documents.get(path)!.hash).not.toBe(before.ledger.documents.get(path)!.hash);
  expect(ledger.documents.get(path)!.unlearned).toBe(0);
  for (const one of missing) expect(isLearned(ledger, one)).toBe(false);
  // The rest goes on where it was, with what was learned since.
  const { state, vector: keptVector } = kept!;
  expect(state).toEqual(checkpoint.state);
  expect(keptVector.length).toBe(vector.length);
  expect(keptVector.findIndex((value, i) => value !== vector[i])).toBe(-1);

  const rest = await fixture.absorb(folder, { epochs: 2 });
  const after = await currentOf(folder);
  expect(after.version.note).toMatchObject({ complete: true, whole: true });
  expect(unlearnedPaths(after.ledger, rest.repository.documents)).toEqual([]);
});

test('where only edits are asked for nothing else is trained', async () => {
  const files = manyModules(30);
  const folder = await fixture.repository('edits-only', files);
  const editsOnly = true;
  expect(await fixture.absorb(folder, { editsOnly })).toMatchObject({ end: 'unchanged', version: null, steps: 0 });
  await fixture.absorbAndStop(folder, 6);
  const before = await currentOf(folder);
  const unlearned = unlearnedPaths(before.ledger, (await readNow(folder)).documents);
  expect(await fixture.absorb(folder, { editsOnly })).toMatchObject({ end: 'unchanged', version: 1, steps: 0 });
  const path = [...before.ledger.lessons.values()][0]!.path;
  await writeTo(join(folder, path), files[path]!.replace(/= \d+/, '= 4711'));
  const edited = await fixture.absorb(folder, { editsOnly });
  expect(edited).toMatchObject({ end: 'saturated', version: 2 });
  const { ledger } = await currentOf(folder);
  expect(ledger.documents.get(path)!.hash).not.toBe(before.ledger.documents.get(path)!.hash);
  expect(unlearnedPaths(ledger, edited.repository.documents)).toEqual(unlearned.filter((one) => one !== path));
  expect((await fixture.adapter(folder).loadCheckpoint())!.state).toMatchObject({ work: 'full' });
});

test('the seed and the order go on with the absorption that was stopped, whatever is asked for later', async () => {
  const whole = await fixture.repository('seeded-whole', smallRepository());
  const folder = await fixture.repository('seeded', smallRepository());
  await fixture.absorb(whole, { epochs: 2, seed: 5, first: ['src/hotel.ts'] });
  await fixture.absorbAndStop(folder, 3, { epochs: 2, seed: 5, first: ['src/hotel.ts'] });
  await fixture.absorb(folder, { epochs: 2, first: ['src/delta.ts'] });
  // Two vectors that differ would take minutes to print.
  const [one, other] = [(await currentOf(folder)).vector, (await currentOf(whole)).vector];
  expect(one.length).toBe(other.length);
  expect(one.findIndex((value, i) => value !== other[i])).toBe(-1);
});

test.each([3, 7])(
  'stopped after %i steps, the share is what measuring everything gives, to within 2 points',
  async (steps) => {
    const folder = await fixture.repository(`stopped-${steps}`, manyModules(40));
    const stopped = await fixture.absorbAndStop(folder, steps, { epochs: 4 }, { secondsBetweenSamples: 0 });
    expect(stopped).toMatchObject({ end: 'cancelled', version: 1 });
    const { ledger, layout, vector } = await currentOf(folder);
    const repository = await readNow(folder);
    const { documents, tokens, tokenCount } = repository;
    expect(stopped.absorbed).toBe(shareKnown(ledger, documents, (path) => tokens.get(path)!.length));

    const { device, model } = fixture;
    const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings);
    const measurable = await openMeasurable(device, model, { layout, vector }, recipe.full.shape);
    const visited = documents.filter(({ path }) => ledger.documents.get(path)!.counted > 0);
    expect(visited.length).toBeLessThan(documents.length);
    let right = 0;
    for (const { path } of visited) {
      const items = recallItems(model, path, tokens.get(path)!, recipe.segmentLength);
      const count = (await measureItems(measurable, items, recipe.full.shape)).get(path)!;
      right += (tokens.get(path)!.length * count.correct) / count.counted;
    }
    await measurable.close();
    expect(stopped.absorbed).toBeGreaterThan(0);
    expect(Math.abs(stopped.absorbed - right / tokenCount)).toBeLessThan(0.02);
  },
);
