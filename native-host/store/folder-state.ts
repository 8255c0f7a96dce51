/** An adapter's folder on disk: its manifest, its lock, and changes that one writer makes at a time. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, namesIn, removeTemporaryFiles } from './atomic-file.ts';
import { acquireLock, type Lock } from './lock.ts';
import { type Manifest, manifestFormat, readManifest, writeManifest } from './manifest.ts';
import { beyondRepair, DiskFullError, lockedBy, lockLost } from './store-error.ts';

export interface AdapterIdentity {
  repositoryKey: string;
  baseModelKey: string;
  /** The repository's folder, absolute. */
  folder: string;
  /** Of an adapter of one package: see Manifest. */
  package?: string;
}

export class FolderState {
  readonly path: string;
  readonly identity: AdapterIdentity;
  #lock: Lock | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(path: string, identity: AdapterIdentity) {
    this.path = path;
    this.identity = identity;
  }

  versionPath(version: number): string {
    return join(this.path, 'versions', `${version}.safetensors`);
  }

  checkpointPath(number: number): string {
    return join(this.path, 'checkpoints', `${number}.safetensors`);
  }

  get deleteCommand(): string {
    return `lift adapters delete ${this.identity.repositoryKey} ${this.identity.baseModelKey}`;
  }

  /** Null if nothing was ever saved. Throws a StoreError when no manifest is intact. */
  async read(): Promise<{ manifest: Manifest | null; warnings: string[]; intact: boolean }> {
    const { manifest, problems, intact } = await readManifest(this.path);
    if (manifest !== null) {
      for (const key of ['repositoryKey', 'baseModelKey'] as const) {
        if (manifest[key] !== this.identity[key]) {
          const problem = `its manifest belongs to ${manifest[key]} instead of ${this.identity[key]}`;
          throw beyondRepair(this.path, this.deleteCommand, [problem]);
        }
      }
    } else {
      const versions = await namesIn(join(this.path, 'versions'));
      // A manifest is written before the first version, so versions without one have lost it.
      if (problems.length === 0 && versions.some((name) => name.endsWith('.safetensors'))) {
        problems.push('its manifest is missing');
      }
      if (problems.length > 0) throw beyondRepair(this.path, this.deleteCommand, problems);
    }
    return { manifest, warnings: problems, intact };
  }

  /** Keeps the lock until it is released. Throws a LockedError if anybody has it, this process included. */
  lock(): Promise<Lock> {
    return this.#inTurn(async () => {
      if (this.#lock !== null && (await this.#lock.isHeld())) {
        throw lockedBy(this.path, this.#lock.holder.pid, this.#lock.holder.since);
      }
      this.#lock = await this.#acquire();
      return this.#lock;
    });
  }

  /** Runs a change alone: under the lock that `lock` took, or else under one of its own. */
  exclusively<T>(change: (manifest: Manifest) => Promise<T>): Promise<T> {
    return this.#underLock(
      () => this.#acquire(),
      async () => change((await this.read()).manifest ?? (await this.#firstManifest())),
    );
  }

  /**
   * Like `exclusively` for a change that frees disk: it also works when the disk is too full for a lock file.
   * Null if nothing was ever saved.
   */
  async freeing<T>(change: (manifest: Manifest) => Promise<T>): Promise<T | null> {
    if ((await this.read()).manifest === null) return null;
    return this.#underLock(
      () => this.#acquireUnlessDiskIsFull(),
      async () => {
        const { manifest } = await this.read();
        return manifest === null ? null : change(manifest);
      },
    );
  }

  /** Runs `remove` while nobody trains, not even this process, whatever state the manifest is in. */
  deleteFolder(remove: () => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      const lock = await this.#acquireUnlessDiskIsFull();
      try {
        await remove();
      } finally {
        await lock?.release();
      }
    });
  }

  #underLock<T>(acquire: () => Promise<Lock | null>, action: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      if (this.#lock !== null && !this.#lock.isReleased) {
        if (!(await this.#lock.isHeld())) throw lockLost(this.path);
        return action();
      }
      const lock = await acquire();
      try {
        return await action();
      } finally {
        await lock?.release();
      }
    });
  }

  /** An attempt to take the lock finds who holds it before it needs any space, so null means that nobody does. */
  async #acquireUnlessDiskIsFull(): Promise<Lock | null> {
    return acquireLock(this.path).catch((error: unknown) => {
      if (error instanceof DiskFullError) return null;
      throw error;
    });
  }

  /** Makes `change` the newest manifest, then removes the files that it no longer names. */
  async commit(before: Manifest, change: Partial<Manifest>): Promise<void> {
    await writeManifest(this.path, { ...before, ...change, revision: before.revision + 1 }, before);
    await this.removeUnnamedFiles();
  }

  /** Removes versions and checkpoints that the manifest does not name: leftovers of interrupted writes. */
  async removeUnnamedFiles(): Promise<void> {
    const { manifest, intact } = await readManifest(this.path);
    // With a damaged manifest the files are all there is to look at, so they stay.
    if (manifest === null || !intact) return;
    const named = new Set([
      ...manifest.versions.map(({ version }) => this.versionPath(version)),
      ...manifest.checkpoints.map(({ number }) => this.checkpointPath(number)),
    ]);
    for (const folder of ['versions', 'checkpoints']) {
      for (const name of await namesIn(join(this.path, folder))) {
        const path = join(this.path, folder, name);
        // On Windows a file that somebody reads cannot be removed; the next change removes it.
        if (/^\d+\.safetensors$/.test(name) && !named.has(path)) await rm(path, { force: true }).catch(() => undefined);
      }
    }
  }

  async #acquire(): Promise<Lock> {
    await makeFolder(join(this.path, 'versions'));
    await makeFolder(join(this.path, 'checkpoints'));
    const lock = await acquireLock(this.path);
    try {
      for (const folder of ['', 'versions', 'checkpoints']) await removeTemporaryFiles(join(this.path, folder));
      await this.removeUnnamedFiles();
      return lock;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async #firstManifest(): Promise<Manifest> {
    const manifest: Manifest = {
      format: manifestFormat,
      revision: 0,
      kind: null,
      layout: null,
      ...this.identity,
      created: new Date().toISOString(),
      current: null,
      previous: null,
      lastVersion: 0,
      lastCheckpoint: 0,
      versions: [],
      checkpoints: [],
    };
    await writeManifest(this.path, manifest, null);
    return manifest;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
