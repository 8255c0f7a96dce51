// Many packages hold what their authors wrote only inside source maps. It is written out beside the built files.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';

const folderName = 'mapped-sources';

/** The part of a path that this file adds. */
export const MAPPED = new RegExp(`^${folderName}/`);

/** Writes the TypeScript of a package's source maps to mapped-sources/, once. */
export async function writeMappedSources(folder: string): Promise<void> {
  const target = join(folder, folderName);
  const done = join(target, '.done');
  if ((await readFile(done).catch(() => null)) !== null) return;
  await mkdir(target, { recursive: true });
  const entries = await readdir(folder, { recursive: true });
  for (const entry of entries.filter((name) => name.endsWith('.map') && !name.includes('node_modules'))) {
    const map = await readFile(join(folder, entry), 'utf8').then(JSON.parse, () => null);
    const { sources, sourcesContent } = map ?? {};
    if (!Array.isArray(sources) || !Array.isArray(sourcesContent)) continue;
    for (const [index, source] of sources.entries()) {
      const content = sourcesContent[index];
      if (typeof content !== 'string' || !/\.tsx?$/.test(source) || /node_modules|^[a-z]+:/.test(source)) continue;
      // Relative to the map, and often to a folder above the package: what would leave it is cut off.
      const path = posix.join(posix.dirname(entry), source).replace(/^(\.\.\/)+/, '');
      await mkdir(dirname(join(target, path)), { recursive: true });
      await writeFile(join(target, path), content);
    }
  }
  await writeFile(done, '');
}
