// Which file of the repository an import means.
import { posix } from 'node:path';
import { appendTo } from './append-to.ts';

const scriptEndings = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs', '.jsx', '.d.ts', '.json'];

/** Finds the document that an import in a document means; null when it is no file of the repository, or when that cannot be told for sure. */
export function importResolver(
  paths: readonly string[],
): (from: string, module: string, language: string) => string | null {
  const known = new Set(paths);
  const byName = new Map<string, string[]>();
  for (const path of paths) {
    const name = posix.basename(path);
    appendTo(byName, name, path);
  }
  const firstKnown = (candidates: string[]) => candidates.find((candidate) => known.has(candidate)) ?? null;
  const endingWith = (suffix: string) => {
    const found = (byName.get(posix.basename(suffix)) ?? []).filter(
      (path) => path === suffix || path.endsWith(`/${suffix}`),
    );
    return found.length === 1 ? (found[0] as string) : null;
  };

  return (from, module, language) => {
    const folder = posix.dirname(from);
    switch (language) {
      case 'typescript':
      case 'tsx':
      case 'javascript': {
        if (!module.startsWith('.')) return null;
        const base = posix.join(folder, module);
        const withoutEnding = base.replace(/\.[cm]?jsx?$/, '');
        return firstKnown([
          base,
          ...(withoutEnding === base
            ? []
            : [`${withoutEnding}.ts`, `${withoutEnding}.tsx`, `${withoutEnding}.mts`, `${withoutEnding}.cts`]),
          ...scriptEndings.map((ending) => base + ending),
          ...scriptEndings.map((ending) => posix.join(base, `index${ending}`)),
        ]);
      }
      case 'python': {
        const dots = /^\.*/.exec(module)![0].length;
        const parts = module.slice(dots).split('.').filter(Boolean).join('/');
        if (dots > 0) {
          const base = posix.join(folder, ...Array<string>(dots - 1).fill('..'), parts);
          return firstKnown([`${base}.py`, posix.join(base, '__init__.py')]);
        }
        if (parts.includes('/')) return endingWith(`${parts}.py`) ?? endingWith(`${parts}/__init__.py`);
        // Inside a package a bare name means a module of another one, such as the standard library.
        const roots = known.has(posix.join(folder, '__init__.py')) ? ['', 'src'] : [folder, '', 'src'];
        const outside = roots.filter((root) => !known.has(posix.join(root, '__init__.py')));
        return firstKnown(
          outside.flatMap((root) => [posix.join(root, `${parts}.py`), posix.join(root, parts, '__init__.py')]),
        );
      }
      case 'java':
        return endingWith(`${module.replaceAll('.', '/')}.java`);
      case 'c':
      case 'cpp':
        return firstKnown([posix.join(folder, module)]) ?? endingWith(module);
      default:
        return null;
    }
  };
}
