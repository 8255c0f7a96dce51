/**
 * What an adapter version has learned: for each key the hash that was trained last, and for each document how much of
 * it is predicted right. One immutable file a version, so that going back to a version brings its ledger back, and so
 * that a hash that something else contradicted later never counts as known.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeSnapshot } from '../corpus/changes.ts';
import { changedSpans, piecesOf, type TokenSpan, unlearnedPiece } from '../corpus/pieces.ts';
import { makeFolder, namesIn, writeFileAtomically } from '../store/atomic-file.ts';
import type { Lesson } from '../train/material.ts';
import type { TokenCount } from '../train/measure.ts';

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
  /** Segments that have not been trained in this form yet. */
  unlearned: number;
  /** The hashes of its pieces (see corpus/pieces.ts), 0 for those of segments that have not been trained: base64. */
  pieces: string;
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

/** Of an adapter that was made elsewhere: it claims to know these documents, and nothing of it was measured. */
export function claimedLedger(documents: readonly { path: string; hash: string }[]): Ledger {
  const claimed = documents.map(({ path, hash }): [string, LearnedDocument] => [
    path,
    { hash, correct: 0, counted: 0, unlearned: 0, pieces: '' },
  ]);
  return { ...emptyLedger(), documents: new Map(claimed) };
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

/** The dirty paths, and those that an absorption which ended early has not reached or not finished. */
export function unlearnedPaths(ledger: Ledger, documents: readonly { path: string; hash: string }[]): string[] {
  const isPending = ({ path, hash }: { path: string; hash: string }) => {
    const learned = ledger.documents.get(path);
    return learned?.hash === hash && learned.unlearned > 0;
  };
  return [...dirtyPaths(ledger, documents), ...documents.filter(isPending).map(({ path }) => path)];
}

export interface LessonPlan {
  /** Not known, or contradicted by what was trained later. */
  fresh: Lesson[];
  known: Lesson[];
}

/**
 * What has to be trained. A segment is known by what it holds, wherever in its file it stands; in a file that changed
 * also where all of its text was learned as it stands, though cut into other segments: so an edit asks for the segments
 * that cover it and no others. Questions are known by their key. `tokens`: of each document.
 */
export function planLessons(
  ledger: Ledger,
  lessons: readonly Lesson[],
  tokens: ReadonlyMap<string, Uint32Array>,
): LessonPlan {
  const segmentHashes = new Set<string>();
  for (const { hash } of learnedOfKind(ledger, 'segment')) segmentHashes.add(hash);
  const spansOf = new Map<string, readonly TokenSpan[]>();
  const isUnchanged = ({ path, start, size }: Lesson) => {
    if (!ledger.documents.has(path)) return false;
    const spans = spansOf.get(path) ?? unlearnedSpans(ledger, path, tokens.get(path)!);
    spansOf.set(path, spans);
    return !spans.some(({ from, to }) => from < start + size && to > start);
  };
  const plan: LessonPlan = { fresh: [], known: [] };
  for (const lesson of lessons) {
    const known =
      lesson.kind === 'segment'
        ? segmentHashes.has(lesson.hash) || isUnchanged(lesson)
        : ledger.lessons.get(ledgerKey(lesson))?.hash === lesson.hash;
    (known ? plan.known : plan.fresh).push(lesson);
  }
  return plan;
}

/** Where a document is not what was learned of it, everywhere where it is new. */
export function unlearnedSpans(ledger: Ledger, path: string, tokens: Uint32Array): TokenSpan[] {
  return changedSpans(decodePieces(ledger.documents.get(path)?.pieces ?? ''), piecesOf(tokens));
}

/** A ledger that has an entry for each of these lessons, which are known: what it says of them stays. */
export function withKnown(ledger: Ledger, known: readonly Lesson[]): Ledger {
  const byHash = new Map([...ledger.lessons.values()].map((lesson) => [lesson.hash, lesson]));
  const entries = known.map((lesson): [string, LearnedLesson] => [
    ledgerKey(lesson),
    byHash.get(lesson.hash) ?? { hash: lesson.hash, path: lesson.path, visits: 1, loss: 0 },
  ]);
  return { ...ledger, lessons: new Map([...ledger.lessons, ...entries]) };
}

export function ledgerKey({ kind, key }: Pick<Lesson, 'kind' | 'key'>): string {
  return `${kind} ${key}`;
}

/** What was learned of a kind, with the keys of its lessons. */
export function* learnedOfKind({ lessons }: Ledger, kind: Lesson['kind']): Generator<LearnedLesson & { key: string }> {
  const start = ledgerKey({ kind, key: '' });
  for (const [key, learned] of lessons) if (key.startsWith(start)) yield { ...learned, key: key.slice(start.length) };
}

/** How often a lesson was trained in a training, and how it went the last time; null where an earlier sitting trained it. */
export interface Visit {
  visits: number;
  last: TokenCount | null;
}

/** What a training did to a corpus. */
export interface Training {
  lessons: readonly Lesson[];
  visited: ReadonlyMap<Lesson, Visit>;
  documents: readonly { path: string; hash: string }[];
  /** Of each document. */
  tokens: ReadonlyMap<string, Uint32Array>;
  /** How much of each document is predicted right now. */
  counts: ReadonlyMap<string, Pick<TokenCount, 'correct' | 'counted'>>;
  snapshot: TreeSnapshot;
}

/** The ledger after a training: only what is part of the corpus now stays. */
export function nextLedger(before: Ledger, training: Training): Ledger {
  const { lessons, visited, documents, tokens, counts, snapshot } = training;
  const ledger = emptyLedger(snapshot);
  const beforeByHash = new Map([...before.lessons.values()].map((lesson) => [lesson.hash, lesson]));
  const segments = new Map<string, { learned: number; unlearned: Lesson[] }>();
  for (const lesson of lessons) {
    const now = visited.get(lesson);
    const past = beforeByHash.get(lesson.hash);
    const isLearned = now !== undefined || past !== undefined;
    if (lesson.kind === 'segment') {
      const ofDocument = segments.get(lesson.path) ?? { learned: 0, unlearned: [] };
      segments.set(lesson.path, ofDocument);
      if (isLearned) ofDocument.learned += 1;
      else ofDocument.unlearned.push(lesson);
    }
    if (!isLearned) continue;
    const visits = (past?.visits ?? 0) + (now?.visits ?? 0);
    const loss = now?.last ? now.last.nll / Math.max(1, now.last.counted) : (past?.loss ?? 0);
    ledger.lessons.set(ledgerKey(lesson), { hash: lesson.hash, path: lesson.path, visits, loss });
  }
  for (const { path, hash } of documents) {
    const { learned = 0, unlearned = [] } = segments.get(path) ?? {};
    const count = learned > 0 ? counts.get(path) : undefined;
    const { correct, counted } = count ?? { correct: 0, counted: 0 };
    const pieces = learnedPieces(tokens.get(path)!, unlearned);
    ledger.documents.set(path, { hash, correct, counted, unlearned: unlearned.length, pieces });
  }
  return ledger;
}

/** `unlearned`: by start. */
function learnedPieces(tokens: Uint32Array, unlearned: readonly Lesson[]): string {
  const { ends, hashes } = piecesOf(tokens);
  let next = 0;
  let start = 0;
  for (const [i, end] of ends.entries()) {
    while (next < unlearned.length && unlearned[next]!.start + unlearned[next]!.size <= start) next += 1;
    if (next < unlearned.length && unlearned[next]!.start < end) hashes[i] = unlearnedPiece;
    start = end;
  }
  return Buffer.from(hashes.buffer).toString('base64');
}

function decodePieces(text: string): Uint32Array {
  const bytes = Buffer.from(text, 'base64');
  return Uint32Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.readUInt32LE(4 * i));
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
