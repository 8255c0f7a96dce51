// A million tokens: the sources of ten installed packages side by side, none of which the embedded model was trained on.
import { cp, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Each package with the folder of its sources. */
export const packagesOfMillion: readonly (readonly [name: string, sources: string])[] = [
  ['@huggingface/hub', 'src'],
  ['lodash', '.'],
  ['@microsoft/fast-foundation', 'dist/esm'],
  ['@azure/msal-common', 'src'],
  ['ajv', 'lib'],
  ['playwright-core', 'lib'],
  ['@typespec/ts-http-runtime', 'dist/esm'],
  ['cheerio', 'src'],
  ['markdown-it', '.'],
  ['@microsoft/fast-element', 'dist/esm'],
];

/** Larger files are bundles. */
const mostBytes = 40_000;

/** Copies them below `target`, each with its README and package.json; sources lie in `src`, wherever they came from. */
export async function copyMillion(modules: string, target: string): Promise<void> {
  for (const [name, sources] of packagesOfMillion) {
    const to = join(target, name);
    await mkdir(to, { recursive: true });
    for (const file of ['README.md', 'package.json'])
      await cp(join(modules, name, file), join(to, file)).catch(() => {});
    const from = join(modules, name, sources);
    await cp(from, join(to, 'src'), {
      recursive: true,
      filter: async (path) => {
        const entry = await stat(path);
        if (entry.isDirectory()) return !path.slice(from.length).includes('node_modules');
        return /\.(js|mjs|ts|md)$/.test(path) && !/\.min\.|\.d\.ts$/.test(path) && entry.size < mostBytes;
      },
    });
  }
  const found = await readdir(target);
  if (found.length === 0) throw new Error('no package was copied: run `npm ci` first');
}
