/** Folders as they are now and what is known of them, for one base model: documents, unsaved texts, adapters, ledgers. */
import { existsSync, realpathSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FileChange } from '../protocol/host.ts';
import type { BaseModel } from './model/open-model.ts';
import { NothingAbsorbedError } from './services.ts';
import type { AdapterFolder } from './store/adapter-folder.ts';
import type { Store } from './store/adapter-store.ts';
import { readArrangement } from './store/arrangement.ts';
import { arrangedFolder, type FolderAdapters, type KnownPart, knownParts } from './study/folder-adapters.ts';
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
    const { whole } = await this.adaptersOf(folder);
    // A folder that was never absorbed has no place to keep what a scan found out.
    const cacheFile = existsSync(whole.path) ? scanCacheFile(whole.path) : null;
    const { tokenizer } = this.base;
    const { before, exclude, onRead } = this.readingOf(folder);
    const repository = await readRepository(resolve(folder), tokenizer, cacheFile, signal, before, exclude);
    onRead(repository);
    return this.unsaved.over(repository, tokenizer);
  }

  async noteChanges(folder: string, changes: readonly FileChange[]): Promise<void> {
    await this.adaptersOf(folder);
    this.unsaved.note(realpathSync.native(folder), changes);
  }

  /** Paths with a text that is not saved. */
  unsavedPathsIn({ folder }: Repository): string[] {
    return this.unsaved.pathsIn(folder);
  }

  async adaptersOf(folder: string): Promise<FolderAdapters> {
    const path = resolve(folder);
    const found = await stat(path).catch(() => null);
    if (!found?.isDirectory()) throw new Error(`${path} is not a folder: name the folder of a repository`);
    const { key } = this.base;
    return {
      whole: this.store.adapter(path, key),
      ofPackage: (name) => this.store.packageAdapter(path, name, key),
    };
  }

  /** A folder as it is now, how its adapters are arranged, and what of them answers for what. */
  async known(folder: string, reading = this.read(folder)) {
    const repository = await reading;
    const adapters = await this.adaptersOf(folder);
    const arranged = await arrangedFolder(repository, adapters);
    return { repository, arranged, parts: knownParts(repository, adapters, arranged) };
  }

  /** The adapter of everything where it is known without reading the folder that no package has one of its own. */
  async onlyAdapter(folder: string): Promise<AdapterFolder | null> {
    const { whole } = await this.adaptersOf(folder);
    return (await readArrangement(whole.path)) === null && (await whole.manifest())?.current ? whole : null;
  }

  /**
   * What answers for a package, or for everything where packages have no adapters of their own. Errors: Error that names
   * the packages, where they have and none is named, or one that is not there.
   */
  async part(folder: string, named?: string, reading = this.read(folder)): Promise<KnownPart> {
    const { parts } = await this.known(folder, reading);
    return namedPart(folder, parts, named);
  }

  /** Its current version. Errors: as `part`; NothingAbsorbedError where there is none. */
  async learned(folder: string, named?: string) {
    return learnedOf(folder, await this.part(folder, named));
  }
}

/** Errors: as KnownFolders.part. */
export function namedPart(folder: string, parts: readonly KnownPart[], named: string | undefined): KnownPart {
  const wanted = named === undefined ? null : named.replaceAll('\\', '/').replace(/^\.\/(?=.)|(?<=.)\/+$/g, '');
  const part = parts.find((candidate) => candidate.package === wanted);
  if (part !== undefined) return part;
  const names = parts.flatMap((candidate) => candidate.package ?? []);
  if (names.length === 0) throw new Error(`${folder} has one adapter for all packages: name none`);
  const which = wanted === null ? 'each package has an adapter of its own: name one' : `there is no package ${wanted}`;
  throw new Error(`${folder}: ${which} of ${names.join(', ')}`);
}

/** The current version of what answers for a part. Errors: NothingAbsorbedError where there is none. */
export async function learnedOf(folder: string, part: KnownPart) {
  const loaded = part.current === null ? null : await part.adapter.loadVersion();
  if (loaded !== null) return loaded;
  const what = part.package === null ? folder : `${part.package} in ${folder}`;
  throw new NothingAbsorbedError(`nothing of ${what} was absorbed yet: run \`lift absorb ${folder}\` first`);
}
