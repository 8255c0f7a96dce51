/** An immutable version of an adapter: a safetensors file with the flat vector `adapter`, its layout in the metadata. */
import { createHash } from 'node:crypto';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { WrittenFile } from './atomic-file.ts';
import type { FolderState } from './folder-state.ts';
import type { AdapterVersion, Manifest } from './manifest.ts';
import { bytesOf, DamagedFile, readVectorFile, writeVectorFile } from './vector-file.ts';

export interface LoadedVersion {
  layout: AdapterLayout;
  vector: Float32Array;
  version: AdapterVersion;
  /** What was found damaged and what was used instead; empty when all is well. */
  warnings: string[];
}

export function writeVersion(
  path: string,
  version: number,
  layout: AdapterLayout,
  vector: Float32Array,
): Promise<WrittenFile> {
  return writeVectorFile(path, new Map([['adapter', vector]]), {
    format: 'lift-adapter-version',
    version: String(version),
    layout: JSON.stringify(layout),
    vectorSha256: createHash('sha256').update(bytesOf(vector)).digest('hex'),
  });
}

/** Throws DamagedFile unless the file is exactly the one that was written. */
export async function readVersion(
  path: string,
  expected: WrittenFile,
): Promise<{ layout: AdapterLayout; vector: Float32Array }> {
  const { vectors, metadata } = await readVectorFile(path, expected);
  return { layout: JSON.parse(metadata.layout!), vector: vectors.get('adapter')! };
}

/** The current version, the previous one, then all others from the newest on. */
export function byPreference({ current, previous, versions }: Manifest): number[] {
  const named = [current, previous].filter((number) => number !== null);
  return [...new Set([...named, ...versions.map(({ version }) => version).reverse()])];
}

/** Loads the first candidate that is intact. `warnings` is what is known to be wrong already. */
export async function loadFirst(
  state: FolderState,
  candidates: readonly number[],
  manifest: Manifest,
  warnings: readonly string[],
): Promise<{ loaded: LoadedVersion | null; problems: string[]; isSomeMissing: boolean }> {
  const problems: string[] = [];
  let isSomeMissing = false;
  for (const number of candidates) {
    const version = manifest.versions.find((candidate) => candidate.version === number);
    if (version === undefined) {
      problems.push(`version ${number} is not in the manifest`);
      continue;
    }
    try {
      const { layout, vector } = await readVersion(state.versionPath(number), version);
      const said = [...warnings, ...problems];
      if (said.length > 0) said.push(`version ${number} of ${version.created} is used`);
      return { loaded: { layout, vector, version, warnings: said }, problems, isSomeMissing };
    } catch (error) {
      if (!(error instanceof DamagedFile)) throw error;
      isSomeMissing ||= error.isMissing;
      problems.push(`version ${number} is damaged: ${error.message}`);
    }
  }
  return { loaded: null, problems, isSomeMissing };
}
