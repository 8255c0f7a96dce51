/** What is known of each package that has an adapter of its own, as a table. */
import type { PackageStatus } from '../../protocol/host.ts';
import { count, percent } from './number-text.ts';
import { textTable } from './text-table.ts';

const head = ['Package', 'Absorbed', 'Tokens', 'Dirty', 'Version'];

/** For people; nothing where there are none. */
export function packageLines(packages: readonly PackageStatus[]): string[] {
  if (packages.length === 0) return [];
  const rows = packages.map(({ folder, absorbed, tokens, dirty, version, byWhole }) => [
    folder === '.' ? '. (what is in no package)' : folder,
    version === null ? 'nothing yet' : percent(absorbed),
    count(tokens),
    count(dirty),
    version === null ? 'none' : `${version}${byWhole ? ' of all' : ''}`,
  ]);
  const note = 'Until a package has a finished adapter of its own, the adapter of all answers for it.';
  return [...textTable(head, rows, head.slice(1, 4)), ...(packages.some(({ byWhole }) => byWhole) ? [note] : [])];
}
