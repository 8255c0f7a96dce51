// The repositories that absorbing is measured with. The embedded model has seen none of them: scripts/pretrain/excluded.ts
// keeps them out of its data by name and by content.
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { walkFiles } from '../../scripts/pretrain/package-files.ts';
import { packAndExtract } from '../../scripts/pretrain/registry.ts';
import { run } from '../command.ts';

export interface MeasuredPackage {
  name: string;
  /** Where it is fetched from: with npm, or with Python's pip. */
  registry: 'npm' | 'pypi';
  version: string;
  /** What a person wrote of it: built copies and declarations are left out. */
  keep: RegExp;
}

/** In the order of the tables; the next one is each one's wrong repository. */
export const measuredPackages: readonly MeasuredPackage[] = [
  { name: 'semver', registry: 'npm', version: '7.8.6', keep: /\.js$|^README\.md$|^package\.json$/ },
  { name: 'minimatch', registry: 'npm', version: '10.2.5', keep: /^dist\/esm\/.*\.js$|^README\.md$|^package\.json$/ },
  { name: 'commander', registry: 'npm', version: '14.0.3', keep: /^lib\/|^index\.js$|^Readme\.md$|^package\.json$/ },
  { name: 'express', registry: 'npm', version: '5.3.0', keep: /^lib\/|^index\.js$|^Readme\.md$|^package\.json$/ },
  { name: 'pacote', registry: 'npm', version: '21.5.1', keep: /^(lib|bin)\/|^README\.md$|^package\.json$/ },
  { name: 'tar', registry: 'npm', version: '7.5.22', keep: /^dist\/esm\/.*\.js$|^README\.md$|^package\.json$/ },
  {
    name: 'zod',
    registry: 'npm',
    version: '4.6.7',
    keep: /^src\/v4\/classic\/[^/]+\.ts$|^README\.md$|^package\.json$/,
  },
  { name: 'requests', registry: 'pypi', version: '2.34.2', keep: /^requests\/.*\.py$/ },
  { name: 'flask', registry: 'pypi', version: '3.1.3', keep: /^flask\/.*\.py$/ },
];

export interface FetchedRepository {
  name: string;
  version: string;
  folder: string;
}

/** A copy of a package's sources below `target`, or the reason why there is none. `cache` keeps what was fetched. */
export async function fetchRepository(
  { name, registry, version, keep }: MeasuredPackage,
  cache: string,
  target: string,
): Promise<FetchedRepository | string> {
  const fetch = registry === 'npm' ? packAndExtract : unpackedWheel;
  let unpacked: string;
  try {
    unpacked = await fetch({ name, version }, cache);
  } catch (error) {
    return `${name}@${version} could not be fetched: ${(error as Error).message.split('\n')[0]}`;
  }
  const folder = join(target, name);
  const kept = (await walkFiles(unpacked)).filter((path) => keep.test(path));
  if (kept.length === 0) return 'none of its files is one that is measured';
  for (const path of kept) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await cp(join(unpacked, path), join(folder, path));
  }
  return { name, version, folder };
}

/** A wheel is a zip file, which Python can open. */
async function unpackedWheel({ name, version }: { name: string; version: string }, cache: string): Promise<string> {
  const folder = join(cache, `${name}-${version}-wheel`);
  if (existsSync(folder)) return folder;
  const fetched = join(cache, `${name}-${version}.fetched`);
  await rm(fetched, { recursive: true, force: true });
  const only = ['--no-deps', '--only-binary', ':all:', '--disable-pip-version-check', '--quiet'];
  await run('python3', ['-m', 'pip', 'download', ...only, '--dest', fetched, `${name}==${version}`]);
  const [wheel] = await readdir(fetched);
  if (wheel === undefined) throw new Error('pip fetched nothing');
  await run('python3', ['-m', 'zipfile', '-e', join(fetched, wheel), `${folder}.part`]);
  await rename(`${folder}.part`, folder);
  return folder;
}
