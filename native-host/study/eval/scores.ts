/** Scores of answers, with how sure they are. */
import { tokenF1 } from '../probe.ts';
import { bootstrapMean } from './bootstrap.ts';
import type { EvalScore } from './eval-result.ts';

export interface Scored {
  stratum: string;
  /** 1 where the answer is the wanted one, else 0. */
  exact: number;
  f1: number;
}

export function scored(stratum: string, answer: string, wanted: string): Scored {
  return { stratum, exact: answer === wanted ? 1 : 0, f1: tokenF1(answer, wanted) };
}

export function scoreOf(answers: readonly Scored[], seed: number): EvalScore {
  return {
    questions: answers.length,
    exactMatch: bootstrapMean(
      answers.map(({ exact }) => exact),
      seed,
    ),
    tokenF1: bootstrapMean(
      answers.map(({ f1 }) => f1),
      seed,
    ),
  };
}

/** By stratum, in alphabetical order. */
export function scoresByStratum(answers: readonly Scored[], seed: number): Record<string, EvalScore> {
  const strata = [...new Set(answers.map(({ stratum }) => stratum))].sort();
  return Object.fromEntries(
    strata.map((stratum) => [
      stratum,
      scoreOf(
        answers.filter((answer) => answer.stratum === stratum),
        seed,
      ),
    ]),
  );
}
