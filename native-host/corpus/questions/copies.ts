// Packages often hold the same code several times: sources, a build for each module system, a bundle. Questions are asked about one of them.
import { posix } from 'node:path';
import { isGenerated } from '../importance.ts';
import { appendTo } from './append-to.ts';
import type { SourceFile } from './repository.ts';

const scriptLanguages = new Set(['typescript', 'tsx', 'javascript']);
const flavours = /^(src|source|dist|lib|build|out|esm|es|es6|cjs|commonjs|umd|mjs|modern|legacy|browser|module)$/;

const forOldPlatforms = /(^|[/._-])(legacy|es5|compat|umd|bundled?|browser|node)\.[cm]?js$/;

/** The files that are not copies of another, in the same order. A copy repeats at least half of the names of the files it is made from. */
export function withoutCopies(files: readonly SourceFile[]): SourceFile[] {
  const kept = new Set<SourceFile>(files.filter((file) => !scriptLanguages.has(file.language)));
  const keptNames = new Set<string>();
  const sourceNames = new Set<string>();
  const byKey = new Map<string, SourceFile[]>();
  const candidates = files.filter((file) => !kept.has(file)).sort((a, b) => preference(a.path) - preference(b.path));
  for (const file of candidates) {
    const names = file.symbols.filter((symbol) => symbol.container === null).map((symbol) => symbol.name);
    const repeats = (known: ReadonlySet<string>) => 2 * names.filter((name) => known.has(name)).length >= names.length;
    const key = keyOf(file.path);
    const twins = byKey.get(key) ?? [];
    const twin = twins.some((other) => repeats(new Set(other.symbols.map((symbol) => symbol.name))));
    const copied = isDeclaration(file.path)
      ? names.length > 0 && repeats(sourceNames)
      : twin || ((isGenerated(file.path) || forOldPlatforms.test(file.path)) && names.length > 0 && repeats(keptNames));
    if (copied) continue;
    kept.add(file);
    appendTo(byKey, key, file);
    if (isDeclaration(file.path)) continue;
    for (const name of names) {
      keptNames.add(name);
      if (/\.[cm]?tsx?$/.test(file.path)) sourceNames.add(name);
    }
  }
  // Where most of what is built repeats the sources, the rest is what holds it together.
  const built = candidates.filter((file) => isGenerated(file.path));
  const remains = built.filter((file) => kept.has(file));
  const hasSources = candidates.some((file) => !isGenerated(file.path) && file.symbols.length > 0);
  if (hasSources && 2 * remains.length <= built.length) for (const file of remains) kept.delete(file);
  return files.filter((file) => kept.has(file));
}

function keyOf(path: string): string {
  const parts = path.replace(/(\.d)?\.[cm]?[jt]sx?$/, '').split('/');
  return parts.filter((part, index) => index === parts.length - 1 || !flavours.test(part)).join('/');
}

function isDeclaration(path: string): boolean {
  return /\.d\.[cm]?ts$/.test(path);
}

// Sources before builds, TypeScript before what is made from it, ES modules before the others, declarations last.
function preference(path: string): number {
  const ending = posix.extname(path);
  const language = /^\.[mc]?tsx?$/.test(ending) ? 0 : ending === '.cjs' ? 2 : 1;
  const oldModules = /(^|\/)(cjs|commonjs|umd|legacy|es5|browser)(\/|$)/.test(path) ? 1 : 0;
  return (isDeclaration(path) ? 1000 : 0) + (isGenerated(path) ? 100 : 0) + 10 * oldModules + language;
}
