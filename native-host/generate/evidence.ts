// Evidence: the passages of the repository that a question is most likely about, by BM25 over their terms.
import MiniSearch from 'minisearch';
import type { Document } from '../corpus/documents.ts';
import { byImportance } from '../corpus/importance.ts';
import { type LineSpan, linesOf, passagesOf } from './passages.ts';
import { questionTerms, stemOf, termsOf } from './terms.ts';

export interface Passage extends LineSpan {
  path: string;
  text: string;
  /** Larger is more relevant; only comparable within one search. */
  score: number;
}

export interface SearchOptions {
  /** Paths that are likely to matter, such as those that the model itself has named. */
  boostPaths?: Iterable<string>;
}

interface IndexedPassage extends LineSpan {
  id: number;
  path: string;
  names: string[];
  lines: string[];
}

/** The most passages that are indexed, about a million lines, so that the index stays within some hundred megabytes. */
const MAXIMUM_PASSAGES = 40_000;
const MAXIMUM_LINE_LENGTH = 2000;
const BOOST = 2;

const declared =
  /\b(?:function\*?|class|interface|type|enum|struct|trait|impl|namespace|module|def|fn|func|const|let|var|static|macro_rules!|#define)\s+([\p{L}_$][\p{L}\p{N}_$]*)/gu;

/** An index of the documents, most important first when there are too many. */
export function openEvidence(documents: readonly Document[], maximumPassages = MAXIMUM_PASSAGES): Evidence {
  const evidence = new Evidence(maximumPassages);
  for (const document of byImportance(documents)) evidence.put(document);
  return evidence;
}

export class Evidence {
  readonly #index: MiniSearch<IndexedPassage>;
  readonly #passages = new Map<number, IndexedPassage>();
  readonly #byPath = new Map<string, number[]>();
  readonly #leftOut = new Set<string>();
  readonly #maximumPassages: number;
  #nextId = 0;

  constructor(maximumPassages = MAXIMUM_PASSAGES) {
    this.#maximumPassages = maximumPassages;
    this.#index = new MiniSearch<IndexedPassage>({
      fields: ['path', 'names', 'lines'],
      extractField: (passage, field) => Reflect.get(passage, field),
      // Fields are handed over as they are; the terms are made here.
      stringifyField: (value) => value as string,
      tokenize: (value: string | string[], field) => {
        if (typeof value === 'string') return termsOf(value);
        return field === 'names' ? value : value.flatMap((line) => termsOf(line.slice(0, MAXIMUM_LINE_LENGTH)));
      },
      processTerm: (term) => term,
    });
  }

  /** Paths of documents that found no room. */
  get leftOut(): readonly string[] {
    return [...this.#leftOut];
  }

  get passages(): number {
    return this.#passages.size;
  }

  /** Adds a document, in place of what its path held before. */
  put(document: Document): void {
    const { path } = document;
    this.remove(path);
    const lines = linesOf(document.text);
    const spans = passagesOf(lines);
    if (this.#passages.size + spans.length > this.#maximumPassages) {
      this.#leftOut.add(path);
      return;
    }
    const ids = spans.map((span) => {
      const passageLines = lines.slice(span.startLine - 1, span.endLine);
      const passage = { ...span, id: this.#nextId++, path, names: namesIn(passageLines), lines: passageLines };
      this.#index.add(passage);
      this.#passages.set(passage.id, passage);
      return passage.id;
    });
    this.#byPath.set(path, ids);
  }

  /** Forgets a document; an unknown path is no error. */
  remove(path: string): void {
    this.#leftOut.delete(path);
    for (const id of this.#byPath.get(path) ?? []) {
      this.#index.remove(this.#passages.get(id)!);
      this.#passages.delete(id);
    }
    this.#byPath.delete(path);
  }

  /** Whether a word or an identifier occurs in any document, in any case. */
  has(word: string): boolean {
    const terms = termsOf(word);
    return terms.length > 0 && this.#index.search(terms[0]!, { fields: ['lines', 'path'] }).length > 0;
  }

  /** The passages nearest to the question, best first, at most `count`. */
  search(question: string, count: number, { boostPaths = [] }: SearchOptions = {}): Passage[] {
    if (count <= 0) return [];
    const boosted = new Set(boostPaths);
    const wanted = questionTerms(question);
    const stems = new Set(wanted.map(stemOf).filter((stem) => stem !== null && !wanted.includes(stem)));
    const asWritten = new Set(question.toLowerCase().match(/[\p{L}\p{N}_$]+/gu));
    const terms = [...wanted, ...stems] as string[];
    const found = this.#index.search(question, {
      tokenize: () => terms,
      boost: { path: 1.5, names: 2 },
      // An identifier says more than its parts.
      boostTerm: (term) => (asWritten.has(term) ? 1 : 0.4),
      // A question says 'parsing' where the text says 'parses'; an identifier is meant as it stands.
      prefix: (term) => term.length >= 4 && (stems.has(term) || stemOf(term) === null) && /^\p{L}+$/u.test(term),
      weights: { prefix: 0.25, fuzzy: 0 },
      boostDocument: (id: number) => (boosted.has(this.#passages.get(id)!.path) ? BOOST : 1),
    });
    const results = found
      .sort((a, b) => b.score - a.score || a.id - b.id)
      .slice(0, count)
      .map(({ id, score }) => this.#passage(id, score));
    for (const path of boosted) {
      const first = this.#byPath.get(path)?.[0];
      const shown = results.some((passage) => passage.path === path);
      if (results.length < count && first !== undefined && !shown) results.push(this.#passage(first, 0));
    }
    return results;
  }

  #passage(id: number, score: number): Passage {
    const { path, startLine, endLine, lines } = this.#passages.get(id)!;
    return { path, startLine, endLine, text: lines.join('\n'), score };
  }
}

/** What a passage declares, and its headings. */
function namesIn(lines: readonly string[]): string[] {
  const names: string[] = [];
  for (const line of lines) {
    if (line.length > MAXIMUM_LINE_LENGTH) continue;
    for (const match of line.matchAll(declared)) names.push(...termsOf(match[1]!));
    if (/^#{1,6}\s/.test(line)) names.push(...termsOf(line));
  }
  return names;
}
