/** What is known of a folder: of all of it, and of each package that has an adapter of its own. Shares are by tokens. */
import type { AbsorbResult, CoverageEntry, PackageStatus, StatusResult } from '../protocol/host.ts';
import type { BaseModel } from './model/open-model.ts';
import type { Arrangement } from './store/arrangement.ts';
import type { AbsorbedFolder } from './study/absorb-folder.ts';
import { type ChosenArrangement, chooseArrangement } from './study/arrangement.ts';
import { isConsolidationDue } from './study/consolidation.ts';
import { coverageOf } from './study/coverage.ts';
import type { ArrangedFolder, KnownPart } from './study/folder-adapters.ts';
import { emptyLedger, shareKnown, unlearnedPaths } from './study/ledger.ts';
import { packageFolders } from './study/parts.ts';
import type { Repository } from './study/repository.ts';
import { recipeForCorpus } from './train/corpus-recipe.ts';

export interface KnownFolder {
  repository: Repository;
  arranged: ArrangedFolder;
  parts: readonly KnownPart[];
}

export async function statusOf(
  base: BaseModel,
  { repository, arranged, parts }: KnownFolder,
): Promise<Omit<StatusResult, 'device' | 'model' | 'memoryBytes'>> {
  const { documents, tokenCount, skipped } = repository;
  const known = await Promise.all(parts.map(statusOfPart));
  const versions = parts.flatMap(({ current }) => (current === null ? [] : [current]));
  const newest = versions.toSorted((a, b) => b.created.localeCompare(a.created))[0];
  const sum = (value: (part: PackageStatus) => number) => known.reduce((total, part) => total + value(part), 0);
  const { arrangement, reason } = arrangementOf({ repository, arranged });
  const isOne = parts.length === 1;
  const answersStill =
    arrangement === 'whole' && !isOne ? ' Until it is finished, the adapters of packages answer.' : '';
  const recipe = newest === undefined ? recipeForCorpus(base, tokenCount, {}, null).reason : newest.note.recipe;
  const commit = newest?.note.commit;
  // One that answers for a package until that has its own is not what would be absorbed.
  const isDue = parts.some(({ current, byWhole }) => current !== null && !byWhole && isConsolidationDue(current.note));
  return {
    documents: documents.length,
    tokens: tokenCount,
    absorbed: sum(({ absorbed, tokens }) => absorbed * tokens) / Math.max(1, tokenCount),
    dirty: sum(({ dirty }) => dirty),
    skipped,
    version: newest === undefined ? null : Math.max(...versions.map(({ version }) => version)),
    absorbedAt: newest?.created ?? null,
    absorbedCommit: typeof commit === 'string' ? commit : null,
    // An adapter that answers for several packages lies there once.
    adapterBytes: [...new Set(versions)].reduce((total, { bytes }) => total + bytes, 0),
    ...(isDue ? { isConsolidationDue: true } : {}),
    ...(typeof recipe === 'string' && isOne && (newest !== undefined || arrangement === 'whole') ? { recipe } : {}),
    ...(reason === '' ? {} : { arrangement: reason + answersStill }),
    ...(isOne ? {} : { packages: known }),
  };
}

/** Most important documents first, package by package where each has an adapter. */
export async function coverageOfFolder({ parts }: KnownFolder): Promise<CoverageEntry[]> {
  const entries = parts.map(async (part) => coverageOf((await part.ledger()) ?? emptyLedger(), part.repository));
  return (await Promise.all(entries)).flat();
}

async function statusOfPart(part: KnownPart): Promise<PackageStatus> {
  const { documents, tokens, tokenCount } = part.repository;
  const ledger = (await part.ledger()) ?? emptyLedger();
  return {
    folder: part.package ?? '.',
    documents: documents.length,
    tokens: tokenCount,
    absorbed: part.current === null ? 0 : shareKnown(ledger, documents, (path) => tokens.get(path)!.length),
    dirty: unlearnedPaths(ledger, documents).length,
    version: part.current?.version ?? null,
    ...(part.byWhole ? { byWhole: true } : {}),
  };
}

/** As an absorption would arrange the adapters. */
export function arrangementOf(
  { repository, arranged }: Pick<KnownFolder, 'repository' | 'arranged'>,
  asked: Arrangement | 'auto' = 'auto',
): ChosenArrangement {
  const { arrangement: before, parts } = arranged;
  return chooseArrangement({ asked, before, packages: packageFolders(parts).length, tokens: repository.tokenCount });
}

/** What came of an absorption, as the contract has it. */
export function resultOf({ repository, packages, arrangement, ...result }: AbsorbedFolder): AbsorbResult {
  const { documents, tokenCount, skipped } = repository;
  const named = packages.map(({ package: folder, repository: { documents, tokenCount }, absorbed, dirty, version }) => {
    return { folder, documents: documents.length, tokens: tokenCount, absorbed, dirty, version };
  });
  const ofPackages = packages.length === 0 ? {} : { packages: named };
  const why = arrangement === '' ? {} : { arrangement };
  return { ...result, documents: documents.length, tokens: tokenCount, skipped, ...why, ...ofPackages };
}
