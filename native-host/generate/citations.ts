// Checks what an answer names against the repository: real paths and symbols become citations, others are told.
// A pure function of the whole text so far, so that a streamed answer can be checked as often as wanted.
import type { Citation } from '../../protocol/host.ts';
import { type PathMention, PathResolver, pathMentions } from './path-mentions.ts';
import type { SymbolPlace } from './symbol-places.ts';

export interface CitationCorpus {
  paths: ReadonlySet<string>;
  /** Places by name and by `Container.name`, as symbolPlaces gives them. */
  symbols: ReadonlyMap<string, readonly SymbolPlace[]>;
  /** The number of lines of a file in `paths`, so that a line number past its end is brought back. */
  lineCount(path: string): number;
  /** Whether a word occurs anywhere in the repository: a parameter or a dependency is not unknown, though nothing declares it. */
  hasWord?(word: string): boolean;
}

export interface CheckedAnswer {
  /** In the order of the answer, each once. A path without lines cites the whole file. */
  citations: Citation[];
  unknownPaths: string[];
  unknownSymbols: string[];
}

/** What the answer names. Code blocks are proposals and are not checked. */
export function citationsOf(answer: string, corpus: CitationCorpus): CheckedAnswer {
  const prose = withoutCodeBlocks(answer);
  const resolver = new PathResolver(corpus.paths);
  const found: { index: number; citation: Citation }[] = [];
  const unknownPaths = new Set<string>();
  const mentions = pathMentions(prose);
  const covered: PathMention[] = [];
  const namedPaths = new Set<string>();
  for (const mention of mentions) {
    const resolved = resolver.resolve(mention.written);
    if (resolved === null) {
      if (mention.doubtful && !resolver.startsInside(mention.written)) continue;
      // `options.json` may be a member, which the symbols decide.
      if (corpus.symbols.has(mention.written)) continue;
      unknownPaths.add(mention.written);
    } else if (resolved !== 'known') {
      namedPaths.add(resolved.path);
      found.push({ index: mention.index, citation: citationOf(resolved.path, mention, corpus) });
    }
    covered.push(mention);
  }
  const unknownSymbols = new Set<string>();
  for (const { name, index, strict } of symbolMentions(prose)) {
    if (covered.some((mention) => index >= mention.index && index < mention.index + mention.length)) continue;
    const places = placesOf(name, corpus.symbols);
    if (places) {
      const near = places.length === 1 ? places : places.filter((place) => namedPaths.has(place.path));
      if (near.length === 1) found.push({ index, citation: clamped(near[0]!, corpus) });
    } else if (strict && !isOrdinary(name) && !corpus.hasWord?.(lastPart(name))) {
      unknownSymbols.add(name);
    }
  }
  found.sort((a, b) => a.index - b.index);
  const unique = new Map(found.map(({ citation }) => [JSON.stringify(citation), citation]));
  return { citations: [...unique.values()], unknownPaths: [...unknownPaths], unknownSymbols: [...unknownSymbols] };
}

interface SymbolMention {
  name: string;
  index: number;
  /** Written such that it must be a name of the repository, or is wrong. */
  strict: boolean;
}

const name = String.raw`[A-Za-z_$][\w$]*(?:(?:\.|::|#|->)[A-Za-z_$][\w$]*)*`;
const quotedName = new RegExp(String.raw`\x60(?:new\s+)?(${name})(?:\([^\x60]*\))?\x60`, 'g');
const calledName = new RegExp(String.raw`(?<![\w$.\x60])(${name})\(\)`, 'g');
const composedName =
  /(?<![\w$.`/@-])(_{0,2}[a-z]+\d*(?:[A-Z][a-z\d]*)+|[A-Z][a-z\d]+(?:[A-Z][a-z\d]+)+|_*[A-Za-z\d]+(?:_[A-Za-z\d]+)+)(?![\w$`/@-]|\.\w)/g;

function symbolMentions(text: string): SymbolMention[] {
  const mentions = new Map<number, SymbolMention>();
  const add = (match: RegExpMatchArray, strict: boolean) => {
    const index = match.index! + match[0].indexOf(match[1]!);
    if (!mentions.has(index)) mentions.set(index, { name: match[1]!.replace(/::|#|->/g, '.'), index, strict });
  };
  for (const match of text.matchAll(quotedName)) add(match, true);
  for (const match of text.matchAll(calledName)) add(match, true);
  for (const match of text.matchAll(composedName)) add(match, true);
  // A bare answer such as `parse, stringify` names symbols without any mark.
  if (/^\s*[\w$.]+(?:\s*,\s*[\w$.]+){0,9}\s*\.?\s*$/.test(text)) {
    for (const match of text.matchAll(/([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)/g)) add(match, false);
  }
  return [...mentions.values()].sort((a, b) => a.index - b.index);
}

function placesOf(written: string, symbols: CitationCorpus['symbols']): readonly SymbolPlace[] | null {
  const whole = symbols.get(written);
  if (whole) return whole;
  const parts = written.split('.');
  if (parts.length < 2 || builtInObjects.has(parts[0]!)) return null;
  return symbols.get(parts.slice(-2).join('.')) ?? symbols.get(parts.at(-1)!) ?? null;
}

function lastPart(written: string): string {
  return written.split('.').at(-1)!;
}

const builtInObjects = new Set(
  `Array Boolean Buffer Date Error JSON Map Math Number Object Promise Proxy Reflect RegExp Set String Symbol console crypto
  document fs globalThis import math module node os path process self std sys this window`.split(/\s+/),
);

/** Words of languages, formats and command lines, which any answer may quote. */
const ordinaryWords = new Set(
  `abstract any array as async await bash bool boolean break byte case catch char class const continue def default delete do
  double elif else enum except export extends extern false final finally float fn for from func function git go goto if impl
  implements import in instanceof int interface is javascript json lambda let list long loop match mut namespace new nil
  node none not npm null number object operator or override package pass private protected pub public python raise readonly
  ref return rust self short signed static str string struct super switch symbol template this throw throws trait true try
  type typedef typeof typescript undefined union unknown unsigned use using var void volatile where while with yarn yield
  JavaScript TypeScript GitHub NaN None True False Infinity IntelliSense MacOS VSCode WebAssembly WebGPU YouTube
  parseInt parseFloat isNaN toString valueOf hasOwnProperty setTimeout setInterval setImmediate`
    .split(/\s+/)
    .map((word) => word.toLowerCase()),
);

function isOrdinary(written: string): boolean {
  const parts = written.split('.');
  return written.length < 3 || builtInObjects.has(parts[0]!) || ordinaryWords.has(lastPart(written).toLowerCase());
}

function citationOf(path: string, { startLine, endLine }: PathMention, corpus: CitationCorpus): Citation {
  const lines = Math.max(1, corpus.lineCount(path));
  return startLine === undefined
    ? { path, startLine: 1, endLine: lines }
    : clamped({ path, startLine, endLine: endLine ?? startLine }, corpus);
}

/** Within the file, and the right way round. */
function clamped({ path, startLine, endLine }: SymbolPlace, corpus: CitationCorpus): Citation {
  const lines = Math.max(1, corpus.lineCount(path));
  const inFile = (line: number) => Math.min(lines, Math.max(1, line));
  return {
    path,
    startLine: inFile(Math.min(startLine, endLine)),
    endLine: inFile(Math.max(startLine, endLine)),
  };
}

/** Blanks fenced code, to its end or that of the text, so that positions stay. */
function withoutCodeBlocks(text: string): string {
  return text.replace(/^[ \t]*(```+|~~~+)[^\n]*(?:\n[\s\S]*?(?:^[ \t]*\1[`~]*[ \t]*$|(?![\s\S]))|$)/gm, (block) =>
    block.replace(/[^\n]/g, ' '),
  );
}
