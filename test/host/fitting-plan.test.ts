import { expect, test } from 'vitest';
import { benchShapes } from '../../native-host/bench/shapes.ts';
import { devicePlans, fittedRecipe } from '../../native-host/fitting-plan.ts';
import { expectedTensors, type ModelConfig } from '../../native-host/model/config.ts';
import { programMemory } from '../../native-host/runtime/fitting.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import { trainingPlan, trainingPlans } from '../../native-host/train/training-plan.ts';

function sized(config: ModelConfig) {
  const parameters = [...expectedTensors(config).values()].reduce(
    (sum, shape) => sum + shape.reduce((a, b) => a * b),
    0,
  );
  return { config, parameters, recipe: recipeFor(parameters, config.maxPositionEmbeddings) };
}
const small = sized(benchShapes['135m']!);
const nano = sized(benchShapes.nano!);
const plansOf = ({ config, recipe }: typeof small) => [...trainingPlans(config, recipe, programMemory)];

test('each way takes less than the one before, and more than the weights; only the first costs nothing', () => {
  for (const model of [small, nano]) {
    const plans = plansOf(model);
    expect(plans.map(({ cost }) => cost === null)).toEqual(plans.map((_, i) => i === 0));
    for (const [i, { bytes }] of plans.entries()) {
      expect(bytes).toBeGreaterThan(4 * model.parameters);
      if (i > 0) expect(bytes).toBeLessThan(plans[i - 1]!.bytes);
    }
  }
  // The tiny model shows no context that it could do without.
  expect([plansOf(small).length, plansOf(nano).length]).toEqual([3, 2]);
});

test('the quickest way that fits is taken', () => {
  const { config, recipe } = small;
  const plans = plansOf(small);
  for (const [i, { bytes, ...plan }] of plans.entries()) {
    expect(trainingPlan(config, recipe, programMemory, bytes)).toEqual({ ...plan, bytes, fits: true });
    const next = plans[i + 1];
    const less = trainingPlan(config, recipe, programMemory, bytes - 1);
    expect(less).toEqual(next === undefined ? { ...plan, bytes, fits: false } : { ...next, fits: true });
  }
  const shortest = plans.at(-1)!.recipe;
  expect(shortest).toMatchObject({ contextTokens: 0, segmentLength: recipe.segmentLength });
  expect(shortest.full.shape).toEqual({ rows: 1, length: 256 });
  expect(shortest.refresh.shape).toEqual({ rows: 1, length: 256 });
});

test('the recipe of an absorption follows from the memory', () => {
  const { recipe, config } = small;
  const model = { config, weights: new Map() };
  const [plain, again, shorter] = plansOf(small).map(({ bytes }) => bytes) as [number, number, number];
  expect(fittedRecipe('cpu', model, recipe, plain)).toEqual({ recipe, cost: '' });
  const twice = fittedRecipe('cpu', model, recipe, again);
  expect(twice.recipe).toEqual(recipe);
  expect(twice.cost).toMatch(/^ In 1\.\d GB of memory each layer is computed a second time, .* 1\.2 times as long\.$/);
  expect(fittedRecipe('webgpu', model, recipe, shorter).recipe.contextTokens).toBe(0);
  // What was measured to fit is tried.
  expect(fittedRecipe('cpu', model, recipe, shorter - 1).recipe.contextTokens).toBe(0);
  // What a card has was seen when it was chosen.
  expect(fittedRecipe('cuda', model, recipe, 1)).toEqual({ recipe, cost: '' });
});

test('each device says what absorbing takes there', () => {
  const files = {
    onnxWorker: new URL('file:///none.js'),
    cudaWorker: new URL('file:///none.js'),
    kernels: '/none',
    driverLibrary: '/no/such/library.so',
  };
  const [cpu, webgpu, cuda] = devicePlans('small', small, files, 16e9);
  expect(cpu).toMatchObject({ device: 'cpu', fits: true });
  expect(cpu!.plan).toMatch(/^2\.\d GB of 16\.0 GB: batches of 1 × 512 tokens, nothing has to be computed twice\.$/);
  expect(webgpu).toMatchObject({ device: 'webgpu', fits: true });
  expect(cuda).toMatchObject({ device: 'cuda', fits: false });
  // Exact weights would take 1.3 GB at the least.
  const [tight] = devicePlans('small', small, files, 1.29e9);
  expect(tight).toMatchObject({ fits: true });
  expect(tight!.plan).toMatch(
    /of 1\.3 GB: frozen weights as int8, batches of 1 × 256 tokens, each layer is computed a second/,
  );
  const [none] = devicePlans('small', small, files, 0.5e9);
  expect(none).toMatchObject({ device: 'cpu', fits: false });
  expect(none!.plan).toMatch(/^small has 134 million parameters; absorbing with it takes about .* has 0\.5 GB/);
});
