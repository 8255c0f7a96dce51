// The packages of a repository, as their package.json name them: what they show to others, and what an import of one means.
import { posix } from 'node:path';
import type { Document } from './documents.ts';

export interface Packages {
  /** Documents that a package names as what others import or run. */
  entries: ReadonlySet<string>;
  /** The document that a module means which is named by its package, such as `@scope/name/part`; null: none here. */
  documentOf(module: string): string | null;
}

interface Manifest {
  name?: unknown;
  [field: string]: unknown;
}

/** `exports` names files at any depth, by condition. */
const entryFields = ['source', 'main', 'module', 'browser', 'types', 'typings', 'exports', 'bin'];
const sourceEndings = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs', '.jsx'];
/** What a build writes has its source in one of these, if it is not in the repository itself. */
const builtFolder = /^(dist|lib|build|out|esm|cjs|es|umd)(\/(esm|cjs|es|umd|types|src))?\//;

/** A package.json that cannot be read is passed over. */
export function packagesOf(documents: readonly Document[]): Packages {
  const known = new Set(documents.map(({ path }) => path));
  const entries = new Set<string>();
  const byName = new Map<string, { folder: string; entry: string | null }>();
  for (const { path, text } of documents) {
    if (posix.basename(path) !== 'package.json') continue;
    const manifest = parsed(text);
    if (manifest === null) continue;
    const folder = posix.dirname(path);
    const named = entryFields.flatMap((field) => stringsIn(manifest[field]));
    const shown = named.flatMap((file) => sourceOf(folder, file, known) ?? []);
    const entry = shown[0] ?? sourceOf(folder, 'index', known) ?? sourceOf(folder, 'src/index', known);
    for (const one of shown) entries.add(one);
    if (entry !== null) entries.add(entry);
    if (typeof manifest.name === 'string') byName.set(manifest.name, { folder, entry });
  }
  return {
    entries,
    documentOf(module) {
      const parts = module.split('/');
      const name = parts.slice(0, module.startsWith('@') ? 2 : 1).join('/');
      const found = byName.get(name);
      if (found === undefined || module === name) return found?.entry ?? null;
      const rest = module.slice(name.length + 1);
      return sourceOf(found.folder, rest, known) ?? sourceOf(found.folder, `src/${rest}`, known);
    },
  };
}

function parsed(text: string): Manifest | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Manifest) : null;
  } catch {
    return null;
  }
}

function stringsIn(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || depth > 5) return [];
  return Object.values(value).flatMap((inner) => stringsIn(inner, depth + 1));
}

/** The document that a file named in a manifest is, or is built from. */
function sourceOf(folder: string, named: string, known: ReadonlySet<string>): string | null {
  const file = posix.normalize(named);
  const places = [file, file.replace(builtFolder, 'src/'), file.replace(builtFolder, '')];
  for (const place of places) {
    const base = posix.join(folder, place.replace(/(\.d)?\.[cm]?[jt]sx?$/, ''));
    const candidates = [
      posix.join(folder, place),
      ...sourceEndings.map((ending) => base + ending),
      ...sourceEndings.map((ending) => posix.join(base, `index${ending}`)),
    ];
    const found = candidates.find((candidate) => known.has(candidate));
    if (found !== undefined) return found;
  }
  return null;
}
