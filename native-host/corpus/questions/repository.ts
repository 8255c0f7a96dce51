// The declarations of all documents, put together: which names are unique, what calls what, which file imports which.
import { timeSlices } from '../../../workspace/time-slices.ts';
import type { Document } from '../documents.ts';
import { appendTo } from './append-to.ts';
import { type CallGraph, callGraphOf } from './call-graph.ts';
import { withoutCopies } from './copies.ts';
import { importResolver } from './resolve-imports.ts';
import { type CodeSymbol, type FileSymbols, symbolsOf } from './symbols.ts';

/** A symbol and where it is. The label is its name, with the container before a dot for a member. */
export interface Definition {
  label: string;
  path: string;
  symbol: CodeSymbol;
}

/** How a question names a symbol: its label where only one has it, otherwise with its file. */
export interface NamedDefinition extends Definition {
  subject: string;
  /** Whether the label alone says which symbol is meant. */
  unique: boolean;
}

export interface SourceFile extends FileSymbols {
  language: string;
  /** The imported documents, by the module as written. */
  resolved: Map<string, string>;
}

export interface Repository {
  documents: Document[];
  files: SourceFile[];
  /** Every symbol that a question can name without doubt, in the order of paths and lines. */
  definitions: NamedDefinition[];
  /** Definitions by label. */
  byLabel: Map<string, Definition[]>;
  /** What calls what, only where that is certain. */
  calls: CallGraph;
}

/**
 * Reads the symbols of all documents. Copies of other files are left out: their names only repeat those of the sources.
 * `read` gives the symbols of one, for who knows them already.
 */
export async function readRepository(
  documents: readonly Document[],
  signal?: AbortSignal,
  read: typeof symbolsOf = symbolsOf,
): Promise<Repository> {
  const sorted = [...documents].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const resolve = importResolver(sorted.map((document) => document.path));
  const endOfStep = timeSlices(signal);
  const all: SourceFile[] = [];
  for (const document of sorted) {
    await endOfStep();
    const found = await read(document);
    if (!found) continue;
    const resolved = new Map<string, string>();
    for (const { module } of found.imports) {
      const target = resolve(document.path, module, document.language);
      if (target) resolved.set(module, target);
    }
    all.push({ ...found, language: document.language, resolved });
  }
  const files = withoutCopies(all);
  const kept = new Set(files);
  const copies = new Set(all.filter((file) => !kept.has(file)).map((file) => file.path));
  await endOfStep();
  const byLabel = definitionsByLabel(files);
  await endOfStep();
  return {
    documents: sorted.filter((document) => !copies.has(document.path)),
    files,
    definitions: namedDefinitions(byLabel),
    byLabel,
    calls: callGraphOf(files, byLabel),
  };
}

function definitionsByLabel(files: readonly SourceFile[]): Map<string, Definition[]> {
  const byLabel = new Map<string, Definition[]>();
  for (const file of files) {
    for (const symbol of file.symbols)
      appendTo(byLabel, labelOf(symbol), { label: labelOf(symbol), path: file.path, symbol });
  }
  // A prototype or an entry of a declaration file gives way to the definition itself.
  for (const [label, definitions] of byLabel) {
    const bodies = definitions.filter((one) => !one.symbol.declarationOnly);
    if (bodies.length > 0 && bodies.length < definitions.length) byLabel.set(label, bodies);
  }
  return byLabel;
}

function labelOf(symbol: CodeSymbol): string {
  return symbol.container === null ? symbol.name : `${symbol.container}.${symbol.name}`;
}

function namedDefinitions(byLabel: Map<string, Definition[]>): NamedDefinition[] {
  const named: NamedDefinition[] = [];
  for (const [label, definitions] of byLabel) {
    if (label.length > 60) continue;
    const inFile = new Map<string, Definition[]>();
    for (const definition of definitions) appendTo(inFile, definition.path, definition);
    for (const [path, [definition, ...others]] of inFile) {
      if (!definition || others.length > 0) continue;
      const unique = inFile.size === 1;
      named.push({ ...definition, subject: unique ? label : `${label} in ${path}`, unique });
    }
  }
  return named.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.symbol.line - b.symbol.line));
}
