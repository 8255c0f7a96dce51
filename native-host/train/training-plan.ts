/** How a model can be trained in the memory that there is: the quickest of few ways that fits, and what the others cost. */
import { momentsOf } from '../graph/ops/optimizer.ts';
import { adapterLayout } from '../model/adapter-init.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Program } from '../runtime/device.ts';
import { type BatchShape, gradientProgram, updateProgram } from './program.ts';
import { type Recipe, withoutContext } from './recipe.ts';

export interface TrainingPlan {
  recipe: Recipe;
  recompute: boolean;
  /** What the whole process takes, weights included. */
  bytes: number;
  /** What it costs beside the quickest way, in words; null: nothing. */
  cost: string | null;
}

/** The process beside its programs and vectors. */
const processBytes = 0.12e9;
/** Zeros, parameters, moments and the gradient. */
const vectors = ({ optimizer }: Recipe) => 3 + momentsOf(optimizer);

/**
 * The ways to train, the quickest first, each with less memory than the one before. `bytesOf` is what a backend's programs
 * take with the weights that they read, which all of them share.
 */
export function* trainingPlans(
  config: ModelConfig,
  recipe: Recipe,
  bytesOf: (program: Program) => number,
): Generator<TrainingPlan, void> {
  const layout = adapterLayout(config, recipe.adapter);
  const beside = processBytes + vectors(recipe) * Float32Array.BYTES_PER_ELEMENT * layout.length;
  const update = bytesOf(updateProgram(layout, recipe.optimizer));
  const bytes = (shape: BatchShape, recompute: boolean) =>
    beside + update + bytesOf(gradientProgram(config, layout, shape, recompute));
  const { shape } = recipe.full;
  yield { recipe, recompute: false, bytes: bytes(shape, false), cost: null };
  const again = 'each layer is computed a second time, so that a step takes about 1.2 times as long';
  yield { recipe, recompute: true, bytes: bytes(shape, true), cost: again };
  const shorter = withoutContext(recipe);
  if (shorter.full.shape.length === shape.length) return;
  const cost = `${again}, and segments are learned without the head and tail of their document`;
  yield { recipe: shorter, recompute: true, bytes: bytes(shorter.full.shape, true), cost };
}

/** The quickest that `memory` bytes are enough for; otherwise the one that takes least, and `fits` is false. */
export function trainingPlan(
  config: ModelConfig,
  recipe: Recipe,
  bytesOf: (program: Program) => number,
  memory: number,
): TrainingPlan & { fits: boolean } {
  let last: TrainingPlan | undefined;
  for (const plan of trainingPlans(config, recipe, bytesOf)) {
    if (plan.bytes <= memory) return { ...plan, fits: true };
    last = plan;
  }
  return { ...last!, fits: false };
}
