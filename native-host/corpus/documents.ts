// The corpus of a folder: every file that a person wrote as text, with its path and the hash of what it says.
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { timeSlices } from '../../workspace/time-slices.ts';
import { type WalkedFile, walkFolder } from '../../workspace/walk.ts';
import { decodeText } from './decode.ts';
import { languageOf } from './language.ts';
import { openScanCache } from './scan-cache.ts';
import { type SizeLimits, skipByName, skipByText } from './skip-rules.ts';
import { openTextCache, type TextCache } from './text-cache.ts';

export interface Document {
  /** '/'-separated, relative to the folder. */
  readonly path: string;
  /** Read from the file when it is first asked for, and again after it was dropped from memory. */
  readonly text: string;
  /** SHA-256 of the text, the first 32 hex digits. */
  readonly hash: string;
  /** See languageOf: 'typescript', 'markdown', 'text', ... */
  readonly language: string;
}

/** A file that is no document, or a folder (its path ends with '/') of which files are ignored. */
export interface SkippedFile {
  path: string;
  reason: string;
}

export interface Corpus {
  /** The real path of the folder. */
  folder: string;
  /** Sorted by path. */
  documents: Document[];
  skipped: SkippedFile[];
}

export interface CorpusOptions {
  /** Where what a scan found out is kept for the next; without it every file is read. */
  cacheFile?: string;
  /** Default 1,000,000. */
  maxFileBytes?: number;
  /** Default 4,000. */
  maxLineCharacters?: number;
  /** Patterns of files to leave out, in the syntax of .gitignore. */
  exclude?: readonly string[];
  signal?: AbortSignal;
}

/** The hash of a document's text: SHA-256, the first 32 hex digits. */
export function hashOfText(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** A document whose text is at hand. */
export function documentFrom(path: string, text: string): Document {
  return { path, text, hash: hashOfText(text), language: languageOf(path) };
}

/** A text that no file holds, such as an unsaved one in an editor, judged as a file's would be. */
export function documentOrReason(
  path: string,
  text: string,
  options: CorpusOptions = {},
): Document | { reason: string } {
  const limits = limitsOf(options);
  const reason = skipByName(path, Buffer.byteLength(text), limits) ?? skipByText(text, limits);
  return reason === null ? documentFrom(path, text) : { reason };
}

/**
 * Reads the documents of a folder. What is skipped has a reason; ignored files are counted by folder. Files that did not change
 * since the scan in the cache are not read before their text is asked for. Throws when the folder cannot be read.
 */
export async function readCorpus(folder: string, options: CorpusOptions = {}): Promise<Corpus> {
  const limits = limitsOf(options);
  const time = BigInt(Date.now()) * 1_000_000n;
  const walk = await walkFolder(folder, options.signal, options.exclude);
  const cache = options.cacheFile === undefined ? null : await openScanCache(options.cacheFile, limits);
  const texts = openTextCache();
  const documents: Document[] = [];
  const skipped: SkippedFile[] = [...walk.ignored, ...walk.unread];
  const endOfStep = timeSlices(options.signal);
  for (const file of walk.files) {
    let scanned = cache?.known(file);
    if (!scanned) {
      const read = scanFile(walk.folder, file, limits);
      scanned = 'text' in read ? { hash: hashOfText(read.text) } : { reason: read.reason };
      if ('text' in read) texts.set(file.path, read.text);
      if (!('failed' in read)) cache?.remember(file, scanned, time);
    }
    if ('reason' in scanned) skipped.push({ path: file.path, reason: scanned.reason });
    else documents.push(fileDocument(walk.folder, file.path, scanned.hash, limits, texts));
    await endOfStep();
  }
  // What cannot be kept, such as on a full disk, is only read again the next time.
  await cache?.save().catch(() => undefined);
  skipped.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { folder: walk.folder, documents, skipped };
}

function limitsOf({ maxFileBytes = 1_000_000, maxLineCharacters = 4_000 }: CorpusOptions): SizeLimits {
  return { maxFileBytes, maxLineCharacters };
}

/** Text of a file, or why it is no document; `failed` when that may be otherwise the next time. */
type ReadResult = { text: string } | { reason: string } | { reason: string; failed: true };

function scanFile(folder: string, { path, size }: Pick<WalkedFile, 'path' | 'size'>, limits: SizeLimits): ReadResult {
  const named = skipByName(path, size, limits);
  if (named) return { reason: named };
  let bytes: Buffer | null;
  try {
    bytes = readWhole(join(folder, path), limits.maxFileBytes);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      reason: `cannot be read: ${code === 'EACCES' || code === 'EPERM' ? 'permission denied' : (code ?? message)}`,
      failed: true,
    };
  }
  if (!bytes) return { reason: `more bytes than the limit of ${limits.maxFileBytes}` };
  const decoded = decodeText(bytes);
  if ('reason' in decoded) return decoded;
  const reason = skipByText(decoded.text, limits);
  return reason === null ? decoded : { reason };
}

/** All bytes of a regular file, or null when they are more than the limit: a file may grow while it is read. */
function readWhole(file: string, maxBytes: number): Buffer | null {
  // What was a file a moment ago may be a link or a pipe by now: neither is followed nor waited for.
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('not a regular file');
    const buffer = Buffer.allocUnsafe(Math.min(stats.size, maxBytes) + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      length += count;
      if (count === 0) return buffer.subarray(0, length);
      if (length > maxBytes) return null;
      if (length === buffer.length) throw new Error('it grows while it is read');
    }
  } finally {
    closeSync(descriptor);
  }
}

/** A document whose text is read when asked for. Text and hash always agree: if the file changed meanwhile, both are those of the new text; if it is no document any more, the text is empty. */
function fileDocument(
  folder: string,
  path: string,
  scannedHash: string,
  limits: SizeLimits,
  texts: TextCache,
): Document {
  let hash = scannedHash;
  return {
    path,
    language: languageOf(path),
    get text() {
      const known = texts.get(path);
      if (known !== undefined) return known;
      const read = scanFile(folder, { path, size: 0 }, limits);
      const text = 'text' in read ? read.text : '';
      hash = hashOfText(text);
      texts.set(path, text);
      return text;
    },
    get hash() {
      return hash;
    },
  };
}
