// What calls what, as far as names alone can tell it for certain.
import type { Definition, SourceFile } from './repository.ts';
import type { Call, CodeSymbol } from './symbols.ts';

export interface CallGraph {
  /** The functions that call a symbol of a unique name; null when some other call might mean it as well. */
  callersOf(symbol: CodeSymbol): Definition[] | null;
  /** What a function calls in this repository; null when one of its calls might or might not mean a symbol of it. */
  calledBy(symbol: CodeSymbol): Definition[] | null;
}

export function callGraphOf(files: readonly SourceFile[], byLabel: ReadonlyMap<string, Definition[]>): CallGraph {
  const definitionOf = new Map<CodeSymbol, Definition>();
  const names = new Set<string>();
  for (const definition of [...byLabel.values()].flat()) {
    definitionOf.set(definition.symbol, definition);
    names.add(definition.symbol.name);
  }
  const callers = new Map<CodeSymbol, Set<Definition>>();
  const called = new Map<CodeSymbol, Set<Definition> | null>();
  const uncertain = new Set<string>();
  for (const file of files) {
    const namesImported = new Map(file.imports.flatMap((one) => one.names.map((name) => [name, one.module] as const)));
    for (const symbol of file.symbols) {
      const caller = definitionOf.get(symbol);
      if (!caller) continue;
      const targets = new Set<Definition>();
      let certain = true;
      for (const call of symbol.calls) {
        if (!names.has(call.name) || symbol.parameters?.includes(call.name)) continue;
        const target = targetOf(call, symbol, file, namesImported, byLabel);
        if (target === 'unknown') {
          uncertain.add(call.name);
          certain = false;
        } else if (target && target.symbol !== symbol) {
          targets.add(target);
          callers.set(target.symbol, (callers.get(target.symbol) ?? new Set()).add(caller));
        }
      }
      called.set(symbol, certain ? targets : null);
    }
  }
  return {
    callersOf: (symbol) => (uncertain.has(symbol.name) ? null : [...(callers.get(symbol) ?? [])]),
    calledBy: (symbol) => {
      const targets = called.get(symbol);
      return targets ? [...targets] : null;
    },
  };
}

function targetOf(
  call: Call,
  caller: CodeSymbol,
  file: SourceFile,
  namesImported: ReadonlyMap<string, string>,
  byLabel: ReadonlyMap<string, Definition[]>,
): Definition | 'unknown' | null {
  if (call.receiver === 'self') {
    const own = caller.container === null ? undefined : byLabel.get(`${caller.container}.${call.name}`);
    return own?.length === 1 ? (own[0] as Definition) : 'unknown';
  }
  const candidates = byLabel.get(call.name) ?? [];
  if (call.receiver === null) {
    if (candidates.length === 0) return null;
    const target = candidates.length === 1 ? candidates[0] : candidates.find((one) => one.path === file.path);
    if (!target) return 'unknown';
    return reaches(file, target, namesImported.has(call.name)) ? target : null;
  }
  const module = namesImported.get(call.receiver);
  if (module === undefined) return 'unknown';
  const path = file.resolved.get(module);
  // A call on another package's module means nothing of this repository; where a package of Go is, its name does not say.
  if (path === undefined) return file.language === 'go' ? 'unknown' : null;
  return candidates.find((one) => one.path === path) ?? 'unknown';
}

// Whether a bare name in a file can mean the definition: declared there, imported by that name, or of a language that shares names between files.
function reaches(file: SourceFile, target: Definition, imported: boolean): boolean {
  if (imported || file.path === target.path || file.language === 'c' || file.language === 'cpp') return true;
  return file.language === 'go' && folderOf(file.path) === folderOf(target.path);
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
