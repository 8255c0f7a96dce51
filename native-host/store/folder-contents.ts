/** What a folder of the store holds. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** The names of the folders in it, sorted; none if it does not exist. */
export async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** Of all files in it, at any depth. Files that vanish meanwhile count nothing. */
export async function bytesIn(path: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) bytes += await bytesIn(inner);
    else if (entry.isFile())
      bytes += await stat(inner).then(
        ({ size }) => size,
        () => 0,
      );
  }
  return bytes;
}
