/** How the adapters of a monorepo are arranged: a note in the folder of the adapter of all of it, which may have no version. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from './atomic-file.ts';

/** One adapter for all packages, or one for each. */
export type Arrangement = 'whole' | 'each';

export interface ArrangementNote {
  arrangement: Arrangement;
  /** Folders of the packages when it was made. */
  packages: string[];
}

const fileOf = (adapterPath: string) => join(adapterPath, 'arrangement.json');

/** Null where there is none, or what is there was not written here. */
export async function readArrangement(adapterPath: string): Promise<ArrangementNote | null> {
  try {
    const { arrangement, packages } = JSON.parse(await readFile(fileOf(adapterPath), 'utf8'));
    const isNote = (arrangement === 'whole' || arrangement === 'each') && Array.isArray(packages);
    return isNote && packages.every((folder) => typeof folder === 'string') ? { arrangement, packages } : null;
  } catch {
    return null;
  }
}

/** For who holds the lock of that adapter. Errors: StoreError. */
export async function writeArrangement(adapterPath: string, note: ArrangementNote): Promise<void> {
  await writeFileAtomically(fileOf(adapterPath), [new TextEncoder().encode(JSON.stringify(note))]);
}
