/** Adapters of a folder, or of its packages: out, in, and back to the version before. */
import { join, resolve } from 'node:path';
import { type KnownFolders, learnedOf, namedPart } from './known-folders.ts';
import { type AdapterSettings, adapterLayout } from './model/adapter-init.ts';
import type { BaseModel } from './model/open-model.ts';
import { peftConfigFile, peftTensorFile } from './store/peft-config.ts';
import { exportPeft } from './store/peft-export.ts';
import { importPeft } from './store/peft-import.ts';
import type { KnownPart } from './study/folder-adapters.ts';
import { claimedLedger, writeLedger } from './study/ledger.ts';

/**
 * Writes PEFT's files into `target`, or where each package has an adapter and none is named, into a folder of the package's
 * name below it. Returns the files. Errors: NothingAbsorbedError; as KnownFolders.part and exportPeft.
 */
export async function exportAdapters(
  base: BaseModel,
  folders: KnownFolders,
  folder: string,
  target: string,
  named?: string,
): Promise<string[]> {
  const { parts } = await folders.known(folder);
  const learned = parts.filter(({ current, byWhole }) => current !== null && !byWhole);
  const isAll = named === undefined && parts.length > 1 && learned.length > 0;
  const chosen = isAll ? learned : [namedPart(folder, parts, named)];
  const files: string[] = [];
  for (const part of chosen) {
    const into = isAll ? join(resolve(target), part.package!) : resolve(target);
    const { layout, vector } = await learnedOf(folder, part);
    const { folder: baseModelNameOrPath, config } = base;
    await exportPeft(layout, vector, { baseModelNameOrPath }, into, config.fusedProjections);
    files.push(join(into, peftConfigFile), join(into, peftTensorFile));
  }
  return files;
}

/** Returns the new version's number. Errors: as KnownFolders.part and importPeft. */
export async function importAdapter(
  base: BaseModel,
  folders: KnownFolders,
  folder: string,
  source: string,
  named?: string,
): Promise<number> {
  const { adapter, repository } = own(folder, await folders.part(folder, named));
  const { config } = base;
  const expectedLayout = (settings: AdapterSettings) => adapterLayout(config, settings);
  const { layout, vector } = await importPeft(resolve(source), expectedLayout, config.fusedProjections);
  const ledger = await writeLedger(adapter.path, claimedLedger(repository.documents));
  const note = { kind: layout.kind, imported: resolve(source), ledger };
  const { version } = await adapter.saveVersion(layout, vector, note);
  return version;
}

/** Returns the number of the version that is current now. Errors: as KnownFolders.part; StoreError where there is none before. */
export async function rollBack(folders: KnownFolders, folder: string, named?: string): Promise<number> {
  const { adapter } = own(folder, await folders.part(folder, named));
  return (await adapter.rollBack()).version;
}

/** What changes a package's adapter is not to change that of all of them. */
function own(folder: string, part: KnownPart): KnownPart {
  if (!part.byWhole) return part;
  throw new Error(
    `${part.package} in ${folder} has no finished adapter of its own yet: run \`lift absorb ${folder}\` first`,
  );
}
