/** Which package of a monorepo a question points at, so that its adapter answers and no other has a say. */
import type { ConversationTurn } from '../../protocol/host.ts';
import { packageNames } from '../corpus/workspace-packages.ts';
import { PathResolver, pathMentions } from '../generate/path-mentions.ts';
import { tellingTerms } from '../generate/terms.ts';
import type { Lookup } from './lookup.ts';
import type { Repository } from './repository.ts';

export interface AskedPart {
  /** The package's folder, or '.'. */
  package: string;
  repository: Pick<Repository, 'documents' | 'tokenCount'>;
}

export interface PointingQuestion {
  question: string;
  /** Earlier turns, oldest first. */
  conversation: readonly ConversationTurn[];
  openFiles: readonly { path: string }[];
}

/** Passages whose scores tell which package a question is about. */
const passagesCompared = 8;
/** What is open matters as much more. */
const openWeight = 2;

/**
 * A path or a package that the question names; a symbol that it names, by where that is declared; the package of the open
 * file among several of these; otherwise the one whose text is nearest to it (BM25), where the open file's counts twice. A
 * question that points nowhere goes where the one before it pointed, then to the open file's package, then to the largest.
 * `parts` has at least one; `lookup`, of all of them, is only asked for where no path or package is named.
 */
export async function choosePackage(
  { question, conversation, openFiles }: PointingQuestion,
  parts: readonly AskedPart[],
  lookup: () => Promise<Lookup>,
): Promise<string> {
  const names = parts.map((part) => part.package);
  const packageOf = new Map(parts.flatMap((part) => part.repository.documents.map(({ path }) => [path, part.package])));
  const open = openFiles.map(({ path }) => packageOf.get(path)).find((name) => name !== undefined);
  const nearest = (found: ReadonlyMap<string, number>) => {
    const most = Math.max(...found.values());
    const best = names.filter((name) => found.get(name) === most);
    return best.length === 1 ? best[0]! : best.find((name) => name === open);
  };
  const named = namedIn(parts, packageOf);
  const earlier = conversation.toReversed().map((turn) => `${turn.question}\n${turn.answer}`);
  for (const text of [question, ...earlier]) {
    const byName = named(text);
    const one = byName.size === 0 ? undefined : nearest(byName);
    if (one !== undefined) return one;
    const known = await lookup();
    const bySymbol = declaringPackages(codeWords(text), known, packageOf);
    const declaring = bySymbol.size === 0 ? undefined : nearest(bySymbol);
    if (declaring !== undefined) return declaring;
    const among = byName.size > 0 ? byName : bySymbol;
    // A plain word such as `parse` is often a symbol's name, and often none.
    const plain = declaringPackages(new Set(text.match(/[A-Za-z_$][\w$]*/g)), known, packageOf);
    const byText = nearestPackages(text, known, packageOf, (name) =>
      among.size > 0 && !among.has(name) ? 0 : (name === open ? openWeight : 1) * (1 + (plain.get(name) ?? 0)),
    );
    if (byText.size > 0) return nearest(byText) ?? [...byText].sort((a, b) => b[1] - a[1])[0]![0];
  }
  if (open !== undefined) return open;
  return parts.reduce((largest, part) => (part.repository.tokenCount > largest.repository.tokenCount ? part : largest))
    .package;
}

/** How often a text names something that only lies in a package, by package. */
function namedIn(parts: readonly AskedPart[], packageOf: ReadonlyMap<string, string>) {
  const resolver = new PathResolver(new Set(packageOf.keys()));
  const documents = parts.flatMap(({ repository }) => repository.documents);
  const folders = parts.map((part) => part.package).filter((folder) => folder !== '.');
  const calledSo = packageNames(documents, folders);
  return (text: string): Map<string, number> => {
    const found = new Map<string, number>();
    const add = (name: string | undefined) => name !== undefined && found.set(name, (found.get(name) ?? 0) + 1);
    for (const { written } of pathMentions(text)) {
      const resolved = resolver.resolve(written);
      if (resolved !== null && resolved !== 'known') add(packageOf.get(resolved.path));
    }
    for (const folder of folders) {
      const last = folder.slice(folder.lastIndexOf('/') + 1);
      const certain = [folder, ...calledSo.get(folder)!].filter((name) => /[^\p{L}]/u.test(name));
      const spoken = [last, ...calledSo.get(folder)!];
      if (certain.some((name) => isWritten(text, name)) || spoken.some((name) => isSpokenOf(text, name))) add(folder);
    }
    return found;
  };
}

const beside = String.raw`[\p{L}\p{N}_$@/-]`;

/** As a word of its own, or as the beginning of a path. */
function isWritten(text: string, name: string): boolean {
  return new RegExp(`(?<!${beside})${escaped(name)}(?![\\p{L}\\p{N}_$-])`, 'u').test(text);
}

/** A plain word such as `core` means a package where the question says so. */
function isSpokenOf(text: string, name: string): boolean {
  const word = `(?<!${beside})${escaped(name)}(?!${beside})`;
  const kind = '(?:package|crate|module|library|workspace)';
  return new RegExp(`\`${escaped(name)}\`|${word} ${kind}\\b|\\b${kind} ${word}`, 'iu').test(text);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** How many of these words are symbols of a package; each counts once, shared by the packages that declare it. */
function declaringPackages(
  words: ReadonlySet<string>,
  { symbols }: Lookup,
  packageOf: ReadonlyMap<string, string>,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of words) {
    const places = symbols.get(name) ?? symbols.get(name.split('.').slice(-2).join('.')) ?? [];
    const declaring = new Set(places.flatMap(({ path }) => packageOf.get(path) ?? []));
    for (const one of declaring) found.set(one, (found.get(one) ?? 0) + 1 / declaring.size);
  }
  return found;
}

/** Words that look like names of code: in backticks, called, put together, or with a capital within a sentence. */
function codeWords(text: string): Set<string> {
  const words = new Set<string>();
  for (const match of text.matchAll(/(`?)([A-Za-z_$][\w$]*(?:(?:\.|::|#)[A-Za-z_$][\w$]*)*)(`|\(\))?/g)) {
    const [, before, word, after] = match as unknown as [string, string, string, string | undefined];
    const isMarked = before === '`' || after !== undefined;
    const isComposed = /[_$\d.:#]|\p{Ll}\p{Lu}|^\p{Lu}{2}/u.test(word);
    const beginsSentence = /(^|[.?!\n])\s*$/.test(text.slice(0, match.index));
    if (isMarked || isComposed || (/^\p{Lu}/u.test(word) && !beginsSentence)) words.add(word.replace(/::|#/g, '.'));
  }
  return words;
}

/** Scores of the passages that are nearest to a text, summed by package and weighted; empty where nothing in it tells. */
function nearestPackages(
  text: string,
  { evidence }: Lookup,
  packageOf: ReadonlyMap<string, string>,
  weightOf: (name: string) => number,
): Map<string, number> {
  const found = new Map<string, number>();
  if (tellingTerms(text).length === 0) return found;
  for (const { path, score } of evidence.search(text, passagesCompared)) {
    const name = packageOf.get(path);
    if (name === undefined || score * weightOf(name) === 0) continue;
    found.set(name, (found.get(name) ?? 0) + score * weightOf(name));
  }
  return found;
}
