// What a source file declares, calls and imports, read from its syntax tree: one shape for every language.
import type { Document } from '../documents.ts';
import { headerComment } from './comments.ts';
import { readCSymbols } from './languages/c.ts';
import { readGoSymbols } from './languages/go.ts';
import { readJavaSymbols } from './languages/java.ts';
import { readJavaScriptSymbols } from './languages/javascript.ts';
import { readPythonSymbols } from './languages/python.ts';
import { readRustSymbols } from './languages/rust.ts';
import { parseSyntax, type SyntaxNode } from './parse.ts';

export type SymbolKind =
  | 'function'
  | 'class'
  | 'method'
  | 'constant'
  | 'variable'
  | 'interface'
  | 'type'
  | 'enum'
  | 'struct'
  | 'trait'
  | 'macro';

/** A call inside a declaration. The receiver is null for `f()`, 'self' for a call on the object itself, else the text before the dot. */
export interface Call {
  name: string;
  receiver: string | null;
}

/** A declaration at the top level of a file, or a member of one. Lines count from 1. */
export interface CodeSymbol {
  name: string;
  kind: SymbolKind;
  /** The class, struct, enum, ... that it is a member of; null at the top level. */
  container: string | null;
  line: number;
  endLine: number;
  /** Names of the parameters in order, null for what takes none by nature. */
  parameters: string[] | null;
  /** The declared return type as written, or null. */
  returns: string | null;
  /** A constant's literal value as written, or null. */
  value: string | null;
  /** What its documentation comment says, marks removed, or null. */
  doc: string | null;
  /** What it extends or implements. */
  bases: string[];
  calls: Call[];
  /** A declaration without a body: in a header, a .d.ts file, an interface. */
  declarationOnly: boolean;
}

export interface Import {
  /** The module as written, without quotes. */
  module: string;
  /** The local names that it binds. */
  names: string[];
  line: number;
}

export interface FileSymbols {
  path: string;
  symbols: CodeSymbol[];
  imports: Import[];
  /** What the comment at the head of the file says about the file, or null. */
  header: string | null;
}

/** What a reader of a language gives back; a header, where the language has its own form for it. */
export type ReadSymbols = Omit<FileSymbols, 'path' | 'header'> & { header?: string | null };

const readers: Record<string, (root: SyntaxNode, path: string) => ReadSymbols> = {
  typescript: readJavaScriptSymbols,
  tsx: readJavaScriptSymbols,
  javascript: readJavaScriptSymbols,
  python: readPythonSymbols,
  go: readGoSymbols,
  rust: readRustSymbols,
  java: readJavaSymbols,
  c: readCSymbols,
  cpp: readCSymbols,
};

/** The declarations of a document, in the order of its lines; null when its language has no grammar. A text with syntax errors gives what could be read. */
export async function symbolsOf(document: Document): Promise<FileSymbols | null> {
  const reader = readers[document.language];
  if (!reader) return null;
  const root = await parseSyntax(document.language, document.text);
  if (!root) return null;
  const read = reader(root, document.path);
  return {
    path: document.path,
    // A tree with errors can have a hole where a name should be.
    symbols: read.symbols.filter((symbol) => /^\S{1,80}$/.test(symbol.name) && symbol.container !== ''),
    imports: read.imports.filter((one) => /^\S+( \S+)*$/.test(one.module) && one.module.length <= 120),
    header: read.header ?? headerComment(root),
  };
}
