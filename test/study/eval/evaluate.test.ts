import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { armNames } from '../../../native-host/study/eval/arms.ts';
import type { EvalProgress, EvalRequest } from '../../../native-host/study/eval/eval-request.ts';
import type { EvalResult } from '../../../native-host/study/eval/eval-result.ts';
import { evaluate } from '../../../native-host/study/eval/evaluate.ts';
import { greedyAnswers, openMeasurable } from '../../../native-host/study/probe.ts';
import { type Repository, readRepository } from '../../../native-host/study/repository.ts';
import { questionItem } from '../../../native-host/train/items.ts';
import { measureItems } from '../../../native-host/train/measure.ts';
import { moduleText, StudyFixture } from '../study-fixture.ts';

const references = [
  { question: 'Where does alpha end?', answer: 'At alphaLimit, which is one.' },
  { question: 'And bravo?', answer: 'At two.', path: 'src/bravo.ts' },
];
const names = ['alpha', 'bravo'];
let fixture: StudyFixture;
let repository: Repository;
let other: Repository;
let result: EvalResult;
const reports: EvalProgress[] = [];

const run = (request: EvalRequest, signal = new AbortController().signal) =>
  evaluate(fixture.device, fixture.model, { repository, other }, request, {
    signal,
    onProgress: (report) => reports.push(report),
  });
const armOf = (name: string) => result.arms.find((arm) => arm.name === name)!;
const answersOf = (name: string) => result.questions.map(({ answers }) => answers[name]);

beforeAll(async () => {
  fixture = await StudyFixture.open();
  const read = async (name: string, modules: string[]) => {
    const files = modules.map((module, i) => [`src/${module}.ts`, moduleText(module, i + 1)]);
    const folder = await fixture.repository(name, { ...Object.fromEntries(files), 'notes.md': '# Notes\n\nNone.\n' });
    return readRepository(folder, fixture.model.tokenizer, null);
  };
  repository = await read('evaluated', names);
  other = await read('other', ['carol', 'delta']);
  result = await run({ epochs: 16, probes: 12, needles: 2, seed: 5, references });
}, 600_000);
afterAll(() => fixture.close());

describe('an evaluation', () => {
  test('asks every arm the same questions, in wordings that training never uses', () => {
    expect(result.arms.map(({ arm }) => arm).sort()).toEqual([...armNames].sort());
    expect(result.questions.filter(({ set }) => set === 'probe')).toHaveLength(12);
    expect(result.questions.filter(({ set }) => set === 'needle')).toHaveLength(2);
    for (const { answers } of result.questions) expect(Object.keys(answers).sort()).toEqual([...armNames].sort());
    for (const { probes, byStratum, needles } of result.arms) {
      expect(probes.questions).toBe(12);
      expect(needles!.questions).toBe(2);
      expect(Object.values(byStratum).reduce((sum, { questions }) => sum + questions, 0)).toBe(12);
    }
  });

  test('scores what was answered', () => {
    for (const { name, probes } of result.arms) {
      const asked = result.questions.filter(({ set }) => set === 'probe');
      const right = asked.filter(({ answer, answers }) => answers[name] === answer);
      expect(probes.exactMatch.mean).toBeCloseTo(right.length / asked.length, 12);
      expect(probes.tokenF1.mean).toBeGreaterThanOrEqual(probes.exactMatch.mean);
      expect(probes.exactMatch.low).toBeLessThanOrEqual(probes.exactMatch.mean);
      expect(probes.exactMatch.high).toBeGreaterThanOrEqual(probes.exactMatch.mean);
    }
  });

  test('answers of the base are those of the base', async () => {
    const questions = result.questions.map(({ question }) => question);
    const { device, model } = fixture;
    const answers = await greedyAnswers(device, model, null, questions, 48, new AbortController().signal);
    expect(answersOf('base')).toEqual(answers);
    // Of this kind, an adapter that was never trained changes nothing.
    expect(answersOf('zero')).toEqual(answers);
  });

  test('says what each training cost and gave', () => {
    expect(result.trainings.map(({ name }) => name)).toEqual([
      'segments',
      'questions',
      'everything',
      'distilled',
      'other repository',
    ]);
    for (const training of result.trainings) {
      const { steps, trainedTokens, seconds, cpuSeconds, peakBytes, parameters, curve, losses, byFolder } = training;
      for (const value of [steps, trainedTokens, seconds, cpuSeconds, peakBytes, parameters])
        expect(value).toBeGreaterThan(0);
      expect(curve[0]).toMatchObject({ seconds: 0, steps: 0, trainedTokens: 0 });
      expect(curve.at(-1)).toMatchObject({ seconds, steps, trainedTokens });
      expect(curve.length).toBeGreaterThan(5);
      expect(losses.at(-1)!.step).toBe(steps);
      expect(losses.length).toBeLessThanOrEqual(200);
      expect(byFolder.map(({ path }) => path).sort()).toEqual(['', 'src']);
    }
    const [, , everything, , wrong] = result.trainings;
    expect(everything!.nextTokenAccuracy).toBeGreaterThan(result.base.nextTokenAccuracy + 0.1);
    expect(everything!.nextTokenAccuracy).toBeGreaterThan(wrong!.nextTokenAccuracy);
    expect(everything!.general).not.toEqual(result.base.general);
    expect(wrong!.folder).toBe(other.folder);
  });

  test('measures reference answers under each arm, with what it is shown', async () => {
    const { device, model } = fixture;
    const shape = { rows: 1, length: 512 };
    const measurable = await openMeasurable(device, model, null, shape);
    const items = references.map(({ question, answer }, source) => ({
      ...questionItem(model, question, answer, 1),
      source,
    }));
    const counts = [...(await measureItems(measurable, items, shape)).values()];
    await measurable.close();
    const mean = counts.reduce((sum, { nll, counted }) => sum + nll / counted, 0) / counts.length;
    expect(armOf('base').references!.nll.mean).toBeCloseTo(mean, 4);
    expect(armOf('zero').references!.nll.mean).toBeCloseTo(mean, 4);
    expect(armOf('icl').references!.nll.mean).not.toBeCloseTo(mean, 4);
    for (const { references: measured } of result.arms) expect(measured!.questions).toBe(2);
  });

  test('shows texts to the arms that have them', () => {
    expect(armOf('base').promptTokens).toBe(armOf('lift').promptTokens);
    for (const name of ['icl', 'rag', 'lift+icl', 'lift+rag']) {
      expect(armOf(name).promptTokens).toBeGreaterThan(armOf('base').promptTokens + 50);
    }
  });

  test('compares arms pair by pair', () => {
    const difference = result.comparisons.find(({ left, right }) => left === 'lift' && right === 'base')!;
    const wanted = armOf('lift').probes.exactMatch.mean - armOf('base').probes.exactMatch.mean;
    expect(difference.exactMatch.mean).toBeCloseTo(wanted, 12);
    const nlls = armOf('lift').references!.nll.mean - armOf('base').references!.nll.mean;
    expect(difference.referenceNll!.mean).toBeCloseTo(nlls, 9);
    expect(result.comparisons.find(({ left }) => left === 'zero')!.exactMatch).toEqual({ mean: 0, low: 0, high: 0 });
  });

  test('is plain JSON, and tells how it goes', () => {
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(result).toMatchObject({
      format: 1,
      window: 512,
      seed: 5,
      budget: { minutes: null, epochs: 16, steps: null },
    });
    const stages = new Set(reports.map(({ stage, name }) => `${stage} ${name}`));
    for (const stage of ['measuring base', 'training segments', 'answering lift+rag']) expect(stages).toContain(stage);
  });
});

test('every training gets the same steps where steps are asked for', async () => {
  const folder = await fixture.repository('steps', { 'src/alpha.ts': moduleText('alpha', 1) });
  const small = await readRepository(folder, fixture.model.tokenizer, null);
  const control = { signal: new AbortController().signal, onProgress: () => {} };
  const request: EvalRequest = { arms: ['lift-segments', 'lift-questions', 'lift'], steps: 7, probes: 4, needles: 0 };
  const measured = await evaluate(fixture.device, fixture.model, { repository: small, other: null }, request, control);
  expect(measured.budget).toEqual({ minutes: null, epochs: null, steps: 7 });
  expect(measured.trainings.map(({ steps }) => steps)).toEqual([7, 7, 7]);
});

test('what is learned shows in every way that it is measured', async () => {
  const folder = await fixture.repository('learned', { 'src/alpha.ts': moduleText('alpha', 1) });
  const small = await readRepository(folder, fixture.model.tokenizer, null);
  const control = { signal: new AbortController().signal, onProgress: () => {} };
  const request: EvalRequest = { arms: ['base', 'lift-questions'], epochs: 80, probes: 12, needles: 0 };
  const learned = await evaluate(fixture.device, fixture.model, { repository: small, other: null }, request, control);
  const [base, lift] = learned.arms;
  const [training] = learned.trainings;
  expect(lift!.probes.exactMatch.mean).toBeGreaterThan(base!.probes.exactMatch.mean);
  // The curve is measured by teacher forcing, the arm by generating.
  expect(training!.curve.at(-1)!.exactMatch).toBeCloseTo(lift!.probes.exactMatch.mean, 12);
  expect(training!.trainedWordings).toBeGreaterThan(learned.base.trainedWordings);
  expect(training!.losses.at(-1)!.loss).toBeLessThan(training!.losses[0]!.loss * 0.7);
}, 600_000);

test('several kinds of adapters each have their own arms', async () => {
  const several = await run({
    arms: ['base', 'lift'],
    adapterKinds: ['lora', 'gatedMemory'],
    epochs: 1,
    probes: 3,
    needles: 0,
  });
  expect(several.arms.map(({ name }) => name)).toEqual(['base', 'lift (lora)', 'lift (gatedMemory)']);
  expect(several.trainings.map(({ adapterKind }) => adapterKind)).toEqual(['lora', 'gatedMemory']);
  expect(several.comparisons.map(({ left, right }) => `${left} ${right}`)).toEqual([
    'lift (lora) base',
    'lift (gatedMemory) base',
  ]);
  expect(several.arms[0]).toMatchObject({ needles: null, references: null });
});

test('a wrong repository and questions have to be there', async () => {
  const control = { signal: new AbortController().signal, onProgress: () => {} };
  const { device, model } = fixture;
  const alone = evaluate(device, model, { repository, other: null }, { arms: ['wrong'] }, control);
  await expect(alone).rejects.toThrow(/needs another repository/);
  const folder = await fixture.repository('empty', { 'empty.txt': '\n' });
  const empty = await readRepository(folder, model.tokenizer, null);
  const asked = evaluate(device, model, { repository: empty, other: null }, { epochs: 1 }, control);
  await expect(asked).rejects.toThrow(/nothing that a question could be made of/);
});

test.each(['training', 'answering'])('a stop while %s is an error, not a lower score', async (stage) => {
  const stop = new AbortController();
  const reason = new Error('stopped by the test');
  const control = {
    signal: stop.signal,
    onProgress: (report: EvalProgress) => {
      if (report.stage === stage) stop.abort(reason);
    },
  };
  const { device, model } = fixture;
  const stopped = evaluate(
    device,
    model,
    { repository, other: null },
    { arms: ['lift'], epochs: 2, probes: 4 },
    control,
  );
  await expect(stopped).rejects.toBe(reason);
});
