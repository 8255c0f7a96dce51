/** After how many refreshes everything is absorbed anew, from zero, and what an absorption has to learn. */
import type { AdapterVersion } from '../store/manifest.ts';
import type { AbsorbRequest } from './absorb.ts';
import { dirtyPaths, type Ledger, unlearnedSpans } from './ledger.ts';
import { methodOf } from './method.ts';
import type { Repository } from './repository.ts';

/** Of what was learned; where more changed, there is little to keep by replaying it. */
export const mostRefreshedShare = 0.5;
/** When refreshes have learned more of the corpus's tokens than this, */
const refreshedShare = 0.15;
/** or have cost so much of the share that was predicted right after everything was absorbed. */
const forgottenShare = 0.05;

/** Whether the refreshes since everything was last absorbed ask for absorbing it anew. */
export function isConsolidationDue(note: AdapterVersion['note']): boolean {
  const forgotten = Number(note.absorbedWhole ?? 0) - Number(note.absorbed ?? 0);
  const refreshed = Number(note.refreshedTokens ?? 0);
  return note.whole !== false && (forgotten > forgottenShare || refreshed > refreshedShare * Number(note.tokens));
}

/** Whether a request is for that, too, where it is due. */
export function asksForConsolidation(
  { editsOnly = false, method }: AbsorbRequest,
  note: AdapterVersion['note'],
): boolean {
  return !editsOnly && methodOf(method).has('consolidation') && isConsolidationDue(note);
}

/** How many tokens are not what a version learned. */
export function unlearnedTokens(ledger: Ledger, { tokens }: Repository): number {
  let unlearned = 0;
  for (const [path, ids] of tokens) {
    for (const { from, to } of unlearnedSpans(ledger, path, ids)) unlearned += to - from;
  }
  return unlearned;
}

/** About how many tokens a refresh has to learn, or an absorption of everything: what its time goes by. */
export function tokensToLearn(ledger: Ledger, repository: Repository): number {
  const unlearned = unlearnedTokens(ledger, repository);
  if (unlearned > mostRefreshedShare * repository.tokenCount) return repository.tokenCount;
  // What vanished is told, too.
  return unlearned === 0 && dirtyPaths(ledger, repository.documents).length > 0 ? 1 : unlearned;
}
