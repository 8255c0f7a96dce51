// Where the files of a pretraining package are on this machine. A package that is not installed, or in another version
// than the list names, is an answer with a reason and no failure: the report says which ones were missing.
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { debianLicense, unpackedDebianArchive } from './debian-archive.ts';
import { MAPPED, writeMappedSources } from './mapped-sources.ts';
import type { PretrainingPackage } from './package-list.ts';
import { packAndExtract } from './registry.ts';

const run = promisify(execFile);
const output = (command: string, args: string[]) =>
  run(command, args, { maxBuffer: 1 << 26 }).then(
    (result) => result.stdout.trim(),
    () => null,
  );

export interface PackageFiles {
  folder: string;
  /** '/'-separated, relative to `folder`, sorted. */
  paths: string[];
}

export interface Places {
  projectFolder: string;
  cacheFolder: string;
}

/** Regular files below a folder, sorted; nested node_modules and links are not followed. */
export async function walkFiles(folder: string, prefix = ''): Promise<string[]> {
  const entries = await readdir(join(folder, prefix), { withFileTypes: true });
  const paths: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = prefix ? `${prefix}/${entry.name}` : entry.name;
    if (entry.isDirectory() && entry.name !== 'node_modules') paths.push(...(await walkFiles(folder, path)));
    else if (entry.isFile()) paths.push(path);
  }
  return paths;
}

/** Where an archive puts what is a repository's root: `usr/share/nodejs/x/lib/a.js` is `lib/a.js`. */
const ROOTS =
  /^(usr\/lib\/python3\/dist-packages\/|usr\/share\/(nodejs\/(@[^/]+\/)?|cargo\/registry\/|gocode\/src\/[^/]+\/[^/]+\/)[^/]+\/|usr\/(share\/)?)/;

/** The path that a document has in its repository. */
export function repositoryPath(path: string): string {
  return path.replace(ROOTS, '').replace(MAPPED, '');
}

/** Files of a package, or the reason why there are none. Throws only when a registry package cannot be fetched. */
export async function packageFiles(wanted: PretrainingPackage, places: Places): Promise<PackageFiles | string> {
  const found = await findFiles(wanted, places);
  if (typeof found === 'string') return found;
  const { include } = wanted;
  const paths = found.paths.filter((path) => !include || include.some((prefix) => path.startsWith(prefix)));
  return paths.length > 0 ? { folder: found.folder, paths: paths.sort() } : 'none of its files matches `include`';
}

async function findFiles(wanted: PretrainingPackage, places: Places): Promise<PackageFiles | string> {
  switch (wanted.from) {
    case 'registry': {
      const folder = await packAndExtract(wanted, join(places.cacheFolder, 'tarballs'));
      await writeMappedSources(folder);
      return nodePackageFiles(folder, wanted);
    }
    case 'project':
      return nodePackageFiles(join(places.projectFolder, 'node_modules', wanted.name), wanted);
    case 'npm': {
      const root = await globalModules();
      if (!root) return 'npm is not installed';
      return nodePackageFiles(join(root, 'npm', 'node_modules', wanted.name), wanted);
    }
    case 'python': {
      const found = await installedPythonPackage(wanted.name);
      if (!found) return 'not installed';
      if (found.version !== wanted.version) return `version ${found.version} is installed`;
      return { folder: found.folder, paths: await pythonPackageFiles(found) };
    }
    case 'python-standard-library': {
      const python = await pythonPaths();
      if (!python) return 'Python is not installed';
      if (python.version !== wanted.version) return `version ${python.version} is installed`;
      const paths = await walkFiles(python.standardLibrary);
      return {
        folder: python.standardLibrary,
        paths: paths.filter(
          (path) => !/(^|\/)(site-packages|dist-packages|test|tests|idle_test|encodings)\//.test(path),
        ),
      };
    }
    case 'node': {
      if (process.versions.node !== wanted.version) return `version ${process.versions.node} is running`;
      const folder = dirname(dirname(process.execPath));
      const paths = [];
      for (const part of ['share/doc/nodejs/api', 'include/node']) {
        const files = await walkFiles(join(folder, part)).catch(() => []);
        paths.push(...files.map((path) => `${part}/${path}`));
      }
      return { folder, paths };
    }
    case 'debian-archive': {
      const unpacked = await unpackedDebianArchive(wanted, join(places.cacheFolder, 'debs'));
      if (typeof unpacked === 'string') return unpacked;
      const copyright = join(unpacked.folder, 'usr/share/doc', wanted.name, 'copyright');
      const license = debianLicense(await readFile(copyright, 'utf8'));
      if (license !== wanted.license) return `its licence is ${license ?? 'not permissive'}, not ${wanted.license}`;
      return { folder: unpacked.folder, paths: await walkFiles(unpacked.folder) };
    }
    case 'debian': {
      const version = await output('dpkg-query', ['-W', '-f', '$' + '{Version}', wanted.name]);
      if (version !== wanted.version) return version ? `version ${version} is installed` : 'not installed';
      const listing = (await output('dpkg', ['-L', wanted.name])) ?? '';
      const shipped = listing.split('\n').filter((path) => path.startsWith('/usr/'));
      return { folder: '/usr', paths: shipped.map((path) => path.slice('/usr/'.length)) };
    }
  }
}

async function nodePackageFiles(folder: string, wanted: PretrainingPackage): Promise<PackageFiles | string> {
  const manifest = await readFile(join(folder, 'package.json'), 'utf8').then(JSON.parse, () => null);
  if (!manifest) return 'not installed';
  if (manifest.version !== wanted.version) return `version ${manifest.version} is installed`;
  if (manifest.license !== wanted.license) return `its licence is ${manifest.license}, not ${wanted.license}`;
  return { folder, paths: await walkFiles(folder) };
}

let globalModulesFolder: Promise<string | null> | undefined;
function globalModules(): Promise<string | null> {
  globalModulesFolder ??= output('npm', ['root', '-g']);
  return globalModulesFolder;
}

interface PythonPaths {
  version: string;
  standardLibrary: string;
  sitePackages: string;
}

let python: Promise<PythonPaths | null> | undefined;
function pythonPaths(): Promise<PythonPaths | null> {
  const script =
    'import json,platform,sysconfig as s;' +
    'print(json.dumps([platform.python_version(),s.get_path("stdlib"),s.get_path("purelib")]))';
  python ??= output('python3', ['-c', script]).then((text) => {
    if (!text) return null;
    const [version, standardLibrary, sitePackages] = JSON.parse(text) as [string, string, string];
    return { version, standardLibrary, sitePackages };
  });
  return python;
}

export interface PythonPackage {
  name: string;
  version: string;
  /** The site-packages folder. */
  folder: string;
  record: string;
}

export async function installedPythonPackage(name: string): Promise<PythonPackage | null> {
  const paths = await pythonPaths();
  if (!paths) return null;
  const folder = paths.sitePackages;
  const plain = (text: string) => text.toLowerCase().replace(/[-_.]+/g, '_');
  for (const entry of await readdir(folder).catch(() => [])) {
    const match = /^(.+)-([^-]+)\.dist-info$/.exec(entry);
    if (match && plain(match[1]!) === plain(name))
      return { name, version: match[2]!, folder, record: `${entry}/RECORD` };
  }
  return null;
}

/** Files that the package's RECORD names, tests left out. */
export async function pythonPackageFiles(found: PythonPackage): Promise<string[]> {
  const record = await readFile(join(found.folder, found.record), 'utf8').catch(() => '');
  return record
    .split(/\r?\n/)
    .map((line) => (line.startsWith('"') ? line.slice(1, line.indexOf('"', 1)) : line.slice(0, line.indexOf(','))))
    .filter(
      (path) => path !== '' && !path.startsWith('..') && !/(^|\/)(tests?|__pycache__)\/|\.dist-info\//.test(path),
    );
}
