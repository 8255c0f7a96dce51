/** What an adapter's store has of a state of the repository. */
import type { AdapterKind } from '../model/adapter-layout.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import { StoreError } from '../store/store-error.ts';
import type { LoadedVersion } from '../store/version-file.ts';

/** A complete and intact version of exactly this tree; null where there is none. `current`: what was loaded already. */
export async function versionOfTree(
  adapter: AdapterFolder,
  tree: string,
  kind: AdapterKind,
  current: LoadedVersion | null,
): Promise<LoadedVersion['version'] | null> {
  const isOfTree = (note: LoadedVersion['version']['note']) =>
    note.tree === tree && note.complete === true && note.kind === kind;
  const version = await adapter.findVersion(isOfTree);
  if (version === null || version.version === current?.version.version) return version;
  const loaded = await adapter.loadVersion(version.version).catch((error: unknown) => {
    if (error instanceof StoreError) return null;
    throw error;
  });
  return loaded?.version ?? null;
}
