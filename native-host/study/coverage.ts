/** What an adapter version knows of each document that a repository holds now. */
import type { CoverageEntry } from '../../protocol/host.ts';
import { type Ledger, unlearnedPaths } from './ledger.ts';
import type { Repository } from './repository.ts';

/** Most important documents first. */
export function coverageOf(ledger: Ledger, { documents, tokens }: Repository): CoverageEntry[] {
  const dirty = new Set(unlearnedPaths(ledger, documents));
  return documents.map(({ path, hash }) => {
    const learned = ledger.documents.get(path);
    const isKnown = learned?.hash === hash && learned.counted > 0;
    return {
      path,
      tokens: tokens.get(path)!.length,
      absorbed: isKnown ? learned.correct / learned.counted : 0,
      dirty: dirty.has(path),
    };
  });
}
