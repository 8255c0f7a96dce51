// Which documents matter most, for a budget that does not reach all of them.
import { posix } from 'node:path';
import type { Document } from './documents.ts';

const manifests =
  /^(package\.json|pyproject\.toml|setup\.(py|cfg)|cargo\.toml|go\.mod|pom\.xml|build\.gradle(\.kts)?|cmakelists\.txt|makefile|composer\.json|gemfile|deno\.json|tsconfig\.json|dockerfile)$/i;
const entryNames = /^(index|main|mod|lib|app|cli|server|__init__|__main__)\.[a-z]+$/i;
const testParts =
  /(^|\/)(tests?|__tests__|specs?|e2e|fixtures?|__fixtures__|__mocks__|mocks?|testdata|snapshots|__snapshots__|benchmarks?|bench)(\/|$)|[._-](test|spec|bench)\.[a-z]+$|(^|\/)test_[^/]*\.py$|_test\.(go|py|c|cc|cpp|rb)$|Tests?\.java$/i;
const generatedParts =
  /(^|\/)(dist|build|out|lib-?(cjs|esm|umd|es5)|umd|cjs|esm|generated|__generated__|gen|coverage|vendor|vendored|third_?party)(\/|$)|\.(generated|gen|pb|g)\.[a-z]+$|_pb2?\.(py|js|ts)$|\.bundle\.[a-z]+$/i;
const dataLanguages = new Set(['json', 'yaml', 'xml', 'ini', 'toml', 'text', 'html', 'css', 'scss', 'less', 'sql']);

/** Whether a path looks like the output of a build, or like code that others keep. */
export function isGenerated(path: string): boolean {
  return generatedParts.test(path);
}

/** Whether a path looks like a test or what a test needs. */
export function isTest(path: string): boolean {
  return testParts.test(path);
}

/** Whether a file's name is one that others come in by. */
export function isEntryName(name: string): boolean {
  return entryNames.test(name);
}

/**
 * The documents, most important first: the README, package manifests, entry points, other sources, documentation, tests, data and
 * settings, generated files; within each the ones nearer to the root first, then by path.
 */
export function byImportance(documents: readonly Document[]): Document[] {
  const ranked = documents.map((document) => ({
    document,
    rank: rankOf(document),
    depth: document.path.split('/').length,
  }));
  ranked.sort((a, b) => a.rank - b.rank || a.depth - b.depth || (a.document.path < b.document.path ? -1 : 1));
  return ranked.map(({ document }) => document);
}

/** At most so many of the files that were changed lately come before all others. */
const mostRecent = 24;

export interface Use {
  /** What the user has at hand: paths of files, or of folders for all in them. */
  first: readonly string[];
  /** The latest first. */
  recent: readonly string[];
  /** How much leans on each source (import-rank.ts). */
  ranks: ReadonlyMap<string, number>;
}

/**
 * As byImportance, in the order that absorbing takes: what is at hand comes first, then sources that were changed
 * lately, and the other sources by how much leans on them.
 */
export function byUse(documents: readonly Document[], { first, recent, ranks }: Use): Document[] {
  const placeOf = (path: string) => first.findIndex((named) => path === named || path.startsWith(`${named}/`));
  const changed = recent.filter((path) => ranks.has(path)).slice(0, mostRecent);
  const placed = byImportance(documents).map((document) => {
    const { path } = document;
    const [atHand, latest] = [placeOf(path), changed.indexOf(path)];
    if (atHand >= 0) return { document, group: -2, place: atHand };
    if (latest >= 0) return { document, group: -1, place: latest };
    const group = rankOf(document);
    return group === 2 || group === 3
      ? { document, group: 2, place: -(ranks.get(path) ?? 0) }
      : { document, group, place: 0 };
  });
  // Sorting keeps the order of importance where all else is equal.
  placed.sort((a, b) => a.group - b.group || a.place - b.place);
  return placed.map(({ document }) => document);
}

function rankOf({ path, language }: Document): number {
  const name = posix.basename(path);
  const depth = path.split('/').length;
  const prose = language === 'markdown' || language === 'restructuredtext';
  if (/^readme(\.|$)/i.test(name) && depth === 1) return 0;
  if (isGenerated(path)) return 9;
  if (isTest(path)) return 6;
  if (manifests.test(name)) return depth === 1 ? 1 : 5;
  if (
    /^(changelog|history|changes|releases?|authors|contributors|licen[cs]e|copying|notice|code_of_conduct)(\.|$)/i.test(
      name,
    )
  )
    return 8;
  if (prose) return depth <= 2 || /^readme\./i.test(name) ? 4 : 5;
  if (dataLanguages.has(language)) return 7;
  if (/\.d\.[cm]?ts$/.test(name)) return 4;
  return entryNames.test(name) ? 2 : 3;
}
