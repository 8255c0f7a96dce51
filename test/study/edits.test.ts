import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { emptyLedger, type Ledger, nextLedger, planLessons } from '../../native-host/study/ledger.ts';
import { lessonsOf, type Repository, readKnowledge, readRepository } from '../../native-host/study/repository.ts';
import type { Lesson } from '../../native-host/train/material.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { StudyFixture } from './study-fixture.ts';

let fixture: StudyFixture;
let folder: string;
let original: string;
const file = () => join(folder, 'lib/command.js');

beforeAll(async () => {
  fixture = await StudyFixture.open();
  const source = fileURLToPath(new URL('../../node_modules/commander/lib/command.js', import.meta.url));
  original = await readFile(source, 'utf8');
  expect(original.split('\n').length).toBeGreaterThan(2000);
  folder = await fixture.repository('command', { 'lib/command.js': original, 'README.md': '# Command\n\nText.\n' });
});
afterAll(() => fixture.close());

async function read(): Promise<{ repository: Repository; lessons: Lesson[]; segments: Lesson[] }> {
  const { parameters, config, tokenizer } = fixture.model;
  const recipe = recipeFor(parameters, config.maxPositionEmbeddings);
  const repository = await readRepository(folder, tokenizer, null);
  const knowledge = await readKnowledge(repository, recipe);
  const lessons = await lessonsOf(fixture.model, repository, knowledge, recipe);
  return { repository, lessons, segments: lessons.filter(({ kind }) => kind === 'segment') };
}

/** The ledger after everything in `trained` was trained. */
function learned(before: Ledger, { documents, tokens }: Repository, lessons: readonly Lesson[], trained = lessons) {
  const visited = new Map(trained.map((lesson) => [lesson, { visits: 1, last: null }]));
  const counts = new Map(documents.map(({ path }) => [path, { correct: 1, counted: 1 }]));
  const snapshot = { documents: [], symbols: [] };
  return nextLedger(before, { lessons, visited, documents, tokens, counts, snapshot });
}

async function planOf(ledger: Ledger) {
  const now = await read();
  const plan = planLessons(ledger, now.lessons, now.repository.tokens);
  return { ...now, plan, fresh: plan.fresh.filter(({ kind }) => kind === 'segment') };
}

/** The text that a segment covers. */
function textOf(repository: Repository, { path, start, size }: Lesson): string {
  return fixture.model.tokenizer.decode([...repository.tokens.get(path)!.subarray(start, start + size)]);
}

function withLine(text: string, line: number, added: string): string {
  return text.split('\n').toSpliced(line, 0, added).join('\n');
}

test('one line that is put in near the top of a long file asks for the segments that cover it, and no others', async () => {
  await writeFile(file(), original);
  const first = await read();
  const ledger = learned(emptyLedger(), first.repository, first.lessons);
  expect((await planOf(ledger)).plan.fresh).toEqual([]);

  await writeFile(file(), withLine(original, 20, '// A sentence of which nothing was known until now.'));
  const edited = await planOf(ledger);
  expect(edited.segments.length).toBeGreaterThan(100);
  expect(edited.fresh.length).toBeGreaterThan(0);
  expect(edited.fresh.length).toBeLessThanOrEqual(6);
  const covering = edited.segments.filter((segment) =>
    textOf(edited.repository, segment).includes('nothing was known'),
  );
  expect(covering.length).toBeGreaterThan(0);
  for (const segment of covering) expect(edited.fresh).toContain(segment);
});

test('lines that are taken out ask for what has come together', async () => {
  await writeFile(file(), original);
  const first = await read();
  const ledger = learned(emptyLedger(), first.repository, first.lessons);
  await writeFile(file(), original.split('\n').toSpliced(30, 5).join('\n'));
  const edited = await planOf(ledger);
  expect(edited.fresh.length).toBeGreaterThan(0);
  expect(edited.fresh.length).toBeLessThanOrEqual(6);
});

test('an edit, its training, and undoing it: what the edit contradicted is trained again', async () => {
  await writeFile(file(), original);
  const first = await read();
  const knowsX = learned(emptyLedger(), first.repository, first.lessons);
  const line = original.split('\n').findIndex((text) => text.includes('this._allowUnknownOption = false;'));
  expect(line).toBeGreaterThan(0);
  await writeFile(file(), original.replace('this._allowUnknownOption = false;', 'this._allowUnknownOption = 17 + 4;'));
  const y = await planOf(knowsX);
  expect(y.fresh.length).toBeGreaterThan(0);
  const knowsY = learned({ ...knowsX }, y.repository, y.lessons, [...y.plan.fresh, ...y.plan.known]);

  await writeFile(file(), original);
  const x = await planOf(knowsY);
  const covering = x.segments.filter((one) => textOf(x.repository, one).includes('this._allowUnknownOption = false;'));
  expect(covering.length).toBeGreaterThan(0);
  for (const segment of covering) expect(x.fresh).toContain(segment);
  expect(x.fresh.length).toBeLessThanOrEqual(8);
});

test('a segment of an edit that was not reached stays to be trained, also after the next edit elsewhere', async () => {
  await writeFile(file(), original);
  const first = await read();
  const ledger = learned(emptyLedger(), first.repository, first.lessons);
  const once = withLine(original, 20, '// A sentence of which nothing was known until now.');
  await writeFile(file(), once);
  const edited = await planOf(ledger);
  const [unreached] = edited.fresh;
  const reached = [...edited.plan.known, ...edited.plan.fresh].filter((lesson) => lesson !== unreached);
  const after = learned(ledger, edited.repository, edited.lessons, reached);
  expect((await planOf(after)).fresh).toContainEqual(expect.objectContaining({ hash: unreached!.hash }));

  await writeFile(file(), withLine(once, 1500, '// Another one, far below, of which nothing was known.'));
  const twice = await planOf(after);
  const starts = twice.fresh.map(({ start }) => start);
  expect(Math.min(...starts)).toBeLessThanOrEqual(unreached!.start + unreached!.size);
  expect(twice.fresh.some((one) => textOf(twice.repository, one).includes('far below'))).toBe(true);
  expect(twice.fresh.length).toBeLessThanOrEqual(14);
});
