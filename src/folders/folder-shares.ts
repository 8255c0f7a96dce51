/** How much of each folder of the first level is absorbed. */
import type { CoverageEntry } from '../../protocol/host.ts';
import type { FolderShare } from '../../protocol/view.ts';

/** Largest first, in tokens; '' holds the files beside the folders. A share is weighted by tokens. */
export function folderShares(documents: Iterable<CoverageEntry>): FolderShare[] {
  const sums = new Map<string, { tokens: number; known: number; dirty: number }>();
  for (const { path, tokens, absorbed, dirty } of documents) {
    const end = path.indexOf('/');
    const folder = end < 0 ? '' : path.slice(0, end);
    const sum = sums.get(folder) ?? { tokens: 0, known: 0, dirty: 0 };
    sum.tokens += tokens;
    sum.known += tokens * absorbed;
    sum.dirty += dirty ? 1 : 0;
    sums.set(folder, sum);
  }
  return [...sums]
    .map(([path, { tokens, known, dirty }]) => ({ path, tokens, absorbed: tokens === 0 ? 0 : known / tokens, dirty }))
    .sort((a, b) => b.tokens - a.tokens || (a.path < b.path ? -1 : 1));
}
