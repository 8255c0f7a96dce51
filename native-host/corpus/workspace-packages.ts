/**
 * Which folders a repository declares as the packages of its workspace: npm, yarn and pnpm, Cargo, Go and uv. Only what the
 * manifests at its top declare counts; whatever they leave to a tool's guess does not.
 */
import { posix } from 'node:path';
import type { Document } from './documents.ts';
import { globMatcher } from './glob.ts';

/** Stands for what lies outside of all packages, where folders of packages are named. */
export const outsidePackages = '.';

/** A tool's workspace: folders that match, and hold this file, are its packages. */
interface Declaration {
  manifest: string;
  patterns: readonly string[];
}

/** The folders, sorted; none of them is the top itself. What cannot be read declares nothing. */
export function workspacePackages(documents: readonly Document[]): string[] {
  const byPath = new Map(documents.map((document) => [document.path, document]));
  const textOf = (path: string) => byPath.get(path)?.text ?? '';
  const declarations: Declaration[] = [
    {
      manifest: 'package.json',
      patterns: [...npmPatterns(textOf('package.json')), ...pnpmPatterns(textOf('pnpm-workspace.yaml'))],
    },
    { manifest: 'Cargo.toml', patterns: tomlPatterns(textOf('Cargo.toml'), 'workspace') },
    { manifest: 'pyproject.toml', patterns: tomlPatterns(textOf('pyproject.toml'), 'tool.uv.workspace') },
    { manifest: 'go.mod', patterns: goPatterns(textOf('go.work')) },
  ];
  const folders = declarations.flatMap(({ manifest, patterns }) => {
    if (patterns.length === 0) return [];
    const isNamed = namedBy(patterns);
    const holding = documents
      .filter(({ path }) => posix.basename(path) === manifest)
      .map(({ path }) => posix.dirname(path));
    return holding.filter((folder) => folder !== '.' && isNamed(folder));
  });
  return [...new Set(folders)].sort();
}

/** By path of a document, the innermost of these folders that holds it, or `outsidePackages`. */
export function packageFinder(folders: readonly string[]): (path: string) => string {
  const known = new Set(folders);
  return (path) => {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const folder = path.slice(0, end);
      if (known.has(folder)) return folder;
    }
    return outsidePackages;
  };
}

function namedBy(patterns: readonly string[]): (folder: string) => boolean {
  const taken = patterns.filter((pattern) => !pattern.startsWith('!')).map(globMatcher);
  const left = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => globMatcher(pattern.slice(1)));
  return (folder) => taken.some((matches) => matches(folder)) && !left.some((matches) => matches(folder));
}

/** `workspaces` of package.json: a list, or an object with the list in `packages`. */
function npmPatterns(text: string): string[] {
  try {
    const { workspaces } = JSON.parse(text) as { workspaces?: unknown };
    const list = Array.isArray(workspaces) ? workspaces : (workspaces as { packages?: unknown } | undefined)?.packages;
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

/** The list under `packages:`, one item a line or in brackets. */
function pnpmPatterns(text: string): string[] {
  const [, inBrackets] = /^packages:[ \t]*\[([^\]]*)\]/m.exec(text) ?? [];
  if (inBrackets !== undefined) return quotedStrings(inBrackets);
  const lines = text.split(/\r?\n/);
  const start = lines.findIndex((line) => /^packages:\s*(#.*)?$/.test(line));
  const patterns: string[] = [];
  for (const line of start < 0 ? [] : lines.slice(start + 1)) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const [, quoted, plain] = /^\s*-\s+(?:(["'].*?["'])|([^"'#\s][^#]*?))\s*(?:#.*)?$/.exec(line) ?? [];
    if (quoted === undefined && plain === undefined) break;
    patterns.push(quoted?.slice(1, -1) ?? plain!);
  }
  return patterns;
}

/** `members` of a table, and `exclude` as what is left out. */
function tomlPatterns(text: string, table: string): string[] {
  const header = new RegExp(String.raw`^[ \t]*\[${table.replaceAll('.', String.raw`\.`)}\][ \t]*(?:#.*)?$`, 'm');
  const found = header.exec(text);
  if (found === null) return [];
  const rest = text.slice(found.index + found[0].length);
  const next = /^[ \t]*\[+[\w."'-]+\]+[ \t]*(?:#.*)?$/m.exec(rest);
  const body = next === null ? rest : rest.slice(0, next.index);
  const listOf = (key: string) => {
    const start = new RegExp(String.raw`^[ \t]*${key}[ \t]*=[ \t]*\[`, 'm').exec(body);
    return start === null ? [] : quotedStrings(body.slice(start.index + start[0].length));
  };
  return [...listOf('members'), ...listOf('exclude').map((pattern) => `!${pattern}`)];
}

/** Strings in quotes up to a closing bracket; comments are passed over. */
function quotedStrings(text: string): string[] {
  const strings: string[] = [];
  for (const [whole, double, single] of text.matchAll(/"([^"\n]*)"|'([^'\n]*)'|#.*|\]/g)) {
    if (whole === ']') break;
    if (!whole.startsWith('#')) strings.push(double ?? single!);
  }
  return strings;
}

/** `use ./a`, and `use ( … )` with a folder a line. */
function goPatterns(text: string): string[] {
  const plain = text.replace(/\/\/.*$/gm, '');
  const blocks = [...plain.matchAll(/^use\s*\(([^)]*)\)/gm)].flatMap(([, block]) => block!.split('\n'));
  const single = [...plain.matchAll(/^use[ \t]+([^\s(]\S*)/gm)].map(([, folder]) => folder!);
  return [...blocks, ...single]
    .map((folder) => folder.trim().replace(/^["'`]|["'`]$/g, ''))
    .filter((folder) => folder !== '');
}

/** What each of these packages calls itself, by folder: in package.json, Cargo.toml, pyproject.toml or go.mod. */
export function packageNames(documents: readonly Document[], folders: readonly string[]): Map<string, string[]> {
  const byPath = new Map(documents.map((document) => [document.path, document]));
  const named = folders.map((folder): [string, string[]] => {
    const textOf = (file: string) => byPath.get(folder === outsidePackages ? file : `${folder}/${file}`)?.text ?? '';
    const [, inJson] = /"name"\s*:\s*"([^"\n]+)"/.exec(textOf('package.json')) ?? [];
    const inToml = ['Cargo.toml', 'pyproject.toml'].map(
      (file) => /^name\s*=\s*["']([^"'\n]+)["']/m.exec(textOf(file))?.[1],
    );
    const [, inGo] = /^module\s+(\S+)/m.exec(textOf('go.mod')) ?? [];
    return [folder, [inJson, ...inToml, inGo].filter((name) => name !== undefined)];
  });
  return new Map(named);
}
