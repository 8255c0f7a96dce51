import { afterAll, beforeAll, expect, test } from 'vitest';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import {
  type Adapter,
  greedyAnswers,
  probeRepository,
  probesOf,
  scoreArm,
  tokenF1,
} from '../../native-host/study/probe.ts';
import { chosenFacts, type Repository, readRepository, treeOf } from '../../native-host/study/repository.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { moduleText, StudyFixture } from './study-fixture.ts';

const signal = new AbortController().signal;
let fixture: StudyFixture;
let repository: Repository;
let adapter: Adapter;

beforeAll(async () => {
  fixture = await StudyFixture.open();
  const files = { 'src/alpha.ts': moduleText('alpha', 1), 'src/bravo.ts': moduleText('bravo', 2) };
  const folder = await fixture.repository('probed', files);
  repository = await readRepository(folder, fixture.model.tokenizer, null);
  await fixture.absorb(folder, { epochs: 40 });
  const { layout, vector } = (await fixture.adapter(folder).loadVersion())!;
  adapter = { layout, vector };
});
afterAll(() => fixture.close());

test('token F1 is the harmonic mean of precision and recall over words', () => {
  expect(tokenF1('src/alpha.ts', 'src/alpha.ts')).toBe(1);
  expect(tokenF1('SRC alpha TS', 'src/alpha.ts')).toBe(1);
  expect(tokenF1('in src', 'src/alpha.ts')).toBeCloseTo((2 * 1) / (2 + 3));
  expect(tokenF1('number number', 'number')).toBeCloseTo(2 / 3);
  expect(tokenF1('', 'number')).toBe(0);
  expect(tokenF1('', '')).toBe(1);
  expect(tokenF1('naïve Größe', 'Größe')).toBeCloseTo(2 / 3);
});

test('probes are the same each time, each with a wording that is trained and one that never is', async () => {
  const recipe = recipeFor(fixture.model.parameters, fixture.model.config.maxPositionEmbeddings);
  const facts = await chosenFacts(repository, recipe);
  const probes = probesOf(facts, 12);
  expect(probes).toHaveLength(12);
  expect(probesOf(facts, 12)).toEqual(probes);
  expect(new Set(probes.map(({ fact }) => fact.id)).size).toBe(12);
  for (const { fact, trained, heldBack } of probes) {
    const wordings = wordingsOf(fact);
    expect(wordings.filter((wording) => !wording.heldBack).map(({ text }) => text)).toContain(trained);
    expect(wordings.filter((wording) => wording.heldBack).map(({ text }) => text)).toContain(heldBack);
    expect(wordings.filter((wording) => !wording.heldBack).map(({ text }) => text)).not.toContain(heldBack);
  }
});

test('the tree does not depend on the order of documents', () => {
  expect(treeOf(repository.documents)).toBe(treeOf(repository.documents.toReversed()));
  expect(treeOf(repository.documents)).toBe(repository.tree);
  expect(treeOf(repository.documents.slice(1))).not.toBe(repository.tree);
});

test('one pass over the wanted answer tells what greedy decoding would give', async () => {
  const { device, model } = fixture;
  const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings);
  const probes = probesOf(await chosenFacts(repository, recipe), 24);
  for (const arm of [adapter, null]) {
    const score = await scoreArm(device, model, arm, repository, probes, recipe, signal);
    for (const kind of ['trained', 'heldBack'] as const) {
      const questions = probes.map((probe) => probe[kind]);
      const answers = await greedyAnswers(device, model, arm, questions, 120, signal);
      expect(answers.map((answer, i) => answer === probes[i]!.fact.answer)).toEqual(score[kind]);
    }
    // Otherwise nothing was shown by the comparison.
    expect(score.trained.includes(true)).toBe(arm !== null);
  }
});

test('an adapter beside its base', async () => {
  const { device, model } = fixture;
  const score = await probeRepository(device, model, adapter, repository, 16, signal);
  expect(score.probes).toBe(16);
  expect(score.nextTokenAccuracy).toBeGreaterThan(score.baseNextTokenAccuracy);
  expect(score.trainedExactMatch).toBeGreaterThanOrEqual(score.baseTrainedExactMatch);
  expect(score.tokenF1).toBeGreaterThanOrEqual(score.exactMatch);
  const strata = Object.values(score.byStratum);
  expect(strata.reduce((total, { probes }) => total + probes, 0)).toBe(16);
  const matched = strata.reduce((total, { probes, exactMatch }) => total + probes * exactMatch, 0);
  expect(matched / 16).toBeCloseTo(score.exactMatch);
});
