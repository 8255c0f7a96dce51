// What a method adds to an absorption, on the device.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device } from '../../native-host/runtime/device.ts';
import { absorb } from '../../native-host/study/absorb.ts';
import { type MethodName, methodOf } from '../../native-host/study/method.ts';
import { readRepository } from '../../native-host/study/repository.ts';
import { shownTexts } from '../../native-host/study/shown-texts.ts';
import { Teaching, type TeachingMaterial } from '../../native-host/study/teaching.ts';
import type { Curriculum } from '../../native-host/train/lift.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { StudyFixture, smallRepository } from './study-fixture.ts';

let fixture: StudyFixture;
beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

const vectorOf = async (folder: string) => (await fixture.adapter(folder).loadVersion())!.vector;

/** Two vectors that differ would take minutes to print. */
async function expectSame(one: string, other: string, isSame = true) {
  const [left, right] = [await vectorOf(one), await vectorOf(other)];
  expect(left.length).toBe(right.length);
  expect(left.every((value, i) => value === right[i])).toBe(isSame);
}

/** Each reading is a second later: fast machines reach no more than slow ones. */
function slowClock() {
  let seconds = 0;
  return () => {
    seconds += 1;
    return 1000 * seconds;
  };
}

test('the base writes while training already goes on, and what it wrote is kept', async () => {
  const folder = await fixture.repository('pipeline', smallRepository());
  const events: string[] = [];
  const noting: Device = new Proxy(fixture.device, {
    get: (target, key: keyof Device) => {
      if (key !== 'compile') return (target[key] as () => unknown).bind(target);
      return async (...parameters: Parameters<Device['compile']>) => {
        const executable = await target.compile(...parameters);
        const { name } = parameters[0];
        const run: typeof executable.run = (inputs, options) => {
          if (name !== events.at(-1)) events.push(name);
          return executable.run(inputs, options);
        };
        return {
          run,
          createCache: () => executable.createCache(),
          release: () => executable.release(),
        };
      };
    },
  });
  const control = {
    signal: new AbortController().signal,
    onProgress: () => {},
    whileRunning: async () => {},
    clock: slowClock(),
  };
  const request = { epochs: 4, method: ['self-study', 'distillation'] as const };
  await absorb(noting, fixture.model, folder, fixture.adapter(folder), request, control);
  const writing = events.flatMap((name, i) => (name === 'decode' ? [i] : []));
  const steps = events.flatMap((name, i) => (name === 'update' ? [i] : []));
  expect(steps[0]!).toBeLessThan(writing[0]!);
  expect(steps.some((step) => step > writing[0]! && step < writing.at(-1)!)).toBe(true);
  expect((await readdir(join(fixture.adapter(folder).path, 'self-study'))).length).toBeGreaterThan(1);
});

test.each<[string, readonly MethodName[]]>([
  ['anchors', ['anchors', 'consolidation']],
  ['distractors', ['distractors', 'consolidation']],
])('%s: another training, and one that is interrupted comes to the same', async (name, method) => {
  const whole = await fixture.repository(`${name}-whole`, smallRepository());
  const plain = await fixture.repository(`${name}-plain`, smallRepository());
  const stopped = await fixture.repository(`${name}-stopped`, smallRepository());
  await fixture.absorb(whole, { epochs: 2, method });
  await fixture.absorb(plain, { epochs: 2, method: ['consolidation'] });
  await expectSame(whole, plain, false);
  await fixture.absorbAndStop(stopped, 3, { epochs: 2, method });
  await fixture.absorb(stopped, { epochs: 2, method });
  await expectSame(whole, stopped);
});

test('without a method it is the training that it always was', async () => {
  const one = await fixture.repository('usual', smallRepository());
  const other = await fixture.repository('none', smallRepository());
  await fixture.absorb(one, { epochs: 2 });
  await fixture.absorb(other, { epochs: 2, method: [] });
  await expectSame(one, other);
});

test('an epoch that is gone on with has what was written when it began', async () => {
  const folder = await fixture.repository('begun', smallRepository());
  const { documents, tokens } = await readRepository(folder, fixture.model.tokenizer, null);
  const material: TeachingMaterial = {
    documents,
    tokens,
    recipe: recipeFor(fixture.model.parameters, 512),
    isStudied: () => true,
    cacheFolder: null,
    clock: slowClock(),
  };
  const { signal } = new AbortController();
  const teaching = await Teaching.open(fixture.device, fixture.model, methodOf(['self-study']), material, signal);
  const plain: Curriculum = {
    epoch: () => ({ visits: [], inOrder: false, isWhole: true }),
  };
  const { epoch } = teaching.curriculum(plain, { epoch: 3, written: 5 });
  epoch(3, () => 0);
  expect(teaching.written).toBe(5);
  epoch(4, () => 0);
  expect(teaching.written).toBe(0);
  await teaching.close();
});

test('half of the questions stand alone, a quarter has other files beside it, a quarter these and the right one', async () => {
  const folder = await fixture.repository('shown', smallRepository());
  const { documents } = await readRepository(folder, fixture.model.tokenizer, null);
  const shown = shownTexts(fixture.model, documents, 512);
  const path = 'src/carol.ts';
  const contentAt = (choice: number) => shown('What is the value of carolLimit?', '114', path, choice)?.at(-1)?.content;
  for (const choice of [0, 0.3, 0.49]) expect(contentAt(choice)).toBeUndefined();
  for (const choice of [0.5, 0.74]) {
    expect(contentAt(choice)).toMatch(/^\[(src\/\w+\.ts|README\.md)\]\n/);
    expect(contentAt(choice)).not.toContain(`[${path}]`);
  }
  for (const choice of [0.75, 0.99]) expect(contentAt(choice)).toContain(`[${path}]\n`);
  // A row that has no room for them is left as it is.
  expect(shownTexts(fixture.model, documents, 40)('What is the value of carolLimit?', '114', path, 0.9)).toBeNull();
});
