/** Differences between arms, question by question. */
import { comparedArms } from './arms.ts';
import { bootstrapDifference } from './bootstrap.ts';
import type { ArmResult, Comparison } from './eval-result.ts';

export interface MeasuredArm {
  result: ArmResult;
  /** For each probe 1 or 0, and for each reference answer its mean −log p. */
  exact: readonly number[];
  nlls: readonly number[];
}

/** The pairs that say something, each kind of adapter with its own and with the base. */
export function comparisonsOf(measured: readonly MeasuredArm[], seed: number): Comparison[] {
  return comparedArms.flatMap(([left, right]) => {
    const isPair = (a: ArmResult, b: ArmResult) =>
      a.arm === left && b.arm === right && (b.adapterKind === null || a.adapterKind === b.adapterKind);
    return measured.flatMap((one) =>
      measured
        .filter((other) => isPair(one.result, other.result))
        .map((other) => ({
          left: one.result.name,
          right: other.result.name,
          exactMatch: bootstrapDifference(one.exact, other.exact, seed),
          referenceNll: one.nlls.length === 0 ? null : bootstrapDifference(one.nlls, other.nlls, seed),
        })),
    );
  });
}
