/**
 * The recipe of a model for a corpus of a given size: rank and minutes that suit it, with the reason.
 *
 * What the base cannot predict of a text has to go into the adapter. Trained a thousand times, a parameter stores about 2
 * bits, and about 1 after a hundred times (Allen-Zhu & Li, "Physics of Language Models: Part 3.3, Knowledge Capacity
 * Scaling Laws", 2024); an absorption visits a token some tens of times, so 1 is reckoned with, and 3 bits for a token of
 * code or prose that the base has not seen. A rank that is higher than asked for costs time and four vectors of memory.
 */
import type { OptimizerSettings } from '../graph/ops/optimizer.ts';
import { adapterLayout } from '../model/adapter-init.ts';
import type { AdapterKind, AdapterLayout } from '../model/adapter-layout.ts';
import type { ModelConfig } from '../model/config.ts';
import { type Recipe, recipeFor, usualMinutes } from './recipe.ts';

const parametersPerToken = 3;
const highestRank = 256;
/** Up to so many tokens the usual minutes are for all of them; beyond, as many again for as many tokens more. */
export const tokensOfUsualBudget = 128_000;
/** Up to so many tokens the recipe's weight decay is for. */
const tokensOfUsualDecay = 50_000;
/** A night. */
const mostMinutes = 8 * 60;

export interface Asked {
  kind?: AdapterKind | undefined;
  rank?: number | undefined;
  epochs?: number | undefined;
  minutes?: number | undefined;
  share?: BudgetShare | undefined;
  optimizer?: OptimizerSettings['name'] | undefined;
}

/** The minutes of one of several adapters that share a budget, and that budget. */
export interface BudgetShare {
  minutes: number;
  of: number;
}

export interface CorpusRecipe {
  recipe: Recipe;
  /** A line for people. */
  reason: string;
}

/**
 * `asked` wins over what the size suggests. `current`: the layout of the adapter that there is; its rank stays while it is
 * at least half of what the size suggests, since with another one everything would be trained from zero.
 */
export function recipeForCorpus(
  { parameters, config }: { parameters: number; config: ModelConfig },
  tokens: number,
  asked: Asked,
  current: AdapterLayout | null,
): CorpusRecipe {
  const window = config.maxPositionEmbeddings;
  const usual = recipeFor(parameters, window, asked.kind);
  const needed = parametersPerToken * tokens;
  const sizeOf = (rank: number) => adapterLayout(config, { ...usual.adapter, rank }).length;
  const { kind, rank: usualRank } = usual.adapter;
  let rank = usualRank;
  if (kind === 'lora') while (rank < highestRank && sizeOf(rank) < needed) rank *= 2;
  const before = current?.kind === 'lora' ? current.rank : null;
  const keeps = asked.rank === undefined && kind === 'lora' && before !== null && before !== rank && 2 * before >= rank;
  const chosen = asked.rank ?? (keeps ? before : rank);
  const minutes = asked.share?.minutes ?? minutesFor(usual, tokens);
  const recipe = recipeFor(parameters, window, asked.kind, chosen, asked.optimizer);
  const why = asked.rank !== undefined ? ', as asked for' : keeps ? ', as it was' : '';
  const name = { lora: `LoRA of rank ${chosen}`, full: 'Every matrix', gatedMemory: 'Gated Memory' }[kind];
  const size = sizeOf(chosen);
  const room =
    size >= needed
      ? `room for about ${count(size / parametersPerToken)} tokens`
      : `room for about ${count(size / parametersPerToken)} of ${count(tokens)} tokens: not all will be known`;
  return {
    recipe: { ...recipe, optimizer: decayed(recipe, tokens), fullBudget: { ...recipe.fullBudget, minutes } },
    reason: `${name}${why}: ${count(size)} parameters, ${room}. ${budgetText(asked, minutes, usual.fullBudget.minutes)}`,
  };
}

/**
 * With less weight decay for a large corpus, in which a text comes again after more steps: it loses as much between two visits. Source: Wang &
 * Aitchison, "How to set AdamW's weight decay as you scale model and dataset size", 2024.
 */
function decayed({ optimizer }: Recipe, tokens: number): OptimizerSettings {
  return { ...optimizer, weightDecay: optimizer.weightDecay * Math.min(1, tokensOfUsualDecay / tokens) };
}

/** What the size of a corpus suggests for absorbing it from the start. */
export function minutesFor({ fullBudget }: Recipe, tokens: number): number {
  return Math.min(mostMinutes, Math.round(fullBudget.minutes * Math.max(1, tokens / tokensOfUsualBudget)));
}

/** At most so long a refresh takes that has so many tokens to learn. */
export function refreshMinutes({ refreshBudget }: Recipe, tokens: number): number {
  return Math.max(refreshBudget.minutes, (usualMinutes * tokens) / tokensOfUsualBudget);
}

function budgetText({ epochs, minutes: asked, share }: Asked, minutes: number, usual: number): string {
  if (share !== undefined) {
    const why = asked === undefined ? 'less where more would gain little' : 'as asked for';
    return `At most ${count(share.minutes)} minutes, its share of ${count(share.of)}; ${why}.`;
  }
  if (asked !== undefined || epochs !== undefined) {
    const counted = (value: number, one: string) => `${value} ${value === 1 ? one : `${one}s`}`;
    const limits = [
      ...(asked === undefined ? [] : [counted(asked, 'minute')]),
      ...(epochs === undefined ? [] : [counted(epochs, 'epoch')]),
    ];
    return `At most ${limits.join(' and ')}, as asked for.`;
  }
  const why = minutes > usual ? `, ${usual} for each ${tokensOfUsualBudget.toLocaleString('en-US')} tokens` : '';
  return `At most ${minutes} minutes${why}${minutes === mostMinutes ? ' up to a night' : ''}; less where more would gain little.`;
}

/** Two significant digits, in words where there are many. */
function count(value: number): string {
  const rounded = Number(value.toPrecision(2));
  return rounded >= 1e6 ? `${rounded / 1e6} million` : rounded.toLocaleString('en-US');
}
