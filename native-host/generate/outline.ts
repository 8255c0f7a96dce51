// The outline of a repository for the prompt: its tree of folders and files, each file with the names that it declares.
import type { Document } from '../corpus/documents.ts';
import { byImportance } from '../corpus/importance.ts';
import type { CodeSymbol } from '../corpus/questions/symbols.ts';

/** The declarations of a file, such as FileSymbols of native-host/corpus. */
export interface OutlineSymbols {
  path: string;
  symbols: readonly Pick<CodeSymbol, 'name' | 'container' | 'kind'>[];
}

const MOST_NAMES = 8;
/** The share of the budget that file names may take before declarations get their turn. */
const FILE_SHARE = 0.6;

/**
 * As much of the tree as fits the budget of tokens, most important files first, closed by how many files are not in it:
 *
 *     README.md
 *     lib/
 *       parse.js: Parser, parseHeader
 *     … 12 more files
 */
export function outlineOf(
  documents: readonly Document[],
  symbols: Iterable<OutlineSymbols>,
  budget: number,
  countTokens: (text: string) => number,
): string {
  const names = new Map([...symbols].map((file) => [file.path, topLevelNames(file.symbols)]));
  const ranked = byImportance(documents).map((document) => document.path);
  const shown = new Map<string, string[]>();
  const folders = new Set<string>();
  // Lines are counted one by one, which is never much less than the whole; the end makes sure.
  let left = budget - countTokens(`… ${ranked.length} more files\n`);
  const addFiles = (least: number) => {
    for (const path of ranked) {
      if (shown.has(path)) continue;
      const added = parentsOf(path).filter((folder) => !folders.has(folder));
      const cost = [...added, path].reduce((sum, entry) => sum + countTokens(`${line(entry, [])}\n`), 0);
      if (left - cost < least) return;
      left -= cost;
      shown.set(path, []);
      for (const folder of added) folders.add(folder);
    }
  };
  addFiles((1 - FILE_SHARE) * left);
  for (const path of shown.keys()) {
    const declared = names.get(path) ?? [];
    const without = countTokens(`${line(path, [])}\n`);
    let count = Math.min(MOST_NAMES, declared.length);
    let cost = 0;
    for (; count > 0; count--) {
      cost = countTokens(`${line(path, declared.slice(0, count))}\n`) - without;
      if (cost <= left) break;
    }
    if (count === 0) continue;
    left -= cost;
    shown.set(path, declared.slice(0, count));
  }
  addFiles(0);
  const paths = [...shown.keys()];
  for (;;) {
    const outline = render(paths, shown, ranked.length - paths.length);
    if (countTokens(outline) <= budget) return outline;
    if (paths.length === 0) return '';
    paths.pop();
  }
}

/** Types and functions before constants and variables, each in the order of the file. */
function topLevelNames(symbols: OutlineSymbols['symbols']): string[] {
  const top = symbols.filter((symbol) => symbol.container === null);
  const isValue = (kind: string) => kind === 'constant' || kind === 'variable';
  const ordered = [...top.filter(({ kind }) => !isValue(kind)), ...top.filter(({ kind }) => isValue(kind))];
  return [...new Set(ordered.map((symbol) => symbol.name))];
}

/** `a/b/c.ts` → `a/`, `a/b/`. */
function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, index) => `${parts.slice(0, index + 1).join('/')}/`);
}

function line(entry: string, names: readonly string[]): string {
  const parts = entry.replace(/\/$/, '').split('/');
  const name = `${'  '.repeat(parts.length - 1)}${parts.at(-1)}${entry.endsWith('/') ? '/' : ''}`;
  return names.length > 0 ? `${name}: ${names.join(', ')}` : name;
}

/** In the order of the tree, files of a folder before its folders. */
function render(paths: readonly string[], names: ReadonlyMap<string, string[]>, more: number): string {
  const keyed = paths.map((path) => {
    const parts = path.split('/');
    return { path, key: [...parts.slice(0, -1).map((folder) => `1${folder}`), `0${parts.at(-1)}`].join('\u0000') };
  });
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  const lines: string[] = [];
  const opened = new Set<string>();
  for (const { path } of keyed) {
    for (const folder of parentsOf(path)) {
      if (!opened.has(folder)) lines.push(line(folder, []));
      opened.add(folder);
    }
    lines.push(line(path, names.get(path) ?? []));
  }
  if (more > 0) lines.push(`… ${more} more ${more === 1 ? 'file' : 'files'}`);
  return lines.join('\n');
}
