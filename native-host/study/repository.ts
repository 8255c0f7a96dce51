/** A repository as the model sees it: documents, their tokens, and the facts that questions are about. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { timeSlices } from '../../workspace/time-slices.ts';
import { snapshotOf, type TreeSnapshot } from '../corpus/changes.ts';
import { commitOf } from '../corpus/commit.ts';
import { type Corpus, type Document, readCorpus, type SkippedFile } from '../corpus/documents.ts';
import { importRanks } from '../corpus/import-rank.ts';
import { byImportance, byUse, type Use } from '../corpus/importance.ts';
import type { Fact } from '../corpus/questions/fact.ts';
import { factsIn } from '../corpus/questions/facts.ts';
import { readRepository as readSymbols } from '../corpus/questions/repository.ts';
import { segmentsOf } from '../corpus/segments.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import type { ModelText } from '../train/items.ts';
import { type Lesson, questionLesson, type ShownTexts, segmentLesson } from '../train/material.ts';
import type { Recipe } from '../train/recipe.ts';

export interface Repository {
  folder: string;
  /** Most important first. */
  documents: Document[];
  skipped: SkippedFile[];
  /** Of each document, by path. */
  tokens: ReadonlyMap<string, Uint32Array>;
  tokenCount: number;
  /** Hash of all paths and contents. */
  tree: string;
  /** The Git commit that was checked out, whatever was changed since; null where there is none. */
  commit: string | null;
}

/** Where an adapter keeps what the last scan of its repository found out. */
export function scanCacheFile(adapterPath: string): string {
  return join(adapterPath, 'scan.json');
}

/**
 * Reads and tokenizes a folder. `cacheFile` remembers what unchanged files held; null reads every file. Documents that
 * are in `before` too are not tokenized again. `exclude`: patterns of files to leave out.
 */
export async function readRepository(
  folder: string,
  tokenizer: Tokenizer,
  cacheFile: string | null,
  signal?: AbortSignal,
  before: Repository | null = null,
  exclude: readonly string[] = [],
): Promise<Repository> {
  const commit = await commitOf(folder);
  const corpus: Corpus = await readCorpus(folder, {
    ...(cacheFile === null ? {} : { cacheFile }),
    ...(signal ? { signal } : {}),
    exclude,
  });
  const tokens = new Map<string, Uint32Array>();
  const hashBefore = new Map(before?.documents.map(({ path, hash }) => [path, hash]));
  let tokenCount = 0;
  const endOfStep = timeSlices(signal);
  for (const document of corpus.documents) {
    const { path } = document;
    const known = hashBefore.get(path) === document.hash ? before!.tokens.get(path) : undefined;
    const ids = known ?? Uint32Array.from(tokenizer.encode(document.text));
    tokens.set(path, ids);
    tokenCount += ids.length;
    await endOfStep();
  }
  const { documents, skipped } = corpus;
  return {
    folder: corpus.folder,
    documents: byImportance(documents),
    skipped,
    tokens,
    tokenCount,
    tree: treeOf(documents),
    commit,
  };
}

/** Hash of what a folder holds, whatever the order of its documents. */
export function treeOf(documents: readonly Document[]): string {
  const lines = documents.map(({ path, hash }) => `${path}\0${hash}\n`).sort();
  return createHash('sha256').update(lines.join('')).digest('hex').slice(0, 32);
}

/** What syntax trees and headings say about a repository. */
export interface Knowledge {
  facts: Fact[];
  snapshot: TreeSnapshot;
  /** How much leans on each source, by path. */
  ranks: ReadonlyMap<string, number>;
}

export async function readKnowledge(repository: Repository, recipe: Recipe, signal?: AbortSignal): Promise<Knowledge> {
  const { documents } = repository;
  const symbols = await readSymbols(documents, signal);
  const facts = mostImportant(repository, await factsIn(symbols, signal), recipe);
  return { facts, snapshot: snapshotOf(documents, symbols), ranks: importRanks(documents, symbols.files) };
}

/** The facts to ask about. */
export async function chosenFacts(repository: Repository, recipe: Recipe, signal?: AbortSignal): Promise<Fact[]> {
  return (await readKnowledge(repository, recipe, signal)).facts;
}

/**
 * At most so many for each thousand tokens, spread evenly over the documents, the most important documents first.
 */
function mostImportant({ documents, tokenCount }: Repository, facts: readonly Fact[], recipe: Recipe): Fact[] {
  const byPath = new Map<string, Fact[]>(documents.map(({ path }) => [path, []]));
  for (const fact of facts) byPath.get(fact.path)?.push(fact);
  const most = Math.max(40, Math.round((tokenCount / 1000) * recipe.questionsPerThousandTokens));
  const chosen: Fact[] = [];
  for (let round = 0; chosen.length < most; round++) {
    const before = chosen.length;
    for (const facts of byPath.values()) {
      const fact = facts[round];
      if (fact !== undefined && chosen.length < most) chosen.push(fact);
    }
    if (chosen.length === before) break;
  }
  return chosen;
}

/** Segments of all documents, those first that matter most, and questions about the facts, asked with what is `shown`. */
export async function lessonsOf(
  text: ModelText,
  repository: Repository,
  { facts, ranks }: Pick<Knowledge, 'facts' | 'ranks'>,
  recipe: Recipe,
  signal?: AbortSignal,
  { first, recent }: Omit<Use, 'ranks'> = { first: [], recent: [] },
  shown?: ShownTexts,
): Promise<Lesson[]> {
  const { length: rowLength } = recipe.full.shape;
  const endOfStep = timeSlices(signal);
  const lessons: Lesson[] = [];
  for (const document of byUse(repository.documents, { first, recent, ranks })) {
    const tokens = repository.tokens.get(document.path)!;
    const context = contextOf(tokens, recipe.contextTokens);
    for (const segment of segmentsOf(document, tokens, recipe.segmentLength, recipe.stride)) {
      lessons.push(segmentLesson(text, segment, context, rowLength));
    }
    await endOfStep();
  }
  for (const fact of facts) {
    const lesson = questionLesson(text, fact, recipe.answerWeight, rowLength, shown);
    if (lesson !== null) lessons.push(lesson);
    await endOfStep();
  }
  return lessons;
}

/** Head and tail of a document, together at most `room` tokens; nothing of a document that is not longer. */
function contextOf(tokens: Uint32Array, room: number): number[] {
  if (room === 0 || tokens.length <= room) return [];
  const half = Math.floor(room / 2);
  return [...tokens.slice(0, half), ...tokens.slice(-half)];
}
