// The pretraining corpus: readable files of the listed packages, duplicates and everything that LIFT is measured with
// left out, no package above its share; and the same as tokens in one file.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ContentFingerprint,
  isExcludedName,
  isExcludedPath,
  LARGEST_SHARED_SHINGLES,
  sharedShingles,
} from './excluded.ts';
import { fastEncoder } from './fast-encode.ts';
import { type Places, packageFiles, repositoryPath } from './package-files.ts';
import { isPermissive, LARGEST_SHARE, type PretrainingPackage } from './package-list.ts';
import { readableLanguage, unreadableReason } from './readable.ts';
import { END_OF_TEXT, PATH, TEXT, type TokenizerJson } from './tokenizer.ts';

export interface PretrainingDocument {
  package: string;
  /** '/'-separated, relative to the package. */
  path: string;
  text: string;
  language: string;
  license: string;
  validation: boolean;
}

export interface DropReport {
  /** Packages that are not on this machine as listed, with the reason. */
  missing: { package: string; reason: string }[];
  /** Documents that look like an excluded package's. */
  excluded: { package: string; path: string; reason: string }[];
  /** How many documents were left out for each other reason. */
  counts: Record<string, number>;
}

interface Candidate {
  path: string;
  file: string;
  bytes: number;
  language: string;
  order: string;
}

interface CandidatePackage {
  wanted: PretrainingPackage;
  candidates: Candidate[];
  bytes: number;
}

export function emptyReport(): DropReport {
  return { missing: [], excluded: [], counts: {} };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function candidatesOf(wanted: PretrainingPackage, places: Places, report: DropReport): Promise<Candidate[]> {
  const label = `${wanted.name}@${wanted.version}`;
  if (isExcludedName(wanted.name)) throw new Error(`${label} is measured with: it must not be in packages.json`);
  if (!isPermissive(wanted.license)) throw new Error(`${label}: ${wanted.license} is no permissive licence`);
  const files = await packageFiles(wanted, places);
  if (typeof files === 'string') {
    report.missing.push({ package: label, reason: files });
    return [];
  }
  const candidates: Candidate[] = [];
  for (const path of files.paths) {
    const file = join(files.folder, path);
    const found = await stat(file).catch(() => null);
    const language = found?.isFile() ? readableLanguage(path, found.size) : null;
    if (!found || !language) continue;
    if (isExcludedPath(path)) report.excluded.push({ package: label, path, reason: 'name of a folder' });
    else candidates.push({ path, file, bytes: found.size, language, order: sha256(`${wanted.name}/${path}`) });
  }
  // Packages above their share are thinned out evenly, the same way every time.
  return candidates.sort((a, b) => (a.order < b.order ? -1 : 1));
}

/** Largest number of bytes for each package, so that none is above its share of what is left. */
export function byteLimits(packages: { bytes: number; share: number }[]): number[] {
  let total = packages.reduce((sum, { bytes }) => sum + bytes, 0);
  for (let round = 0; round < 200; round++) {
    total = packages.reduce((sum, { bytes, share }) => sum + Math.min(bytes, share * total), 0);
  }
  return packages.map(({ bytes, share }) => Math.min(bytes, share * total));
}

/** Documents of the packages in a fixed order; what is left out goes into `report`. */
export async function* pretrainingDocuments(
  packages: PretrainingPackage[],
  places: Places,
  excluded: ContentFingerprint,
  report: DropReport,
): AsyncGenerator<PretrainingDocument> {
  const found: CandidatePackage[] = [];
  for (const wanted of packages) {
    const candidates = await candidatesOf(wanted, places, report);
    found.push({ wanted, candidates, bytes: candidates.reduce((sum, { bytes }) => sum + bytes, 0) });
  }
  // A margin, because bytes are limited here and tokens are what counts.
  const shares = found.map(({ bytes, wanted }) => ({ bytes, share: 0.8 * (wanted.share ?? LARGEST_SHARE) }));
  const limits = byteLimits(shares);
  const seen = new Set<string>();
  const count = (reason: string) => {
    report.counts[reason] = (report.counts[reason] ?? 0) + 1;
  };
  for (const [index, { wanted, candidates }] of found.entries()) {
    let left = limits[index]!;
    for (const { path, file, bytes, language } of candidates) {
      if (bytes > left) {
        count('above the share of its package');
        continue;
      }
      const text = await readFile(file, 'utf8');
      const reason = unreadableReason(text);
      const hash = sha256(text);
      const shared = reason || seen.has(hash) ? 0 : sharedShingles(excluded, text);
      if (reason) count(reason);
      else if (seen.has(hash)) count('duplicate');
      else if (shared > LARGEST_SHARED_SHINGLES) {
        const label = `${wanted.name}@${wanted.version}`;
        report.excluded.push({ package: label, path, reason: `${(100 * shared).toFixed(0)} % of its shingles` });
      } else {
        seen.add(hash);
        left -= bytes;
        const { name, license, validation = false } = wanted;
        yield { package: name, path: repositoryPath(path), text, language, license, validation };
      }
    }
  }
}

export interface ShardDocument {
  package: string;
  path: string;
  language: string;
  license: string;
  validation: boolean;
  /** Token offsets in tokens.bin, `end` excluded; the document's special tokens are inside. */
  start: number;
  end: number;
}

export interface ShardIndex {
  /** Hash of the tokenizer and the package list that the tokens were made with. */
  key: string;
  tokens: number;
  documents: ShardDocument[];
}

/** `<|path|>` path `<|text|>` text `<|endoftext|>`, as the segments of LIFT begin. */
export function documentTokens(encode: (text: string) => number[], path: string, text: string): number[] {
  return [PATH, ...encode(path), TEXT, ...encode(text), END_OF_TEXT];
}

/** Encodes all documents into tokens.bin (little-endian Uint16) and index.json. */
export async function writeTokenShards(
  folder: string,
  key: string,
  documents: AsyncIterable<PretrainingDocument>,
  tokenizer: TokenizerJson,
): Promise<ShardIndex> {
  const encode = fastEncoder(tokenizer);
  const parts: Uint8Array[] = [];
  const index: ShardIndex = { key, tokens: 0, documents: [] };
  for await (const { text, ...document } of documents) {
    const ids = documentTokens(encode, document.path, text);
    const bytes = new Uint8Array(2 * ids.length);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < ids.length; i++) view.setUint16(2 * i, ids[i]!, true);
    parts.push(bytes);
    index.documents.push({ ...document, start: index.tokens, end: index.tokens + ids.length });
    index.tokens += ids.length;
  }
  await mkdir(folder, { recursive: true });
  const write = async (name: string, content: Uint8Array | string) => {
    await writeFile(join(folder, `${name}.part`), content);
    await rename(join(folder, `${name}.part`), join(folder, name));
  };
  await write('tokens.bin', Buffer.concat(parts));
  await write('index.json', JSON.stringify(index));
  return index;
}

/** The tokens and their index, or null when they were never written or with another key. */
export async function tokenShards(
  folder: string,
  key?: string,
): Promise<{ tokens: Uint16Array; index: ShardIndex } | null> {
  const index: ShardIndex | null = await readFile(join(folder, 'index.json'), 'utf8').then(JSON.parse, () => null);
  if (!index || (key !== undefined && index.key !== key)) return null;
  const file = await readFile(join(folder, 'tokens.bin')).catch(() => null);
  if (file?.byteLength !== 2 * index.tokens) return null;
  return { tokens: new Uint16Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength)), index };
}
