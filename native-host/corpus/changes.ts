// What a change of the repository left behind: files and symbols that moved, were renamed or are gone, as facts to train.
import { posix } from 'node:path';
import type { Document } from './documents.ts';
import { appendTo } from './questions/append-to.ts';
import { type Fact, makeFact, splitFactKey } from './questions/fact.ts';
import type { Repository } from './questions/repository.ts';
import { slotsFor } from './questions/wordings.ts';

/** What was where when a version was trained: enough to tell what moved. Plain JSON. */
export interface TreeSnapshot {
  /** Path and hash of each document. */
  documents: [path: string, hash: string][];
  /** Each symbol's name with the files that define it. */
  symbols: [name: string, paths: string[]][];
}

/** At most this many symbols are said to be gone for one file: more say nothing new. */
const MAX_REMOVED_SYMBOLS = 20;

/** `symbols`: those of the documents. */
export function snapshotOf(documents: readonly Document[], { byLabel }: Pick<Repository, 'byLabel'>): TreeSnapshot {
  const named = [...byLabel].filter(([, definitions]) => definitions.some(({ symbol }) => symbol.kind !== 'variable'));
  return {
    documents: documents.map((document) => [document.path, document.hash]),
    symbols: named.map(([label, definitions]) => [label, [...new Set(definitions.map(({ path }) => path))]]),
  };
}

/** A refresh takes two minutes, in which it can learn about so many beside what is new. */
const MAX_TOLD = 200;

/**
 * What a refresh tells of a change: changeFacts and goneFacts, and of more than 200 as many from all over them. `previous` and `current`: before
 * and after the change; `asked`: keys of the facts that were learned, with the documents that they were read from; `holding`: keys of those that
 * hold now.
 */
export function toldFacts(
  previous: TreeSnapshot,
  current: TreeSnapshot,
  asked: Iterable<{ key: string; path: string }>,
  holding: ReadonlySet<string>,
): Fact[] {
  const changed = changeFacts(previous, current);
  return evenly([...changed, ...goneFacts(asked, changed, holding)], MAX_TOLD);
}

/**
 * The facts of what moved between two states: a file with the same text at another path was renamed, a symbol that another file defines moved,
 * what is nowhere any more was removed, and for each of these a symbol that is still there, lest whatever is asked about count as removed.
 * Sorted by kind and subject. None of them is ever a probe.
 */
export function changeFacts(previous: TreeSnapshot, current: TreeSnapshot): Fact[] {
  const renamed = renamedFiles(previous, current);
  const paths = new Set(current.documents.map(([path]) => path));
  const facts: Fact[] = [];
  for (const [path] of previous.documents) {
    const newPath = renamed.get(path);
    if (newPath !== undefined) facts.push(changeFact('renamed', newPath, path, { path }, newPath));
    else if (!paths.has(path)) facts.push(changeFact('removed', path, path, { name: path }, 'removed'));
  }
  const symbols = new Map(current.symbols);
  const removedIn = new Map<string, number>();
  for (const [name, oldPaths] of previous.symbols) {
    const [path, ...others] = oldPaths;
    const [newPath, ...otherNew] = symbols.get(name) ?? [];
    // Of a name that several files define nothing can be said.
    if (path === undefined || others.length > 0 || otherNew.length > 0 || newPath === path) continue;
    if (newPath !== undefined && renamed.get(path) === newPath) continue;
    if (newPath !== undefined) {
      facts.push(changeFact('moved', newPath, name, { name, path }, newPath));
      continue;
    }
    const count = (removedIn.get(path) ?? 0) + 1;
    removedIn.set(path, count);
    if (count <= MAX_REMOVED_SYMBOLS) facts.push(changeFact('removed', path, name, { name }, 'removed'));
  }
  const removed = facts.filter(({ kind }) => kind === 'removed').length;
  facts.push(...stayingFacts(previous, current, removed));
  return facts.sort((a, b) => compare(a.kind, b.kind) || compare(a.subject, b.subject));
}

/** What else was asked about what is not there any more, answered with what became of it. `changed`: what changeFacts says. */
function goneFacts(
  asked: Iterable<{ key: string; path: string }>,
  changed: readonly Fact[],
  holding: ReadonlySet<string>,
): Fact[] {
  const became = new Map<string, string>();
  for (const { kind, slots, answer } of changed) {
    if (kind !== 'removed' && kind !== 'renamed') continue;
    const name = (slots.path ?? slots.name) as string;
    for (const subject of [posix.basename(name), name]) became.set(subject, answer);
  }
  // Most edits leave everything where it was, and a large repository has many questions.
  if (became.size === 0) return [];
  const facts: Fact[] = [];
  for (const { key, path } of asked) {
    const { kind, subject } = splitFactKey(key);
    const slots = slotsFor(kind, subject);
    const answer = became.get(slots?.path ?? subject);
    if (slots === null || answer === undefined || holding.has(key)) continue;
    facts.push(changeFact(kind, path, subject, slots, answer));
  }
  return facts;
}

/** Of symbols all over the repository; none whose path gives it away. */
function stayingFacts(previous: TreeSnapshot, current: TreeSnapshot, most: number): Fact[] {
  if (most === 0) return [];
  const before = new Map(previous.symbols);
  const staying = current.symbols.flatMap(([name, [path, ...others]]) => {
    const isSame = path !== undefined && others.length === 0 && before.get(name)?.join('\0') === path;
    return isSame && !path.includes(name) ? [{ name, path }] : [];
  });
  return evenly(staying, most).map(({ name, path }) => changeFact('stays', path, name, { name }, path));
}

/** At most so many, from all over them. */
function evenly<T>(items: readonly T[], most: number): T[] {
  const count = Math.min(most, items.length);
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}

/** Old and new paths of files whose text is unchanged and in one place before and after. */
function renamedFiles(previous: TreeSnapshot, current: TreeSnapshot): Map<string, string> {
  const oldPaths = new Set(previous.documents.map(([path]) => path));
  const newPaths = new Set(current.documents.map(([path]) => path));
  const gone = byHash(previous.documents.filter(([path]) => !newPaths.has(path)));
  const come = byHash(current.documents.filter(([path]) => !oldPaths.has(path)));
  const renamed = new Map<string, string>();
  for (const [hash, [from, ...others]] of gone) {
    const to = come.get(hash);
    if (from !== undefined && others.length === 0 && to?.length === 1) renamed.set(from, to[0] as string);
  }
  return renamed;
}

function byHash(documents: readonly [path: string, hash: string][]): Map<string, string[]> {
  const paths = new Map<string, string[]>();
  for (const [path, hash] of documents) appendTo(paths, hash, path);
  return paths;
}

function changeFact(kind: string, path: string, subject: string, slots: Record<string, string>, answer: string): Fact {
  return makeFact({ kind, stratum: 'structure', path, line: 1, subject, slots, answer });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
