// Monorepos made of installed packages that the embedded model never saw.
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of each package, by name, the files and folders that are taken beside its manifest; null: everything. */
export async function writeMonorepo(folder: string, sources: Record<string, readonly string[] | null>): Promise<void> {
  for (const [name, files] of Object.entries(sources)) {
    // Relative to the bundle in dist/.
    const source = fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));
    const filter = (path: string) => !path.slice(source.length).includes('node_modules');
    for (const file of files === null ? [''] : ['package.json', ...files]) {
      await cp(join(source, file), join(folder, 'packages', name, file), { recursive: true, filter });
    }
  }
  const manifest = { name: 'made-of-packages', private: true, workspaces: ['packages/*'] };
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(join(folder, 'README.md'), '# Packages\n\nEach is a package of its own.\n');
}
