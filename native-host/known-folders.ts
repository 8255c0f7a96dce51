/** Folders as they are now and what is known of them, for one base model: documents, unsaved texts, adapter, ledger. */
import { existsSync, realpathSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FileChange } from '../protocol/host.ts';
import type { BaseModel } from './model/open-model.ts';
import { NothingAbsorbedError } from './services.ts';
import type { AdapterFolder } from './store/adapter-folder.ts';
import type { Store } from './store/adapter-store.ts';
import { emptyLedger, readLedger } from './study/ledger.ts';
import { type Repository, readRepository, scanCacheFile } from './study/repository.ts';
import { UnsavedTexts } from './unsaved-texts.ts';

/** A folder is named by any path to it; each method throws an Error where that is none. */
export class KnownFolders {
  /** What was read last, by absolute path. */
  private readonly repositories = new Map<string, Repository>();
  /** Patterns of files to leave out, by absolute path. */
  private readonly excluded = new Map<string, readonly string[]>();
  private readonly unsaved = new UnsavedTexts();

  constructor(
    private readonly base: BaseModel,
    private readonly store: Store,
  ) {}

  exclude(folder: string, patterns: readonly string[]): void {
    this.excluded.set(resolve(folder), patterns);
  }

  /** What reading a folder again needs, for who reads it without the unsaved texts, and tells what it read. */
  readingOf(folder: string) {
    const path = resolve(folder);
    return {
      exclude: this.excluded.get(path) ?? [],
      before: this.repositories.get(path) ?? null,
      onRead: (repository: Repository) => void this.repositories.set(path, repository),
    };
  }

  /** The folder's documents as they are now, unsaved texts included. */
  async read(folder: string, signal?: AbortSignal): Promise<Repository> {
    const adapter = await this.adapterOf(folder);
    // A folder that was never absorbed has no place to keep what a scan found out.
    const cacheFile = existsSync(adapter.path) ? scanCacheFile(adapter.path) : null;
    const { tokenizer } = this.base;
    const { before, exclude, onRead } = this.readingOf(folder);
    const repository = await readRepository(resolve(folder), tokenizer, cacheFile, signal, before, exclude);
    onRead(repository);
    return this.unsaved.over(repository, tokenizer);
  }

  async noteChanges(folder: string, changes: readonly FileChange[]): Promise<void> {
    await this.adapterOf(folder);
    this.unsaved.note(realpathSync.native(folder), changes);
  }

  /** Paths with a text that is not saved. */
  unsavedPathsIn({ folder }: Repository): string[] {
    return this.unsaved.pathsIn(folder);
  }

  async adapterOf(folder: string): Promise<AdapterFolder> {
    const path = resolve(folder);
    const found = await stat(path).catch(() => null);
    if (!found?.isDirectory()) throw new Error(`${path} is not a folder: name the folder of a repository`);
    return this.store.adapter(path, this.base.key);
  }

  /** The current version of a folder's adapter. Errors: NothingAbsorbedError where there is none. */
  async learned(folder: string) {
    const loaded = await (await this.adapterOf(folder)).loadVersion();
    if (loaded === null) {
      throw new NothingAbsorbedError(`nothing of ${folder} was absorbed yet: run \`lift absorb ${folder}\` first`);
    }
    return loaded;
  }

  /** A folder as it is now, the current version of its adapter, and what that knows. */
  async known(folder: string) {
    const adapter = await this.adapterOf(folder);
    const repository = await this.read(folder);
    const manifest = await adapter.manifest();
    const current = manifest?.versions.find(({ version }) => version === manifest.current) ?? null;
    const ledger = (await readLedger(adapter.path, current?.note.ledger)) ?? emptyLedger();
    return { repository, current, ledger };
  }
}
