/**
 * What an adapter version has learned: for each key the hash that was trained last, and for each document how much of
 * it is predicted right. One immutable file a version, so that going back to a version brings its ledger back, and so
 * that a hash that something else contradicted later never counts as known.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeSnapshot } from '../corpus/changes.ts';
import { makeFolder, namesIn, writeFileAtomically } from '../store/atomic-file.ts';
import type { Lesson } from '../train/material.ts';
import { addCounts, type TokenCount } from '../train/measure.ts';

export interface LearnedLesson {
  hash: string;
  path: string;
  /** How often it was trained, and its mean loss the last time. */
  visits: number;
  loss: number;
}

export interface LearnedDocument {
  hash: string;
  /** Tokens predicted right, of those that count, when last measured. */
  correct: number;
  counted: number;
}

export interface Ledger {
  /** By key. */
  lessons: Map<string, LearnedLesson>;
  /** By path. */
  documents: Map<string, LearnedDocument>;
  /** What was where, so that the next training can tell what moved. */
  snapshot: TreeSnapshot;
}

export function emptyLedger(snapshot: TreeSnapshot = { documents: [], symbols: [] }): Ledger {
  return { lessons: new Map(), documents: new Map(), snapshot };
}

/** A ledger in which every lesson was visited once. */
export function ledgerOf(lessons: readonly Lesson[]): Ledger {
  const learned = lessons.map((lesson): [string, LearnedLesson] => [
    ledgerKey(lesson),
    { hash: lesson.hash, path: lesson.path, visits: 1, loss: 0 },
  ]);
  return { ...emptyLedger(), lessons: new Map(learned) };
}

/** Share of the tokens of all documents that are predicted right; documents that were never measured count as unknown. */
export function shareKnown(
  ledger: Ledger,
  documents: readonly { path: string; hash: string }[],
  tokens: (path: string) => number,
): number {
  let known = 0;
  let total = 0;
  for (const { path, hash } of documents) {
    const size = tokens(path);
    const learned = ledger.documents.get(path);
    total += size;
    if (learned?.hash === hash && learned.counted > 0) known += size * (learned.correct / learned.counted);
  }
  return total === 0 ? 0 : known / total;
}

/** Paths whose text is not what the version learned, new ones and vanished ones included. */
export function dirtyPaths(ledger: Ledger, documents: readonly { path: string; hash: string }[]): string[] {
  const now = new Set(documents.map(({ path }) => path));
  const changed = documents
    .filter(({ path, hash }) => ledger.documents.get(path)?.hash !== hash)
    .map(({ path }) => path);
  return [...changed, ...[...ledger.documents.keys()].filter((path) => !now.has(path))];
}

export interface LessonPlan {
  /** Not known, or contradicted by what was trained later. */
  fresh: Lesson[];
  known: Lesson[];
}

/** Segments are known by what they hold, wherever in their file it stands; questions by their key. */
export function planLessons(ledger: Ledger, lessons: readonly Lesson[]): LessonPlan {
  const segmentHashes = new Set<string>();
  for (const [key, { hash }] of ledger.lessons) if (key.startsWith('segment ')) segmentHashes.add(hash);
  const plan: LessonPlan = { fresh: [], known: [] };
  for (const lesson of lessons) {
    const known =
      lesson.kind === 'segment'
        ? segmentHashes.has(lesson.hash)
        : ledger.lessons.get(ledgerKey(lesson))?.hash === lesson.hash;
    (known ? plan.known : plan.fresh).push(lesson);
  }
  return plan;
}

export function ledgerKey({ kind, key }: Pick<Lesson, 'kind' | 'key'>): string {
  return `${kind} ${key}`;
}

/** How often a lesson was trained in a training, and how it went the last time. */
export interface Visit {
  visits: number;
  last: TokenCount;
}

/**
 * What training itself saw of each document, for when it was stopped before it could be measured: segments that were
 * not visited count as their document was last measured, and as not known where it never was or has changed since.
 */
function countsOfVisited(
  lessons: readonly Lesson[],
  visited: ReadonlyMap<Lesson, Visit>,
  shareBefore: (path: string) => number,
): Map<string, TokenCount> {
  const counts = new Map<string, TokenCount>();
  if (visited.size === 0) return counts;
  for (const lesson of lessons) {
    if (lesson.kind !== 'segment') continue;
    const unseen = { correct: lesson.size * shareBefore(lesson.path), counted: lesson.size, nll: 0 };
    const count = visited.get(lesson)?.last ?? unseen;
    counts.set(lesson.path, addCounts(counts.get(lesson.path) ?? { correct: 0, counted: 0, nll: 0 }, count));
  }
  return counts;
}

/** The ledger after a training: only what is part of the corpus now stays. */
export function nextLedger(
  before: Ledger,
  lessons: readonly Lesson[],
  visited: ReadonlyMap<Lesson, Visit>,
  documents: readonly { path: string; hash: string }[],
  measured: ReadonlyMap<unknown, TokenCount>,
  snapshot: TreeSnapshot,
): Ledger {
  const ledger = emptyLedger(snapshot);
  const beforeByHash = new Map([...before.lessons.values()].map((lesson) => [lesson.hash, lesson]));
  for (const lesson of lessons) {
    const now = visited.get(lesson);
    const past = beforeByHash.get(lesson.hash);
    if (now === undefined && past === undefined) continue;
    const visits = (past?.visits ?? 0) + (now?.visits ?? 0);
    const loss = now === undefined ? past!.loss : now.last.nll / Math.max(1, now.last.counted);
    ledger.lessons.set(ledgerKey(lesson), { hash: lesson.hash, path: lesson.path, visits, loss });
  }
  const hashes = new Map(documents.map(({ path, hash }) => [path, hash]));
  const seen = countsOfVisited(lessons, visited, (path) => {
    const past = before.documents.get(path);
    return past?.hash === hashes.get(path) && past && past.counted > 0 ? past.correct / past.counted : 0;
  });
  for (const { path, hash } of documents) {
    const count = measured.get(path) ?? seen.get(path);
    const past = before.documents.get(path);
    if (count !== undefined) ledger.documents.set(path, { hash, correct: count.correct, counted: count.counted });
    else if (past?.hash === hash) ledger.documents.set(path, past);
    else ledger.documents.set(path, { hash, correct: 0, counted: 0 });
  }
  return ledger;
}

const fileOf = (adapterPath: string, name: string) => join(adapterPath, 'ledgers', `${name}.json`);

/** Writes a ledger under the name of its own hash and returns that, for the version's note. */
export async function writeLedger(adapterPath: string, ledger: Ledger): Promise<string> {
  const text = JSON.stringify({
    lessons: [...ledger.lessons],
    documents: [...ledger.documents],
    snapshot: ledger.snapshot,
  });
  const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
  await makeFolder(join(adapterPath, 'ledgers'));
  await writeFileAtomically(fileOf(adapterPath, name), [new TextEncoder().encode(text)]);
  return name;
}

/** Removes the ledgers of versions that are gone. */
export async function removeUnnamedLedgers(adapterPath: string, named: readonly unknown[]): Promise<void> {
  const kept = new Set(named.map((name) => `${name}.json`));
  const folder = join(adapterPath, 'ledgers');
  for (const file of await namesIn(folder)) if (!kept.has(file)) await rm(join(folder, file), { force: true });
}

/** The ledger of a version; null where its file is missing or is not what was written: then nothing counts as known. */
export async function readLedger(adapterPath: string, name: unknown): Promise<Ledger | null> {
  if (typeof name !== 'string' || !/^[0-9a-f]{32}$/.test(name)) return null;
  const text = await readFile(fileOf(adapterPath, name), 'utf8').catch(() => null);
  if (text === null || createHash('sha256').update(text).digest('hex').slice(0, 32) !== name) return null;
  const { lessons, documents, snapshot } = JSON.parse(text);
  return { lessons: new Map(lessons), documents: new Map(documents), snapshot };
}
