import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lookup } from '../../native-host/study/lookup.ts';
import { readRepository } from '../../native-host/study/repository.ts';
import { moduleText, StudyFixture, smallRepository, writeTo } from './study-fixture.ts';

let fixture: StudyFixture;

beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

const read = (folder: string) => readRepository(folder, fixture.model.tokenizer, null);

/** All that answers are made with. */
function seen(lookup: Lookup) {
  const paths = [...lookup.paths].sort();
  const places = [...lookup.symbols].map(([name, at]) => [name, at] as const);
  return {
    lines: paths.map((path) => [path, lookup.lineCount(path)]),
    places: places.sort(([a], [b]) => (a < b ? -1 : 1)),
    outline: lookup.outline(),
    found: lookup.evidence
      .search('Where is nextBravo defined?', 3)
      .map(({ path, startLine, text }) => [path, startLine, text]),
    words: ['bravoLimit', 'zuluLimit', 'echoLimit', 'nothingLikeIt'].map((word) => lookup.evidence.has(word)),
  };
}

test('brought from tree to tree it knows what one that is made anew knows', async () => {
  const folder = await fixture.repository('looked-up', smallRepository());
  const lookup = new Lookup(fixture.model.tokenizer);
  const { tokenizer } = fixture.model;
  const expectAsNew = async () => {
    const repository = await read(folder);
    await lookup.bringTo(repository);
    const anew = new Lookup(tokenizer);
    await anew.bringTo(repository);
    expect(seen(lookup)).toEqual(seen(anew));
  };
  await expectAsNew();
  expect(seen(lookup).words).toEqual([true, false, true, false]);
  // One edited, one new, one removed.
  await writeTo(join(folder, 'src/bravo.ts'), `// Moved by two lines.\n\n${moduleText('bravo', 4711)}`);
  await writeTo(join(folder, 'src/zulu.ts'), moduleText('zulu', 26));
  await rm(join(folder, 'src/echo.ts'));
  await expectAsNew();
  expect(seen(lookup).words).toEqual([true, true, false, false]);
  expect(lookup.symbols.get('nextBravo')).toMatchObject([{ path: 'src/bravo.ts', startLine: 7 }]);
});

test('what is searched is ready before the rest, and of the tree that was asked for', async () => {
  const folder = await fixture.repository('searched', smallRepository());
  const lookup = new Lookup(fixture.model.tokenizer);
  const first = await read(folder);
  await lookup.bringEvidenceTo(first);
  expect(lookup.evidence.search('Where is nextBravo defined?', 1)).toMatchObject([{ path: 'src/bravo.ts' }]);
  expect(lookup.symbols.size).toBe(0);
  await lookup.bringTo(first);
  expect(lookup.symbols.get('nextBravo')).toHaveLength(1);
  await rm(join(folder, 'src/bravo.ts'));
  const second = await read(folder);
  await lookup.bringEvidenceTo(second);
  expect(lookup.evidence.has('bravoLimit')).toBe(false);
  expect(lookup.paths.has('src/bravo.ts')).toBe(true);
  await lookup.bringTo(second);
  expect(lookup.paths.has('src/bravo.ts')).toBe(false);
  expect(lookup.symbols.has('nextBravo')).toBe(false);
});

test('stopped on the way, it goes on the next time', async () => {
  const folder = await fixture.repository('stopped-on-the-way', smallRepository());
  const repository = await read(folder);
  const lookup = new Lookup(fixture.model.tokenizer);
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await expect(lookup.bringTo(repository, stop.signal)).rejects.toThrow('enough');
  await lookup.bringTo(repository);
  expect(lookup.symbols.get('nextBravo')).toHaveLength(1);
});
