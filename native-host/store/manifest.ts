/**
 * The manifest of an adapter's folder: what is in it, with the SHA-256 of every file it names, and of itself.
 *
 * It is written after the files that it names. `manifest.previous.json` is the one before, so that damage to the newest
 * loses one step and not everything.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdapterKind, AdapterLayout } from '../model/adapter-layout.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { newerFormat } from './store-error.ts';

export const manifestFormat = 1;
export const manifestFile = 'manifest.json';
export const previousManifestFile = 'manifest.previous.json';
const manifestByteLimit = 64 << 20;

export interface AdapterVersion {
  version: number;
  /** ISO 8601. */
  created: string;
  bytes: number;
  /** Of the whole file, lower-case hex. */
  sha256: string;
  /** JSON: recall, tokens, documents, hash of the tree ... */
  note: Record<string, unknown>;
}

export interface CheckpointFile {
  number: number;
  created: string;
  bytes: number;
  sha256: string;
  /** Optimizer steps done. */
  step: number;
}

export interface Manifest {
  format: typeof manifestFormat;
  /** Counts the manifests written in this folder. */
  revision: number;
  /** Of the current version; null before the first. */
  kind: AdapterKind | null;
  layout: AdapterLayout | null;
  baseModelKey: string;
  repositoryKey: string;
  /** The repository's folder, absolute. */
  folder: string;
  /** Of an adapter of one package: its folder in the repository, '.' for what lies outside of all packages. */
  package?: string;
  created: string;
  current: number | null;
  previous: number | null;
  /** The highest version ever saved; a number is never used twice. */
  lastVersion: number;
  lastCheckpoint: number;
  /** By ascending version. */
  versions: AdapterVersion[];
  /** By ascending number. */
  checkpoints: CheckpointFile[];
}

export interface ReadManifest {
  /** The newest intact one; null if no file holds one. */
  manifest: Manifest | null;
  /** What is wrong with the manifests; empty when all is well. */
  problems: string[];
  /** Whether manifest.json itself is intact or was never written. */
  intact: boolean;
}

/** Throws a StoreError only for a manifest of a newer format. */
export async function readManifest(folder: string): Promise<ReadManifest> {
  // In this order: a writer replaces manifest.json first, so what is read second can only be newer than expected.
  const previous = await readOne(join(folder, previousManifestFile));
  const newest = await readOne(join(folder, manifestFile));
  const problems: string[] = [];
  if (newest.problem !== null) problems.push(`${manifestFile} ${newest.problem}`);
  if (previous.problem !== null) problems.push(`${previousManifestFile} ${previous.problem}`);
  if (newest.manifest === null && newest.problem === null && previous.manifest !== null) {
    problems.push(`${manifestFile} is missing`);
  }
  if (newest.manifest !== null && previous.manifest !== null) {
    if (previous.manifest.revision >= newest.manifest.revision) {
      problems.push(`${manifestFile} is older than ${previousManifestFile}: one of them was replaced`);
      if (previous.manifest.revision > newest.manifest.revision) newest.manifest = previous.manifest;
    }
  }
  const isMissing = newest.manifest === null && previous.manifest === null && problems.length === 0;
  return {
    manifest: newest.manifest ?? previous.manifest,
    problems,
    intact: isMissing || problems.every((problem) => problem.startsWith(`${previousManifestFile} `)),
  };
}

/** Writes `manifest` as the newest and `before`, the one it follows, as the previous. On an error nothing has changed. */
export async function writeManifest(folder: string, manifest: Manifest, before: Manifest | null): Promise<void> {
  await writeFileAtomically(join(folder, manifestFile), [renderManifest(manifest)]);
  if (before === null) return;
  // The change is done by now. An older previous manifest is sound too, so a disk that is full just here is no failure.
  await writeFileAtomically(join(folder, previousManifestFile), [renderManifest(before)]).catch(() => undefined);
}

export function renderManifest(manifest: Manifest): Uint8Array {
  const { format, ...body } = manifest;
  return Buffer.from(`${JSON.stringify({ format, sha256: hashOf(format, body), manifest: body }, null, 1)}\n`, 'utf8');
}

async function readOne(path: string): Promise<{ manifest: Manifest | null; problem: string | null }> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return { manifest: null, problem: null };
    return { manifest: null, problem: `cannot be read (${code ?? String(error)})` };
  }
  const damaged = { manifest: null, problem: 'is damaged' };
  if (bytes.byteLength > manifestByteLimit) return damaged;
  let envelope: { format: unknown; sha256: unknown; manifest: Omit<Manifest, 'format'> };
  try {
    envelope = JSON.parse(bytes.toString('utf8'));
    if (envelope.sha256 !== hashOf(envelope.format, envelope.manifest)) return damaged;
  } catch {
    return damaged;
  }
  // The envelope stays the same in all formats, so that a newer one can be told from a damaged one.
  if (typeof envelope.format !== 'number' || !Number.isSafeInteger(envelope.format)) return damaged;
  if (envelope.format > manifestFormat) throw newerFormat(path, envelope.format, manifestFormat);
  if (envelope.format !== manifestFormat) return damaged;
  const manifest: Manifest = { format: manifestFormat, ...envelope.manifest };
  // Catches what parsing forgives: white space, a second key of the same name, bytes that are not UTF-8.
  return bytes.equals(renderManifest(manifest)) ? { manifest, problem: null } : damaged;
}

function hashOf(format: unknown, body: unknown): string {
  return createHash('sha256')
    .update(`${String(format)}\n${JSON.stringify(body)}`)
    .digest('hex');
}
