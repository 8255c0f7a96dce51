// The declarations of all documents, put together: which names are unique, what calls what, which file imports which.
import type { Document } from '../documents.ts';
import { withoutCopies } from './copies.ts';
import { importResolver } from './resolve-imports.ts';
import { type Call, type CodeSymbol, type FileSymbols, symbolsOf } from './symbols.ts';

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

export interface CallGraph {
  /** Labels of the callers of a unique function, null when something might call it that cannot be told. */
  callersOf(definition: Definition): Definition[] | null;
  /** What a function calls in this repository, null when a call might mean one of its symbols but that cannot be told. */
  calledBy(definition: Definition): Definition[] | null;
}

/** Reads the symbols of all documents. Copies of other files are left out: their names only repeat those of the sources. */
export async function readRepository(documents: readonly Document[]): Promise<Repository> {
  const sorted = [...documents].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const resolve = importResolver(sorted.map((document) => document.path));
  const all: SourceFile[] = [];
  for (const document of sorted) {
    const read = await symbolsOf(document);
    if (!read) continue;
    const resolved = new Map<string, string>();
    for (const { module } of read.imports) {
      const target = resolve(document.path, module, document.language);
      if (target) resolved.set(module, target);
    }
    all.push({ ...read, language: document.language, resolved });
  }
  const files = withoutCopies(all);
  const kept = new Set(files);
  const copies = new Set(all.filter((file) => !kept.has(file)).map((file) => file.path));
  const byLabel = definitionsByLabel(files);
  return {
    documents: sorted.filter((document) => !copies.has(document.path)),
    files,
    definitions: namedDefinitions(byLabel),
    byLabel,
    calls: callGraph(files, byLabel),
  };
}

function definitionsByLabel(files: readonly SourceFile[]): Map<string, Definition[]> {
  const byLabel = new Map<string, Definition[]>();
  for (const file of files) {
    for (const symbol of file.symbols) {
      const label = symbol.container === null ? symbol.name : `${symbol.container}.${symbol.name}`;
      const definitions = byLabel.get(label) ?? [];
      definitions.push({ label, path: file.path, symbol });
      byLabel.set(label, definitions);
    }
  }
  // A prototype or an entry of a declaration file gives way to the definition itself.
  for (const [label, definitions] of byLabel) {
    const bodies = definitions.filter((one) => !one.symbol.declarationOnly);
    if (bodies.length > 0 && bodies.length < definitions.length) byLabel.set(label, bodies);
  }
  return byLabel;
}

function namedDefinitions(byLabel: Map<string, Definition[]>): NamedDefinition[] {
  const named: NamedDefinition[] = [];
  for (const [label, definitions] of byLabel) {
    if (label.length > 60) continue;
    if (definitions.length === 1) {
      named.push({ ...definitions[0]!, subject: label, unique: true });
      continue;
    }
    for (const definition of definitions) {
      const inFile = definitions.filter((other) => other.path === definition.path);
      if (inFile.length === 1) named.push({ ...definition, subject: `${label} in ${definition.path}`, unique: false });
    }
  }
  return named.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.symbol.line - b.symbol.line));
}

function callGraph(files: readonly SourceFile[], byLabel: Map<string, Definition[]>): CallGraph {
  const names = new Set([...byLabel.values()].flat().map((definition) => definition.symbol.name));
  const callers = new Map<string, Map<string, Definition>>();
  const called = new Map<Definition, Definition[] | null>();
  const uncertain = new Set<string>();
  for (const file of files) {
    for (const symbol of file.symbols) {
      if (symbol.calls.length === 0) continue;
      const label = symbol.container === null ? symbol.name : `${symbol.container}.${symbol.name}`;
      const caller = byLabel.get(label)?.find((one) => one.symbol === symbol);
      if (!caller) continue;
      const targets: Definition[] = [];
      let certain = true;
      for (const call of symbol.calls) {
        if (!names.has(call.name) || symbol.parameters?.includes(call.name)) continue;
        const target = targetOf(call, symbol, file, byLabel);
        if (target === 'unknown') {
          uncertain.add(call.name);
          certain = false;
        } else if (target && target.symbol !== symbol) {
          targets.push(target);
          const known = callers.get(target.label) ?? new Map<string, Definition>();
          known.set(`${caller.path} ${caller.label}`, caller);
          callers.set(target.label, known);
        }
      }
      called.set(caller, certain ? targets : null);
    }
  }
  return {
    callersOf: ({ label, symbol }) => (uncertain.has(symbol.name) ? null : [...(callers.get(label)?.values() ?? [])]),
    calledBy: (definition) => {
      const original = byLabel.get(definition.label)?.find((one) => one.symbol === definition.symbol);
      return (original && called.get(original)) ?? null;
    },
  };
}

function targetOf(
  call: Call,
  caller: CodeSymbol,
  file: SourceFile,
  byLabel: Map<string, Definition[]>,
): Definition | 'unknown' | null {
  if (call.receiver === 'self') {
    const own = caller.container === null ? undefined : byLabel.get(`${caller.container}.${call.name}`);
    return own?.length === 1 ? own[0]! : 'unknown';
  }
  const candidates = byLabel.get(call.name) ?? [];
  if (call.receiver === null) {
    const target = candidates.length === 1 ? candidates[0]! : candidates.find((one) => one.path === file.path);
    if (!target) return candidates.length > 0 ? 'unknown' : null;
    return reaches(file, target, call.name) ? target : null;
  }
  const imported = file.imports.find((one) => one.names.includes(call.receiver as string));
  if (!imported) return 'unknown';
  const target = candidates.find((one) => one.path === file.resolved.get(imported.module));
  // A call on another package's module means nothing of this repository.
  return target ?? (file.resolved.has(imported.module) ? 'unknown' : file.language === 'go' ? 'unknown' : null);
}

// Whether a bare name in a file can mean the definition: declared there, imported by that name, or of a language that shares names between files.
function reaches(file: SourceFile, target: Definition, name: string): boolean {
  if (file.path === target.path || file.language === 'c' || file.language === 'cpp') return true;
  if (file.language === 'go') return folderOf(file.path) === folderOf(target.path);
  return file.imports.some((one) => one.names.includes(name));
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
