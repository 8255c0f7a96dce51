// The VSIX files, made anew from what `npm run build` made.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const platforms = ['linux-x64', 'linux-arm64', 'win32-x64', 'win32-arm64', 'darwin-arm64'] as const;

/** Makes the VSIX of these platforms in a folder; gives the path of the file of each. */
export function makePackages<Platform extends string>(
  targets: readonly Platform[],
  folder: string,
): Record<Platform, string> {
  if (!existsSync('dist/main.js')) throw new Error('dist/main.js is missing: run `npm run build` first');
  const asked = targets.flatMap((target) => ['--target', target]);
  execFileSync(process.execPath, ['scripts/package.mjs', '--out', folder, ...asked], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const files = targets.map((target) => [target, join(folder, `${name}-${target}-${version}.vsix`)]);
  return Object.fromEntries(files) as Record<Platform, string>;
}
