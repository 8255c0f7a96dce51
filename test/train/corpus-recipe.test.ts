import { describe, expect, test } from 'vitest';
import { adapterLayout } from '../../native-host/model/adapter-init.ts';
import { parseModelConfig } from '../../native-host/model/config.ts';
import { recipeForCorpus, refreshMinutes } from '../../native-host/train/corpus-recipe.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { tinyConfig } from '../fixtures/tiny-model.ts';

/** That of SmolLM2-135M. */
const shape = {
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  head_dim: 64,
  vocab_size: 49152,
  max_position_embeddings: 8192,
};
const config = parseModelConfig(tinyConfig({ config: shape }), 'shape');
const model = { parameters: 134_515_008, config };
const parametersOfRank = 30 * (2 * (576 + 576) + 2 * (576 + 192) + 3 * (576 + 1536));
const layoutOf = (rank: number) => adapterLayout(config, { kind: 'lora', rank, alpha: 2 * rank });

test('a small repository gets what every repository of the model got', () => {
  const { recipe, reason } = recipeForCorpus(model, 43_000, {}, null);
  expect(recipe).toEqual(recipeFor(model.parameters, 8192));
  expect(layoutOf(32).length).toBe(32 * parametersOfRank);
  expect(reason).toBe(
    'LoRA of rank 32: 9.8 million parameters, room for about 3.3 million tokens. ' +
      'At most 60 minutes; less where more would gain little.',
  );
});

describe('a large one gets', () => {
  test.each([
    [3_200_000, 32],
    [3_300_000, 64],
    [6_600_000, 128],
    [100_000_000, 256],
  ])('for %i tokens rank %i', (tokens, rank) => {
    const { adapter } = recipeForCorpus(model, tokens, {}, null).recipe;
    expect(adapter).toEqual({ kind: 'lora', rank, alpha: 2 * rank });
  });

  test.each([
    [128_000, 60],
    [256_000, 120],
    [5_000_000, 480],
  ])('for %i tokens %i minutes', (tokens, minutes) => {
    const { recipe } = recipeForCorpus(model, tokens, {}, null);
    expect(recipe.fullBudget).toEqual({ ...recipeFor(model.parameters, 8192).fullBudget, minutes });
  });

  test('both with the reason', () => {
    expect(recipeForCorpus(model, 256_000, {}, null).reason).toContain(
      'At most 120 minutes, 60 for each 128,000 tokens; less where',
    );
    expect(recipeForCorpus(model, 100_000_000, {}, null).reason).toMatch(
      /rank 256: 78 million parameters, room for about 26 million of 100 million tokens: not all will be known\. .*up to a night/,
    );
  });
});

test.each([
  [8_000_000, 'full', 'muon', 2],
  [8_000_000, 'lora', 'muon', 2],
  [8_000_000, 'gatedMemory', 'adamw', 1],
  [134_515_008, 'full', 'adamw', 16],
  [134_515_008, 'lora', 'adamw', 16],
] as const)('%i parameters as %s are trained with %s', (parameters, kind, name, batches) => {
  const { optimizer, full } = recipeFor(parameters, 1024, kind);
  expect(optimizer.name).toBe(name);
  expect(full.batchesPerStep).toBe(batches);
});

test('a text loses as much between two visits, however many tokens come between', () => {
  const small = { parameters: 8_000_000, config };
  const decayFor = (tokens: number) => recipeForCorpus(small, tokens, {}, null).recipe.optimizer.weightDecay;
  const usual = recipeFor(small.parameters, 8192).optimizer.weightDecay;
  expect(decayFor(2_000)).toBe(usual);
  expect(decayFor(50_000)).toBe(usual);
  expect(decayFor(1_000_000)).toBeCloseTo(usual / 20, 10);
});

test.each(['full', 'lora'] as const)('a refresh of %s takes nothing off what is known', (kind) => {
  const { optimizer, refreshOptimizer } = recipeFor(8_000_000, 1024, kind);
  expect(optimizer).toMatchObject({ name: 'muon', weightDecay: expect.any(Number) });
  expect(refreshOptimizer).toEqual({ ...optimizer, weightDecay: 0 });
  expect(optimizer).not.toEqual(refreshOptimizer);
});

test('the optimizer that is asked for comes with its own rate', () => {
  const { recipe } = recipeForCorpus(model, 43_000, { optimizer: 'muon' }, null);
  const usual = recipeFor(model.parameters, 8192);
  expect(recipe.optimizer.name).toBe('muon');
  expect(recipe.full.learningRate).toBeGreaterThan(usual.full.learningRate);
  expect(recipe.full.shape).toEqual(usual.full.shape);
});

test('what is asked for wins', () => {
  const asked = { rank: 8, epochs: 3 };
  const { recipe, reason } = recipeForCorpus(model, 10_000_000, asked, layoutOf(64));
  expect(recipe.adapter).toEqual({ kind: 'lora', rank: 8, alpha: 16 });
  expect(reason).toMatch(/^LoRA of rank 8, as asked for: .*At most 3 epochs, as asked for\.$/);
});

test('the rank of the adapter that there is stays until it is far too low', () => {
  const rankOf = (tokens: number, current: number) => {
    return recipeForCorpus(model, tokens, {}, layoutOf(current)).recipe.adapter.rank;
  };
  expect(rankOf(3_300_000, 32)).toBe(32);
  expect(rankOf(6_600_000, 32)).toBe(128);
  expect(rankOf(10_000, 128)).toBe(128);
});

test('a dense change of a tiny model has the room that it has, and it is said when that is too little', () => {
  const tiny = parseModelConfig(tinyConfig(), 'tiny');
  const { recipe, reason } = recipeForCorpus({ parameters: 100_000, config: tiny }, 50_000, {}, null);
  expect(recipe).toEqual(recipeFor(100_000, 512));
  expect(reason).toMatch(
    /^Every matrix: 74,000 parameters, room for about 25,000 of 50,000 tokens: not all will be known/,
  );
});

test('a refresh has two minutes, and of much as many for a token as absorbing everything', () => {
  const recipe = recipeFor(model.parameters, 8192);
  expect([0, 100, 4266].map((tokens) => refreshMinutes(recipe, tokens))).toEqual([2, 2, 2]);
  expect(refreshMinutes(recipe, 12_800)).toBe(6);
  expect(refreshMinutes(recipe, 128_000)).toBe(recipe.fullBudget.minutes);
});
