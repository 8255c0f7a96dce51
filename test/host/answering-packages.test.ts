// Questions about a monorepo of whose packages each has an adapter, and what is told and moved of these.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportAdapters, importAdapter, rollBack } from '../../native-host/adapter-transfers.ts';
import { Answering } from '../../native-host/answering.ts';
import { coverageOfFolder, resultOf, statusOf } from '../../native-host/folder-status.ts';
import { KnownFolders } from '../../native-host/known-folders.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import type { AskParams } from '../../protocol/host.ts';
import { moduleText, StudyFixture, smallMonorepo, smallRepository, writeTo } from '../study/study-fixture.ts';

let fixture: StudyFixture;
let folder: string;
let folders: KnownFolders;
let answering: Answering;

beforeAll(async () => {
  fixture = await StudyFixture.open();
  folder = await fixture.repository('asked', smallMonorepo());
  folders = new KnownFolders(fixture.model, fixture.store);
  answering = new Answering(fixture.device, fixture.model, folders);
});
afterAll(async () => {
  await answering.close();
  await fixture.close();
});

const { signal } = new AbortController();

function ask(question: string, params: Partial<AskParams> = {}, by = answering) {
  const asked = {
    folder,
    question,
    openFiles: [],
    useAdapter: true,
    evidence: 0,
    temperature: 0,
    topP: 1,
    maxTokens: 12,
    conversation: [],
    ...params,
  };
  return by.ask(asked, () => {}, signal);
}

const status = async () => statusOf(fixture.model, await folders.known(folder));

test('before anything is absorbed nothing is by package', async () => {
  expect(await ask('Where is nextAlpha defined?')).toMatchObject({ version: null });
  const told = await status();
  expect(told).toMatchObject({
    absorbed: 0,
    version: null,
    dirty: 11,
    arrangement: expect.stringMatching(/^One adapter/),
  });
  expect(told.packages).toBeUndefined();
  await expect(ask('Anything?', { package: 'packages/one' })).rejects.toThrow(/one adapter for all packages/);
});

test('the package that a question points at answers, by its own adapter alone', async () => {
  await fixture.absorbFolder(folder);
  const questions = {
    'packages/one': 'Where is nextAlpha defined?',
    'packages/two': 'What calls nextCarol?',
    'packages/three': 'What is echoLimit?',
  };
  for (const [name, question] of Object.entries(questions)) {
    expect(await ask(question)).toMatchObject({ package: name, version: 1 });
  }
  expect((await ask(questions['packages/one'], { package: 'packages/three' })).package).toBe('packages/three');
  expect((await ask('Where is nextAlpha defined?', { package: '.' })).package).toBe('.');
  await expect(ask('Anything?', { package: 'packages/four' })).rejects.toThrow(
    /there is no package packages\/four of \., packages\/one/,
  );
  expect(await ask(questions['packages/one'], { useAdapter: false })).not.toHaveProperty('package');
});

test('an answer is that of the adapter chosen, whatever was asked of others before', async () => {
  const distinct = await fixture.repository('distinct', smallMonorepo());
  await fixture.absorbFolder(distinct, { epochs: 1, packages: 'each' });
  const questions = {
    'packages/one': 'Where is nextAlpha defined?',
    'packages/two': 'What calls nextCarol?',
    'packages/three': 'What is echoLimit?',
  };
  // As different as adapters can be, so that each says something else.
  for (const [seed, name] of Object.keys(questions).entries()) {
    const adapter = fixture.adapters(distinct).ofPackage(name);
    const { layout, vector, version } = (await adapter.loadVersion())!;
    const normal = normalNumbers(seed + 1);
    await adapter.saveVersion(
      layout,
      vector.map(() => 0.2 * normal()),
      version.note,
    );
  }
  const by = (name: string, question: string, answers = answering) =>
    ask(question, { folder: distinct, package: name }, answers);
  const alone: Record<string, string> = {};
  for (const [name, question] of Object.entries(questions)) {
    const fresh = new Answering(fixture.device, fixture.model, folders);
    alone[name] = (await by(name, question, fresh)).answer;
    await fresh.close();
    expect((await by('packages/two', question)).answer === alone[name]).toBe(name === 'packages/two');
  }
  expect(new Set(Object.values(alone)).size).toBe(3);
  for (const [name, question] of [...Object.entries(questions), ...Object.entries(questions).reverse()]) {
    expect(await ask(question, { folder: distinct })).toMatchObject({ answer: alone[name], package: name, version: 2 });
  }
});

test('what is open decides where several packages are meant', async () => {
  const open = (path: string) => ({ openFiles: [{ path, text: 'x' }] });
  expect((await ask('What is this?', open('packages/two/delta.ts'))).package).toBe('packages/two');
  expect((await ask('What is this?', open('packages/one/bravo.ts'))).package).toBe('packages/one');
});

test('status adds up, package by package, and so does coverage', async () => {
  await writeTo(join(folder, 'packages/two/carol.ts'), moduleText('carol', 777));
  await writeTo(join(folder, 'packages/two/new.ts'), moduleText('new', 778));
  const told = await status();
  const { packages = [] } = told;
  expect(packages.map(({ folder, dirty, version }) => [folder, dirty, version])).toEqual([
    ['.', 0, 1],
    ['packages/one', 0, 1],
    ['packages/three', 0, 1],
    ['packages/two', 2, 1],
  ]);
  expect(told).toMatchObject({
    documents: 12,
    dirty: 2,
    version: 1,
    arrangement: expect.stringMatching(/each of 3 packages/),
  });
  expect(packages.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(told.tokens);
  expect(packages.reduce((sum, { documents }) => sum + documents, 0)).toBe(12);
  const byTokens = packages.reduce((sum, { tokens, absorbed }) => sum + tokens * absorbed, 0) / told.tokens;
  expect(told.absorbed).toBeCloseTo(byTokens, 10);
  const coverage = await coverageOfFolder(await folders.known(folder));
  expect(coverage).toHaveLength(12);
  expect(
    coverage
      .filter(({ dirty }) => dirty)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['packages/two/carol.ts', 'packages/two/new.ts']);
  expect(coverage.reduce((sum, { tokens, absorbed }) => sum + tokens * absorbed, 0) / told.tokens).toBeCloseTo(
    told.absorbed,
    10,
  );

  const result = resultOf(await fixture.absorbFolder(folder));
  expect(result).toMatchObject({ documents: 12, dirty: 0, version: 2 });
  expect(result.packages!.map(({ folder }) => folder).sort()).toEqual([
    '.',
    'packages/one',
    'packages/three',
    'packages/two',
  ]);
  expect((await status()).absorbed).toBeCloseTo(result.absorbed, 10);
});

test('export, import and rolling back are of one package each', async () => {
  const target = join(fixture.path, 'exported');
  const files = await exportAdapters(fixture.model, folders, folder, target);
  expect(files).toHaveLength(8);
  expect(readdirSync(join(target, 'packages')).sort()).toEqual(['one', 'three', 'two']);
  for (const file of files) expect(existsSync(file)).toBe(true);
  const alone = await exportAdapters(fixture.model, folders, folder, join(fixture.path, 'alone'), './packages/two/');
  expect(alone.every((file) => file.startsWith(join(fixture.path, 'alone', 'adapter_')))).toBe(true);

  await expect(rollBack(folders, folder)).rejects.toThrow(
    /name one of \., packages\/one, packages\/three, packages\/two/,
  );
  expect(await rollBack(folders, folder, 'packages/two')).toBe(1);
  expect((await status()).packages!.map(({ version }) => version)).toEqual([1, 1, 1, 1]);
  await expect(rollBack(folders, folder, 'packages/one')).rejects.toThrow(/no earlier version/);

  const source = join(target, 'packages/three');
  await expect(importAdapter(fixture.model, folders, folder, source)).rejects.toThrow(/name one of/);
  expect(await importAdapter(fixture.model, folders, folder, source, 'packages/three')).toBe(2);
  expect(await ask('What is echoLimit?')).toMatchObject({ package: 'packages/three', version: 2 });
});

test('an adapter that is damaged is that of its package alone', async () => {
  const damaged = await fixture.repository('damaged', smallMonorepo());
  await fixture.absorbFolder(damaged, { epochs: 1, packages: 'each' });
  rmSync(join(fixture.adapters(damaged).ofPackage('packages/one').path, 'versions'), { recursive: true });
  expect(await ask('What calls nextCarol?', { folder: damaged })).toMatchObject({ package: 'packages/two' });
  await expect(ask('Where is nextAlpha defined?', { folder: damaged })).rejects.toThrow(/damaged/);
});

test('while packages get adapters of their own, that of everything answers for the others', async () => {
  const changing = await fixture.repository('changing', smallMonorepo());
  await fixture.absorbFolder(changing, { epochs: 1 });
  expect(await ask('What calls nextCarol?', { folder: changing })).not.toHaveProperty('package');
  const stop = new AbortController();
  const onProgress = ({ package: turn }: { package?: { number: number } }) => turn?.number === 2 && stop.abort();
  const { packages } = await fixture.absorbFolder(
    changing,
    { epochs: 1, packages: 'each', first: ['packages/two'] },
    { signal: stop.signal, onProgress },
  );
  expect(packages[0]).toMatchObject({ package: 'packages/two', version: 1 });
  expect(await ask('What calls nextCarol?', { folder: changing })).toMatchObject({
    package: 'packages/two',
    version: 1,
  });
  expect(await ask('Where is nextAlpha defined?', { folder: changing })).not.toHaveProperty('package');
  const { packages: told = [], dirty } = await statusOf(fixture.model, await folders.known(changing));
  expect(told.map(({ folder, byWhole = false }) => [folder, byWhole])).toEqual([
    ['.', true],
    ['packages/one', true],
    ['packages/three', true],
    ['packages/two', false],
  ]);
  expect(told.every(({ absorbed }) => absorbed > 0)).toBe(true);
  expect(dirty).toBe(0);
  await expect(rollBack(folders, changing, 'packages/one')).rejects.toThrow(/no finished adapter of its own/);
  // What is exported is what packages have themselves.
  expect(await exportAdapters(fixture.model, folders, changing, join(fixture.path, 'changing-out'))).toHaveLength(2);
});

test('while one adapter for everything is not finished, those of the packages answer', async () => {
  const back = await fixture.repository('back', smallMonorepo());
  await fixture.absorbFolder(back, { epochs: 1, packages: 'each' });
  const stop = new AbortController();
  const onProgress = ({ phase }: { phase: string }) => phase === 'train' && stop.abort();
  const stopped = await fixture.absorbFolder(
    back,
    { epochs: 2, packages: 'whole' },
    { signal: stop.signal, onProgress },
  );
  expect(stopped).toMatchObject({ end: 'cancelled', version: 1, packages: [] });
  expect(await ask('What calls nextCarol?', { folder: back })).toMatchObject({ package: 'packages/two', version: 1 });
  const told = await statusOf(fixture.model, await folders.known(back));
  expect(told.arrangement).toMatch(
    /^One adapter for all 3 packages, as before\. Until it is finished, the adapters of/,
  );
  expect(told.packages).toHaveLength(4);
  await fixture.absorbFolder(back, { epochs: 2 });
  expect(await ask('What calls nextCarol?', { folder: back })).not.toHaveProperty('package');
  expect(await statusOf(fixture.model, await folders.known(back))).not.toHaveProperty('packages');
});

test('a folder without packages is as it was', async () => {
  const plain = await fixture.repository('plain', smallRepository());
  await fixture.absorbFolder(plain, { epochs: 1 });
  const told = await statusOf(fixture.model, await folders.known(plain));
  expect(told).not.toHaveProperty('packages');
  expect(told).not.toHaveProperty('arrangement');
  expect(told.recipe).toMatch(/parameters/);
  expect(await ask('What calls nextCarol?', { folder: plain })).toMatchObject({ version: 1 });
  expect(await exportAdapters(fixture.model, folders, plain, join(fixture.path, 'plain-out'))).toHaveLength(2);
  await expect(rollBack(folders, plain, 'src')).rejects.toThrow(/one adapter for all packages: name none/);
});
