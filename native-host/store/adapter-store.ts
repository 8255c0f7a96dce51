/** All adapters on this machine: `<store root>/adapters/<repository key>/<base model key>/`. */
import { randomBytes } from 'node:crypto';
import { rename, rm, rmdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { AdapterKind } from '../model/adapter-layout.ts';
import { AdapterFolder, type AdapterFolderOptions } from './adapter-folder.ts';
import { namesIn, retryWhileBusy } from './atomic-file.ts';
import { bytesIn, foldersIn } from './folder-contents.ts';
import { type AdapterIdentity, FolderState } from './folder-state.ts';
import { type LockHolder, lockHolder } from './lock.ts';
import { type AdapterVersion, manifestFile } from './manifest.ts';
import {
  checkedKey,
  isOfRepository,
  isPackageKey,
  packageKeyOf,
  realFolder,
  repositoryKeyOf,
  repositoryKeyOfPackage,
} from './repository-key.ts';
import { DiskFullError, noSuchAdapter, StoreError } from './store-error.ts';

export interface RepositoryEntry {
  repositoryKey: string;
  baseModelKey: string;
  /** Where the adapter lies. */
  path: string;
  /** The repository's folder; null if no manifest can be read. */
  folder: string | null;
  /** The package's folder in it, where the adapter is of one package alone. */
  package: string | null;
  kind: AdapterKind | null;
  versions: AdapterVersion[];
  current: number | null;
  /** Of everything in `path`, ledger and checkpoints included. */
  bytes: number;
  created: string | null;
  /** When a version was last loaded or saved, ISO 8601. */
  lastUsed: string | null;
  /** Who trains it now. */
  lockedBy: LockHolder | null;
  /** What is wrong with its manifests; empty when all is well. */
  problems: string[];
}

export interface RemovedAdapter {
  repositoryKey: string;
  baseModelKey: string;
  /** Null: the whole adapter with its ledger and checkpoints, or only these. */
  version: number | null;
  checkpointsOnly?: true;
  bytes: number;
}

const defaultOptions: AdapterFolderOptions = { keepVersions: 8, keepCheckpoints: 2 };
const deletedPrefix = '.deleted-';

/** `root` is created with the first adapter that is saved. */
export function openStore(root: string, options: Partial<AdapterFolderOptions> = {}): Store {
  return new Store(resolve(root), { ...defaultOptions, ...options });
}

interface OpenedFolder {
  folder: AdapterFolder;
  state: FolderState;
}

export class Store {
  readonly root: string;
  readonly #options: AdapterFolderOptions;
  /** One object for each folder, so that everybody in this process shares its lock and takes turns. */
  readonly #opened = new Map<string, OpenedFolder>();

  constructor(root: string, options: AdapterFolderOptions) {
    this.root = root;
    this.#options = options;
  }

  /** The adapter of the repository in `folder` for one base model; nothing is created before something is saved. */
  adapter(folder: string, baseModelKey: string): AdapterFolder {
    return this.#adapter({ repositoryKey: repositoryKeyOf(folder), baseModelKey, folder: realFolder(folder) });
  }

  /** As `adapter`, of one package of it: `packageFolder` is relative and '/'-separated, '.' for what is in no package. */
  packageAdapter(folder: string, packageFolder: string, baseModelKey: string): AdapterFolder {
    const repositoryKey = packageKeyOf(repositoryKeyOf(folder), packageFolder);
    return this.#adapter({ repositoryKey, baseModelKey, folder: realFolder(folder), package: packageFolder });
  }

  /** Every adapter, damaged ones with what is wrong. Sorted by repository and base model. */
  async list(): Promise<RepositoryEntry[]> {
    const entries: RepositoryEntry[] = [];
    for (const repositoryKey of await foldersIn(this.#adapters)) {
      for (const baseModelKey of await foldersIn(join(this.#adapters, repositoryKey))) {
        const entry = await this.#entry(repositoryKey, baseModelKey);
        // Where nothing was learned, or each package has an adapter of its own, the folder holds notes alone.
        if (entry.created !== null || entry.problems.length > 0) entries.push(entry);
      }
    }
    return entries;
  }

  /**
   * Frees disk until everything together takes at most `quotaBytes`: first old versions, the oldest first; then what
   * unfinished absorptions would go on from; then whole adapters; of both the one not used for longest first. An adapter
   * that is being trained keeps its current version and its checkpoints, and if another process trains it, everything. The adapters
   * of `keptFolder` keep their current versions too.
   */
  async prune(quotaBytes: number, keptFolder?: string): Promise<RemovedAdapter[]> {
    await this.#sweep();
    const entries = await this.list();
    const removed: RemovedAdapter[] = [];
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);

    const old = entries.flatMap((entry) =>
      entry.versions.filter(({ version }) => version !== entry.current).map((version) => ({ entry, version })),
    );
    old.sort((a, b) => a.version.created.localeCompare(b.version.created));
    for (const { entry, version } of old) {
      if (total <= quotaBytes) return removed;
      const { repositoryKey, baseModelKey } = entry;
      const { folder } = this.#open(repositoryKey, baseModelKey);
      const gone = await unlessRefused(() => folder.removeVersions([version.version]));
      for (const { bytes } of gone ?? []) {
        total -= bytes;
        entry.bytes -= bytes;
        removed.push({ repositoryKey, baseModelKey, version: version.version, bytes });
      }
    }

    for (const entry of entries.toSorted(byLastUse)) {
      if (total <= quotaBytes) return removed;
      if (entry.lockedBy !== null) continue;
      const { repositoryKey, baseModelKey } = entry;
      const { folder } = this.#open(repositoryKey, baseModelKey);
      const bytes = (await unlessRefused(() => folder.removeCheckpoints())) ?? 0;
      if (bytes === 0) continue;
      total -= bytes;
      entry.bytes -= bytes;
      removed.push({ repositoryKey, baseModelKey, version: null, checkpointsOnly: true, bytes });
    }

    const kept = keptFolder === undefined ? null : repositoryKeyOf(keptFolder);
    for (const { repositoryKey, baseModelKey, bytes } of entries.toSorted(byLastUse)) {
      if (total <= quotaBytes) return removed;
      if (kept !== null && isOfRepository(repositoryKey, kept)) continue;
      if ((await unlessRefused(() => this.#deleteOne(repositoryKey, baseModelKey))) === null) continue;
      total -= bytes;
      removed.push({ repositoryKey, baseModelKey, version: null, bytes });
    }
    return removed;
  }

  /**
   * Deletes a repository's adapter for one base model, or for all. Damaged ones too.
   * Throws a StoreError if there is none, and a LockedError if one is being trained; the others are gone then.
   */
  async delete(repositoryKey: string, baseModelKey?: string): Promise<RemovedAdapter[]> {
    checkedKey(repositoryKey, 'key of a repository');
    if (baseModelKey !== undefined) checkedKey(baseModelKey, 'key of a base model');
    await this.#sweep();
    const all = await foldersIn(join(this.#adapters, repositoryKey));
    const chosen = all.filter((key) => baseModelKey === undefined || key === baseModelKey);
    if (chosen.length === 0) throw noSuchAdapter(repositoryKey, baseModelKey);
    const removed: RemovedAdapter[] = [];
    for (const key of chosen) {
      const bytes = await bytesIn(join(this.#adapters, repositoryKey, key));
      await this.#deleteOne(repositoryKey, key);
      removed.push({ repositoryKey, baseModelKey: key, version: null, bytes });
    }
    return removed;
  }

  get #adapters(): string {
    return join(this.root, 'adapters');
  }

  #adapter(identity: AdapterIdentity): AdapterFolder {
    checkedKey(identity.baseModelKey, 'key of a base model');
    const opened = this.#open(identity.repositoryKey, identity.baseModelKey, identity);
    this.#opened.set(opened.state.path, opened);
    return opened.folder;
  }

  /** `identity` is only needed where a first manifest may be written. */
  #open(repositoryKey: string, baseModelKey: string, identity?: AdapterIdentity): OpenedFolder {
    const path = join(this.#adapters, repositoryKey, baseModelKey);
    const opened = this.#opened.get(path);
    if (opened !== undefined) return opened;
    const state = new FolderState(path, identity ?? { repositoryKey, baseModelKey, folder: '' });
    return { state, folder: new AdapterFolder(state, this.#options) };
  }

  async #entry(repositoryKey: string, baseModelKey: string): Promise<RepositoryEntry> {
    const path = join(this.#adapters, repositoryKey, baseModelKey);
    const { state } = this.#open(repositoryKey, baseModelKey);
    const { manifest, warnings } = await state.read().catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      return { manifest: null, warnings: [error.message] };
    });
    const lastUsed = await stat(join(path, manifestFile)).then(
      ({ mtime }) => mtime.toISOString(),
      () => null,
    );
    return {
      repositoryKey,
      baseModelKey,
      path,
      folder: manifest?.folder ?? null,
      package: manifest?.package ?? null,
      kind: manifest?.kind ?? null,
      versions: manifest?.versions ?? [],
      current: manifest?.current ?? null,
      bytes: await bytesIn(path),
      created: manifest?.created ?? null,
      lastUsed,
      lockedBy: await lockHolder(path),
      problems: warnings,
    };
  }

  /** Moves the folder away in one step, so that a kill leaves it whole or gone, then removes it. */
  async #deleteOne(repositoryKey: string, baseModelKey: string): Promise<true> {
    const { state } = this.#open(repositoryKey, baseModelKey);
    const grave = join(this.root, `${deletedPrefix}${randomBytes(6).toString('hex')}`);
    await state.deleteFolder(async () => {
      await retryWhileBusy(() => rename(state.path, grave));
    });
    this.#opened.delete(state.path);
    await rm(grave, { recursive: true, force: true, maxRetries: 5 });
    if (isPackageKey(repositoryKey)) await this.#deleteNotes(repositoryKeyOfPackage(repositoryKey), baseModelKey);
    // Fails while it holds adapters for other base models, as it should.
    await rmdir(join(this.#adapters, repositoryKey)).catch(() => undefined);
    return true;
  }

  /** What is noted of a repository goes with the last adapter of a package of it. */
  async #deleteNotes(repositoryKey: string, baseModelKey: string): Promise<void> {
    const isThere = async (key: string) => (await foldersIn(join(this.#adapters, key))).includes(baseModelKey);
    const keys = (await foldersIn(this.#adapters)).filter((key) => isOfRepository(key, repositoryKey));
    const left: string[] = [];
    for (const key of keys) if (await isThere(key)) left.push(key);
    if (left.length !== 1 || left[0] !== repositoryKey) return;
    const { created, problems } = await this.#entry(repositoryKey, baseModelKey);
    if (created === null && problems.length === 0)
      await unlessRefused(() => this.#deleteOne(repositoryKey, baseModelKey));
  }

  /** Finishes deletions that were interrupted. */
  async #sweep(): Promise<void> {
    for (const name of await namesIn(this.root)) {
      if (name.startsWith(deletedPrefix)) await rm(join(this.root, name), { recursive: true, force: true });
    }
  }
}

function byLastUse(a: RepositoryEntry, b: RepositoryEntry): number {
  return (a.lastUsed ?? '').localeCompare(b.lastUsed ?? '');
}

/** Null if somebody trains the adapter, or if it is so damaged that single versions cannot be taken from it. */
async function unlessRefused<T>(action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof StoreError && !(error instanceof DiskFullError)) return null;
    throw error;
  }
}
