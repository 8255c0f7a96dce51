/** A program that a test starts, and kills, as a process of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface BundledChild {
  file: string;
  remove(): Promise<void>;
}

/** `source`: a module that imports from the project's root. */
export async function bundleChild(source: string): Promise<BundledChild> {
  // Beside the installed packages, which stay outside the bundle as they do in the product.
  const folder = await mkdtemp(join(root, 'node_modules', '.test-child-'));
  const file = join(folder, 'child.mjs');
  await build({
    stdin: { contents: source, resolveDir: root, loader: 'js' },
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}
