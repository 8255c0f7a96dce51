/** What absorbing a repository from the start would take: asked before a user agrees to it. */
import type { AbsorbEstimateResult } from '../../protocol/host.ts';
import { momentsOf } from '../graph/ops/optimizer.ts';
import { adapterLayout, initialAdapter } from '../model/adapter-init.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import { recipeForCorpus } from '../train/corpus-recipe.ts';
import { pack } from '../train/packing.ts';
import { kindFor, type Recipe } from '../train/recipe.ts';
import { startState, Trainer } from '../train/trainer.ts';
import type { AbsorbRequest, FitToMemory } from './absorb.ts';
import { earlyEpochsOf } from './curriculum.ts';
import type { Repository } from './repository.ts';

/** A question with its answer and the chat form around both, as the embedded model's tokenizer counts them. */
const tokensOfQuestion = 50;
/** For each thousand tokens: packages of npm have 15 to 17. */
const usualQuestions = 17;
/** Absorbing seldom needs more: by then another epoch gains too little. */
const usualEpochs = 12;
const trialSteps = 3;
/** The two newest versions, and a checkpoint's vectors twice, since the next one is written before one goes. */
const storedVectors = ({ optimizer }: Recipe) => 2 + 2 * (1 + momentsOf(optimizer));

export interface EstimateRequest extends Pick<AbsorbRequest, 'minutes' | 'adapterKind' | 'rank'> {
  /** How many it would be absorbed into. */
  adapters: number;
}

/** Errors: as those of compiling and running on the device. */
export async function estimateAbsorption(
  device: Device,
  model: BaseModel,
  { documents, tokenCount, skipped }: Repository,
  { minutes, adapterKind, rank, adapters }: EstimateRequest,
  fitToMemory: FitToMemory,
): Promise<AbsorbEstimateResult> {
  const asked = { kind: kindFor(model, adapterKind), rank, minutes };
  const { recipe } = fitToMemory(recipeForCorpus(model, tokenCount, asked, null).recipe);
  const layout = adapterLayout(model.config, recipe.adapter);
  const rate = tokenCount === 0 ? 1 : await trainedTokensPerSecond(device, model, recipe);
  const seconds = tokensOfEpochs(recipe, tokenCount, usualEpochs) / rate;
  return {
    documents: documents.length,
    tokens: tokenCount,
    skipped: skipped.length,
    seconds: Math.min(seconds, 60 * (minutes ?? recipe.fullBudget.minutes)),
    bytes: tokenCount === 0 ? 0 : adapters * storedVectors(recipe) * layout.length * Float32Array.BYTES_PER_ELEMENT,
  };
}

/**
 * Tokens that so many epochs over a corpus of so many train: early ones segments of nearly all of it and questions in many
 * wordings, later ones all segments, which overlap, and fewer wordings.
 */
export function tokensOfEpochs(recipe: Recipe, tokenCount: number, epochs: number): number {
  const { segmentLength, stride, questionsPerThousandTokens, wordingsPerEpoch, wordingsInEarlyEpochs } = recipe;
  const overlap = segmentLength / stride;
  const asked = tokensOfQuestion * (Math.min(usualQuestions, questionsPerThousandTokens) / 1000);
  const early = Math.min(epochs, earlyEpochsOf(recipe));
  const ofEarly = overlap / Math.round(overlap) + wordingsInEarlyEpochs * asked;
  const ofLater = overlap + wordingsPerEpoch * asked;
  return tokenCount * (early * ofEarly + (epochs - early) * ofLater);
}

async function trainedTokensPerSecond(device: Device, model: BaseModel, recipe: Recipe): Promise<number> {
  const { optimizer } = recipe;
  const { shape, batchesPerStep, learningRate } = recipe.full;
  const layout = adapterLayout(model.config, recipe.adapter);
  const state = startState(initialAdapter(layout, 1), optimizer);
  const trainer = await Trainer.open(device, model, layout, state, { optimizer });
  try {
    const tokens = Array.from({ length: shape.length }, (_, index) => (index * 7919) % model.config.vocabSize);
    const item = { tokens, weights: tokens.map((_, index) => (index === 0 ? 0 : 1)), source: null };
    const [batch] = pack(
      Array.from({ length: shape.rows }, () => item),
      shape,
    );
    const step = async () => {
      const started = performance.now();
      await trainer.accumulate(batch!, batch!.totalWeight);
      const each = performance.now() - started;
      await trainer.takeStep(learningRate);
      return each + (performance.now() - started - each) / batchesPerStep;
    };
    await step();
    let best = Number.POSITIVE_INFINITY;
    for (let count = 0; count < trialSteps; count++) best = Math.min(best, await step());
    return (1000 * shape.rows * shape.length) / best;
  } finally {
    await trainer.close();
  }
}
