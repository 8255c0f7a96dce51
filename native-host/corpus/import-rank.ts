/**
 * How much of a repository leans on each of its sources: PageRank over its imports. A reader starts at any file, four times as
 * often at one that a package shows to others, and mostly goes on to what the file imports. Counting importers instead
 * would stop at files that only pass on what others declare, and would miss what hubs themselves stand on.
 * Source: Page, Brin, Motwani, Winograd, The PageRank Citation Ranking, 1998.
 */
import { posix } from 'node:path';
import type { Document } from './documents.ts';
import { isEntryName, isGenerated, isTest } from './importance.ts';
import { packagesOf } from './packages.ts';
import type { SourceFile } from './questions/repository.ts';

const following = 0.85;
const entryWeight = 4;
const rounds = 40;

/** By path, of the files that are neither tests nor generated; together 1. */
export function importRanks(
  documents: readonly Document[],
  files: readonly Pick<SourceFile, 'path' | 'imports' | 'resolved'>[],
): Map<string, number> {
  const packages = packagesOf(documents);
  const sources = files.filter(({ path }) => !isTest(path) && !isGenerated(path));
  const indexOf = new Map(sources.map(({ path }, i) => [path, i]));
  const targets = sources.map(({ path, imports, resolved }) => {
    const found = imports.map(({ module }) => indexOf.get(resolved.get(module) ?? packages.documentOf(module) ?? ''));
    const own = indexOf.get(path);
    return [...new Set(found)].filter((target) => target !== undefined && target !== own) as number[];
  });
  const isEntry = (path: string) => packages.entries.has(path) || isEntryName(posix.basename(path));
  const weights = sources.map(({ path }) => (isEntry(path) ? entryWeight : 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const start = Float64Array.from(weights, (weight) => weight / total);
  let ranks = start;
  for (let round = 0; round < rounds; round++) {
    const next = new Float64Array(sources.length);
    let ended = 0;
    targets.forEach((followed, i) => {
      if (followed.length === 0) ended += ranks[i]!;
      for (const target of followed) next[target]! += ranks[i]! / followed.length;
    });
    // Where nothing is imported, the reader starts again.
    ranks = next.map((rank, i) => following * (rank + ended * start[i]!) + (1 - following) * start[i]!);
  }
  return new Map(sources.map(({ path }, i) => [path, ranks[i]!]));
}
