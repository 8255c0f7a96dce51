import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planAbsorption } from '../../native-host/study/absorption-plan.ts';
import { readLedger } from '../../native-host/study/ledger.ts';
import { lessonsOf, readKnowledge, readRepository } from '../../native-host/study/repository.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { StudyFixture } from './study-fixture.ts';

let fixture: StudyFixture;

beforeAll(async () => {
  fixture = await StudyFixture.open();
});
afterAll(() => fixture.close());

test('a refresh after a removal trains every question that was learned about it, answered with that', async () => {
  const { model } = fixture;
  const file = (name: string) => `export function ${name}Things(${name}Count, ${name}Name) {}\n`;
  const files = Object.fromEntries(
    ['open', 'close', 'sort', 'find', 'print'].map((name) => [`${name}.js`, file(name)]),
  );
  const folder = await fixture.repository('gone', files);
  await fixture.absorb(folder, { epochs: 1 });
  await rm(join(folder, 'sort.js'));

  const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings);
  const repository = await readRepository(folder, model.tokenizer, null);
  const knowledge = await readKnowledge(repository, recipe);
  const current = await fixture.adapter(folder).loadVersion();
  const plan = planAbsorption({
    text: model,
    recipe,
    layout: current!.layout,
    request: { editsOnly: true },
    repository,
    lessons: await lessonsOf(model, repository, knowledge, recipe),
    snapshot: knowledge.snapshot,
    current,
    ledger: (await readLedger(fixture.adapter(folder).path, current!.version.note.ledger))!,
    interrupted: null,
  });
  const asked = plan!.fresh.map((lesson) => model.tokenizer.decode([...lesson.item(0, true).tokens]));
  const gone = asked.filter((text) => text.includes('removed'));
  for (const question of [
    'What are the parameters of sortThings?',
    'Where is sortThings defined?',
    'Which symbols does sort.js define?',
  ])
    expect(
      gone.filter((text) => text.includes(question)),
      question,
    ).toHaveLength(1);
  for (const text of gone) expect(text).toMatch(/sort/);
  expect(plan!.optimizer).toEqual(recipe.refreshOptimizer);
});
