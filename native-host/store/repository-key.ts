/** Names of folders in the store. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { StoreError } from './store-error.ts';

/** The real path of a folder; of one that does not exist (any more) its absolute path. */
export function realFolder(folder: string): string {
  try {
    return realpathSync.native(folder);
  } catch {
    return resolve(folder);
  }
}

/** `<basename>-<12 hex digits>`: the name is for people, the hash of the real path makes it unique. */
export function repositoryKeyOf(folder: string): string {
  const real = realFolder(folder);
  const name = basename(real)
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 40);
  return `${name === '' ? 'root' : name}-${createHash('sha256').update(real).digest('hex').slice(0, 12)}`;
}

/** Of a package of a repository: no folder of its own has such a key, whatever its name. */
export function packageKeyOf(repositoryKey: string, packageFolder: string): string {
  const name = packageFolder
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(-32);
  return `${repositoryKey}+${name}-${createHash('sha256').update(packageFolder).digest('hex').slice(0, 12)}`;
}

export function isPackageKey(key: string): boolean {
  return key.includes('+');
}

/** Of the repository that the package of this key lies in. */
export function repositoryKeyOfPackage(key: string): string {
  return key.slice(0, key.indexOf('+'));
}

/** Whether a key is that of a repository, or of a package of it. */
export function isOfRepository(key: string, repositoryKey: string): boolean {
  return key === repositoryKey || key.startsWith(`${repositoryKey}+`);
}

/** A key becomes a folder's name, so it must not lead anywhere else. */
export function checkedKey(key: string, what: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/.test(key) && !key.endsWith('.')) return key;
  throw new StoreError(
    `${JSON.stringify(key)} is no ${what}: letters, digits, '.', '_', '+' and '-' are allowed. ` +
      '`lift adapters list` shows what there is.',
  );
}
