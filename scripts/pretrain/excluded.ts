// Packages that LIFT is measured with, and so must never be pretrained on. They are kept out by name, wherever they are
// nested or vendored, and by content: files and 8-line shingles of several of their major versions.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installedPythonPackage, pythonPackageFiles, walkFiles } from './package-files.ts';
import { packAndExtract } from './registry.ts';

export const EXCLUDED_NAMES = [
  'semver',
  'tar',
  'minimatch',
  'pacote',
  'express',
  'commander',
  'zod',
  'flask',
  'requests',
] as const;

/** Several major versions of each, so that older vendored copies are recognised too. */
export const EXCLUDED_VERSIONS: Record<string, string[]> = {
  semver: ['5.7.2', '6.3.1', '7.8.6'],
  tar: ['4.4.19', '6.2.1', '7.5.22'],
  minimatch: ['3.1.2', '5.1.6', '9.0.5', '10.2.5'],
  pacote: ['9.5.12', '15.2.0', '21.5.1'],
  express: ['3.21.2', '4.21.2', '5.3.0'],
  commander: ['2.20.3', '7.2.0', '12.1.0', '14.0.3'],
  zod: ['1.11.17', '3.25.76', '4.6.7'],
};
const EXCLUDED_PYTHON_NAMES = ['flask', 'requests'];

export const SHINGLE_LINES = 8;
export const LARGEST_SHARED_SHINGLES = 0.1;

const excludedNames = new Set<string>(EXCLUDED_NAMES);

/** True for an excluded package, its type declarations, scoped copies and Debian's: `@types/semver`, `@scope/tar`, `python3-flask`. */
export function isExcludedName(name: string): boolean {
  return excludedNames.has(
    name
      .toLowerCase()
      .replace(/^@[^/]*\//, '')
      .replace(/^(node|python3?|librust|golang)-/, '')
      .replace(/-dev$/, ''),
  );
}

/** True when a folder on the way to the file carries an excluded package's name, or belongs to a nested package. */
export function isExcludedPath(path: string): boolean {
  const folders = path.toLowerCase().split('/').slice(0, -1);
  return folders.some((folder) => folder === 'node_modules' || excludedNames.has(folder.replace(/-stubs$/, '')));
}

export interface ContentFingerprint {
  files: Set<string>;
  shingles: Set<number>;
  /** What was fingerprinted: `name@version`. */
  packages: string[];
}

export function emptyFingerprint(): ContentFingerprint {
  return { files: new Set(), shingles: new Set(), packages: [] };
}

/** Lines without surrounding or repeated white space, blank ones left out: copies that were reformatted stay equal. */
function normalisedLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '');
}

function fileHash(lines: string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 32);
}

/** 53-bit hashes of every run of eight lines; one hash of the whole when the file is shorter. */
export function shinglesOf(lines: string[]): number[] {
  const high = new Uint32Array(lines.length);
  const low = new Uint32Array(lines.length);
  lines.forEach((line, i) => {
    let a = 0xdeadbeef;
    let b = 0x41c6ce57;
    for (let k = 0; k < line.length; k++) {
      const unit = line.charCodeAt(k);
      a = Math.imul(a ^ unit, 2654435761);
      b = Math.imul(b ^ unit, 1597334677);
    }
    high[i] = (a ^ (b >>> 13)) >>> 0;
    low[i] = (b ^ (a >>> 15)) >>> 0;
  });
  const shingles: number[] = [];
  const length = Math.min(SHINGLE_LINES, lines.length);
  for (let start = 0; length > 0 && start + length <= lines.length; start++) {
    let a = 0;
    let b = 0;
    for (let i = start; i < start + length; i++) {
      a = (Math.imul(a, 2246822507) + high[i]!) >>> 0;
      b = (Math.imul(b, 3266489909) + low[i]!) >>> 0;
    }
    shingles.push((a & 0x1fffff) * 4294967296 + b);
  }
  return shingles;
}

export function addToFingerprint(fingerprint: ContentFingerprint, text: string): void {
  const lines = normalisedLines(text);
  // Shorter files are generic: an index that re-exports one name is no sign of a copy.
  if (lines.length < SHINGLE_LINES) return;
  fingerprint.files.add(fileHash(lines));
  for (const shingle of shinglesOf(lines)) fingerprint.shingles.add(shingle);
}

/** Share of the text's shingles that are in an excluded package; 1 when the whole file is. */
export function sharedShingles(fingerprint: ContentFingerprint, text: string): number {
  const lines = normalisedLines(text);
  if (lines.length === 0) return 0;
  if (fingerprint.files.has(fileHash(lines))) return 1;
  const shingles = shinglesOf(lines);
  return shingles.filter((shingle) => fingerprint.shingles.has(shingle)).length / shingles.length;
}

/** Fetches the excluded packages and fingerprints every text file of theirs; kept in `cacheFolder` for the next time. */
export async function excludedFingerprint(cacheFolder: string): Promise<ContentFingerprint> {
  const installed = [];
  for (const name of EXCLUDED_PYTHON_NAMES) {
    const found = await installedPythonPackage(name);
    if (found) installed.push(found);
  }
  const packages = [
    ...Object.entries(EXCLUDED_VERSIONS).flatMap(([name, versions]) => versions.map((version) => `${name}@${version}`)),
    ...installed.map(({ name, version }) => `${name}@${version}`),
  ];
  const file = join(cacheFolder, 'excluded.json');
  const stored = await readFile(file, 'utf8').then(JSON.parse, () => null);
  if (stored && JSON.stringify(stored.packages) === JSON.stringify(packages)) {
    return { packages, files: new Set(stored.files), shingles: new Set(stored.shingles) };
  }
  const fingerprint: ContentFingerprint = { ...emptyFingerprint(), packages };
  const addFiles = async (label: string, folder: string, paths: string[]) => {
    const before = fingerprint.files.size;
    for (const path of paths.filter((name) => /\.([cm]?[jt]sx?|py|pyi|md|rst|txt)$/i.test(name))) {
      addToFingerprint(fingerprint, await readFile(join(folder, path), 'utf8'));
    }
    // A package without a fingerprint would silently let its copies in.
    if (fingerprint.files.size === before) throw new Error(`${label}: none of its files could be fingerprinted`);
  };
  for (const [name, versions] of Object.entries(EXCLUDED_VERSIONS)) {
    for (const version of versions) {
      const folder = await packAndExtract({ name, version }, join(cacheFolder, 'excluded'));
      await addFiles(`${name}@${version}`, folder, await walkFiles(folder));
    }
  }
  for (const found of installed) {
    await addFiles(`${found.name}@${found.version}`, found.folder, await pythonPackageFiles(found));
  }
  await mkdir(cacheFolder, { recursive: true });
  await writeFile(
    `${file}.part`,
    JSON.stringify({ packages, files: [...fingerprint.files], shingles: [...fingerprint.shingles] }),
  );
  await rename(`${file}.part`, file);
  return fingerprint;
}
