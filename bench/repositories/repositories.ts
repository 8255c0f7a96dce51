// The repositories that absorbing is measured with. The embedded model has seen none of them: scripts/pretrain/excluded.ts
// keeps them out of its data by name and by content.
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { installedPythonPackage, pythonPackageFiles, walkFiles } from '../../scripts/pretrain/package-files.ts';
import { packAndExtract } from '../../scripts/pretrain/registry.ts';

export interface MeasuredPackage {
  name: string;
  /** Of the npm registry, fetched with npm; null for the Python package of that name, which has to be installed. */
  version: string | null;
  /** What a person wrote of it: built copies and declarations are left out. */
  keep: RegExp;
}

/** In the order of the tables; the next one is each one's wrong repository. */
export const measuredPackages: readonly MeasuredPackage[] = [
  { name: 'semver', version: '7.8.6', keep: /\.js$|^README\.md$|^package\.json$/ },
  { name: 'minimatch', version: '10.2.5', keep: /^dist\/esm\/.*\.js$|^README\.md$|^package\.json$/ },
  { name: 'commander', version: '14.0.3', keep: /^lib\/|^index\.js$|^Readme\.md$|^package\.json$/ },
  { name: 'express', version: '5.3.0', keep: /^lib\/|^index\.js$|^Readme\.md$|^package\.json$/ },
  { name: 'pacote', version: '21.5.1', keep: /^(lib|bin)\/|^README\.md$|^package\.json$/ },
  { name: 'tar', version: '7.5.22', keep: /^dist\/esm\/.*\.js$|^README\.md$|^package\.json$/ },
  { name: 'zod', version: '4.6.7', keep: /^src\/v4\/classic\/[^/]+\.ts$|^README\.md$|^package\.json$/ },
  { name: 'requests', version: null, keep: /\.py$/ },
  { name: 'flask', version: null, keep: /\.py$/ },
];

export interface FetchedRepository {
  name: string;
  version: string;
  folder: string;
}

/** A copy of a package's sources below `target`, or the reason why there is none. `cache` keeps what npm fetched. */
export async function fetchRepository(
  { name, version, keep }: MeasuredPackage,
  cache: string,
  target: string,
): Promise<FetchedRepository | string> {
  const found = version === null ? await pythonSources(name) : await npmSources(name, version, cache);
  if (typeof found === 'string') return found;
  const folder = join(target, name);
  const kept = found.paths.filter((path) => keep.test(path));
  if (kept.length === 0) return 'none of its files is one that is measured';
  for (const path of kept) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await cp(join(found.folder, path), join(folder, path));
  }
  return { name, version: found.version, folder };
}

interface Sources {
  version: string;
  folder: string;
  paths: string[];
}

async function npmSources(name: string, version: string, cache: string): Promise<Sources | string> {
  try {
    const folder = await packAndExtract({ name, version }, cache);
    return { version, folder, paths: await walkFiles(folder) };
  } catch (error) {
    return `npm could not fetch ${name}@${version}: ${(error as Error).message.split('\n')[0]}`;
  }
}

async function pythonSources(name: string): Promise<Sources | string> {
  const found = await installedPythonPackage(name);
  if (found === null) return `the Python package ${name} is not installed`;
  return { version: found.version, folder: found.folder, paths: await pythonPackageFiles(found) };
}
