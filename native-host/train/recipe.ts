/** The recipe for a base model of a given size: adapter, lengths, rates. DESIGN: measured values are in bench/RESULTS.md. */

import { defaultStride } from '../corpus/segments.ts';
import type { OptimizerSettings } from '../graph/ops/optimizer.ts';
import type { AdapterSettings } from '../model/adapter-init.ts';
import type { AdapterKind } from '../model/adapter-layout.ts';
import type { FrozenWeights } from '../model/coded-weights.ts';
import { longestSegment } from './items.ts';
import type { LiftBudget, LiftSettings } from './lift.ts';
import { adamwOfPaper } from './trainer.ts';

export interface Recipe {
  adapter: AdapterSettings;
  segmentLength: number;
  stride: number;
  /** Tokens of the document's head and tail that are shown before each segment. */
  contextTokens: number;
  /** What a token of an answer counts in the loss; a segment's counts 1. */
  answerWeight: number;
  /** Most questions for each thousand tokens of the corpus. */
  questionsPerThousandTokens: number;
  /** How often a question is asked in an epoch, each time in another wording. */
  wordingsPerEpoch: number;
  /** The same while an epoch visits a part of the segments. */
  wordingsInEarlyEpochs: number;
  optimizer: OptimizerSettings;
  /** The same, but that it takes nothing off what is known. */
  refreshOptimizer: OptimizerSettings;
  full: Omit<LiftSettings, 'seed'>;
  fullBudget: LiftBudget;
  refresh: Omit<LiftSettings, 'seed'>;
  refreshBudget: LiftBudget;
}

// Up to this size a dense change of every matrix costs no more to train than LoRA's small products, and learns faster.
const tinyParameters = 20_000_000;
/** With a momentum of 0.8 and more, general ability suffers; with 0.5, fewer answers are learned. */
const muonWithoutDecay = { name: 'muon', momentum: 0.7, weightDecay: 0 } as const satisfies OptimizerSettings;
/** How Muon is held to the base; for a large corpus less. With more, fewer answers are learned; without, general ability suffers more. */
const weightDecays: Record<AdapterKind, number> = { full: 2, lora: 0.5, gatedMemory: 0 };
/** The most that absorbing a corpus of usual size takes. */
export const usualMinutes = 60;

/** `kind`, `rank` and `optimizer` override what the size suggests. `window`: the model's longest context. */
export function recipeFor(
  parameters: number,
  window: number,
  kind?: AdapterKind,
  rank = 32,
  optimizer?: OptimizerSettings['name'],
): Recipe {
  const tiny = parameters <= tinyParameters;
  const adapter: AdapterSettings = { kind: kind ?? (tiny ? 'full' : 'lora'), rank, alpha: 2 * rank };
  const contextTokens = window >= 4096 ? 256 : 0;
  const segmentRow = 256;
  // A run on the device cannot be cut short: a larger model takes one row at a time, so that a stop or a question does
  // not wait for long, and has as many rows in a step.
  const shape = { rows: tiny ? 4 : 1, length: segmentRow + contextTokens };
  const segmentLength = longestSegment(segmentRow);
  // Where it was measured it teaches much more than AdamW in the same time (bench/ABLATION.md).
  const isMuon = (optimizer ?? (tiny && adapter.kind !== 'gatedMemory' ? 'muon' : 'adamw')) === 'muon';
  const learningRate = isMuon ? muonRateFor(parameters, adapter.kind) : adamwRateFor(parameters, adapter.kind);
  const warmUpSteps = isMuon ? 10 : 20;
  const weightDecay = weightDecays[adapter.kind];
  // Muon's step costs about half as much as a small batch's gradient: two batches share it.
  const batchesPerFullStep = !tiny ? 16 : isMuon ? 2 : 1;
  return {
    adapter,
    segmentLength,
    stride: defaultStride(segmentLength),
    contextTokens,
    answerWeight: 3,
    questionsPerThousandTokens: 40,
    wordingsPerEpoch: 2,
    wordingsInEarlyEpochs: 4,
    optimizer: isMuon ? { ...muonWithoutDecay, weightDecay } : adamwOfPaper,
    refreshOptimizer: isMuon ? muonWithoutDecay : adamwOfPaper,
    full: { shape, warmUpSteps, batchesPerStep: batchesPerFullStep, learningRate, lastRate: 0.02, annealing: 'budget' },
    fullBudget: { epochs: 20, minutes: usualMinutes, smallestGain: 0.003, enough: 0.99 },
    refresh: {
      shape,
      warmUpSteps: isMuon ? 3 : warmUpSteps,
      batchesPerStep: tiny ? 1 : 4,
      learningRate: learningRate / 4,
      lastRate: 0.1,
      annealing: 'epoch',
    },
    refreshBudget: { epochs: 40, minutes: 2, smallestGain: -1, enough: 1, patience: { share: 0.9, epochs: 5 } },
  };
}

/** What was asked for, or where matrices lie in codes, which cannot change as a whole, LoRA; undefined: as the size suggests. */
export function kindFor({ coded }: FrozenWeights, asked?: AdapterKind): AdapterKind | undefined {
  return asked ?? (coded === undefined ? undefined : 'lora');
}

/** The same without head and tail of the document before a segment, in rows that are as much shorter. */
export function withoutContext(recipe: Recipe): Recipe {
  const shorter = ({ shape, ...settings }: Recipe['full']) => {
    return { ...settings, shape: { ...shape, length: shape.length - recipe.contextTokens } };
  };
  return { ...recipe, contextTokens: 0, full: shorter(recipe.full), refresh: shorter(recipe.refresh) };
}

/** The fewest tokens of a row in which a question, its answer and some texts fit. */
const rowWithTexts = 512;

/** The same in rows that have room for texts before a question: as many tokens in fewer rows, where there are several. */
export function withTexts(recipe: Recipe, window: number): Recipe {
  const longer = ({ shape: { rows, length }, ...settings }: Recipe['full']) => {
    const needed = Math.max(length, Math.min(window, rowWithTexts));
    return { ...settings, shape: { rows: Math.max(1, Math.floor((rows * length) / needed)), length: needed } };
  };
  return { ...recipe, full: longer(recipe.full), refresh: longer(recipe.refresh) };
}

function muonRateFor(parameters: number, kind: AdapterKind): number {
  return (kind === 'full' ? 6 : 3) * adamwRateFor(parameters, kind);
}

/** Starting values, larger for smaller models. */
function adamwRateFor(parameters: number, kind: AdapterKind): number {
  if (parameters <= tinyParameters) return kind === 'full' ? 1e-3 : 3e-3;
  if (kind === 'gatedMemory') return 1e-3;
  if (parameters <= 1_500_000_000) return 5e-4;
  return parameters <= 4_000_000_000 ? 3e-4 : 2e-4;
}
