/** What is looked up about a folder while answering. Kept between questions: an edit costs what it changed. */
import { timeSlices } from '../../workspace/time-slices.ts';
import type { Document } from '../corpus/documents.ts';
import { byImportance } from '../corpus/importance.ts';
import { readRepository as readSymbols, type SourceFile } from '../corpus/questions/repository.ts';
import { type FileSymbols, symbolsOf } from '../corpus/questions/symbols.ts';
import { Evidence } from '../generate/evidence.ts';
import { outlineOf } from '../generate/outline.ts';
import { type SymbolPlace, symbolPlaces } from '../generate/symbol-places.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import type { Repository } from './repository.ts';

const outlineTokens = 400;

interface KnownSource {
  hash: string;
  /** Null where its language has no grammar. */
  symbols: FileSymbols | null;
  lines: number;
}

export class Lookup {
  readonly evidence = new Evidence();
  /** Places by name. */
  symbols: ReadonlyMap<string, SymbolPlace[]> = new Map();
  /** Hashes of the documents that are searched. */
  private readonly searched = new Map<string, string>();
  private readonly known = new Map<string, KnownSource>();
  private files: readonly SourceFile[] = [];
  private documents: readonly Document[] = [];
  private searchedTree: string | null = null;
  private tree: string | null = null;

  constructor(private readonly tokenizer: Tokenizer) {}

  get paths(): ReadonlySet<string> {
    return new Set(this.known.keys());
  }

  /** How many lines a document has; 1 for a path that is none's. */
  lineCount(path: string): number {
    return this.known.get(path)?.lines ?? 1;
  }

  /** The tree of the folder and what its files declare, in few words. */
  outline(): string {
    return outlineOf(this.documents, this.files, outlineTokens, (text) => this.tokenizer.encode(text).length);
  }

  /**
   * Takes in what differs from the last time, to be searched; the rest, which takes longer, is as it was. Other work goes on
   * in between. Errors: the signal's reason.
   */
  async bringEvidenceTo({ documents, tree }: Repository, signal?: AbortSignal): Promise<void> {
    if (tree === this.searchedTree) return;
    // Until it is whole again, it is of no tree.
    this.searchedTree = null;
    const endOfStep = timeSlices(signal);
    const paths = new Set(documents.map(({ path }) => path));
    for (const path of [...this.searched.keys()]) {
      if (paths.has(path)) continue;
      this.evidence.remove(path);
      this.searched.delete(path);
      await endOfStep();
    }
    for (const document of byImportance(documents)) {
      const { path, hash } = document;
      if (this.searched.get(path) === hash) continue;
      this.evidence.put(document);
      this.searched.set(path, hash);
      await endOfStep();
    }
    this.searchedTree = tree;
  }

  /** The same, and everything else. */
  async bringTo(repository: Repository, signal?: AbortSignal): Promise<void> {
    await this.bringEvidenceTo(repository, signal);
    const { documents, tree } = repository;
    if (tree === this.tree) return;
    this.tree = null;
    const endOfStep = timeSlices(signal);
    for (const path of [...this.known.keys()]) if (!this.searched.has(path)) this.known.delete(path);
    for (const document of documents) {
      const { path, hash, text } = document;
      if (this.known.get(path)?.hash === hash) continue;
      this.known.set(path, { hash, symbols: await symbolsOf(document), lines: text.split('\n').length });
      await endOfStep();
    }
    const { files } = await readSymbols(documents, signal, async ({ path }) => this.known.get(path)!.symbols);
    this.files = files;
    this.documents = documents;
    this.symbols = symbolPlaces(files);
    this.tree = tree;
  }
}
