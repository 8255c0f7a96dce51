/** What all arms of an evaluation have in common: the text with its needles, and what is asked about it. */
import type { Fact } from '../../corpus/questions/fact.ts';
import type { BaseModel } from '../../model/open-model.ts';
import type { Recipe } from '../../train/recipe.ts';
import { type ProbeQuestion, probesOf } from '../probe.ts';
import { type Knowledge, type Repository, readKnowledge } from '../repository.ts';
import { Contexts } from './contexts.ts';
import { defaults, type EvalRequest } from './eval-request.ts';
import type { AskedQuestion } from './eval-result.ts';
import { plantNeedles } from './needles.ts';

export interface EvalMaterial {
  /** Of the repository as it is, so that no question of training is about a needle. */
  facts: Fact[];
  ranks: Knowledge['ranks'];
  /** The repository with needles. */
  planted: Repository;
  probes: readonly ProbeQuestion[];
  /** Probes, then needles; arms note their answers in them. */
  questions: AskedQuestion[];
  contexts: Contexts;
  /** Most tokens of prompt and answer together. */
  window: number;
}

/** Errors: Error where there is nothing to ask; the signal's reason where it aborts. */
export async function materialOf(
  model: BaseModel,
  repository: Repository,
  recipe: Recipe,
  window: number,
  request: EvalRequest,
  signal: AbortSignal,
): Promise<EvalMaterial> {
  const { needles: wantedNeedles, probes: mostProbes, seed } = { ...defaults, ...request };
  const { facts, ranks } = await readKnowledge(repository, recipe, signal);
  const probes = probesOf(facts, mostProbes);
  if (probes.length === 0) throw new Error(`${repository.folder} holds nothing that a question could be made of`);
  const { repository: planted, needles } = plantNeedles(repository, model.tokenizer, wantedNeedles, seed);
  const questions = [
    ...probes.map(({ fact: { stratum, path, answer }, heldBack }): AskedQuestion => {
      return { set: 'probe', stratum, path, question: heldBack, answer, answers: {} };
    }),
    ...needles.map(({ path, question, answer }): AskedQuestion => {
      return { set: 'needle', stratum: 'needles', path, question, answer, answers: {} };
    }),
  ];
  return { facts, ranks, planted, probes, questions, contexts: new Contexts(planted, model.tokenizer, window), window };
}
