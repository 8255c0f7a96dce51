/** One repository's adapter for one base model: immutable versions, of which one is current, and checkpoints. */
import { rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import { namesIn } from './atomic-file.ts';
import { type Checkpoint, type LoadedCheckpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { FolderState } from './folder-state.ts';
import { layoutProblems, vectorProblems } from './layout-problems.ts';
import { type Lock, type LockHolder, lockHolder } from './lock.ts';
import { type AdapterVersion, type Manifest, manifestFile } from './manifest.ts';
import {
  beyondRepair,
  checkpointBeyondRepair,
  DiskFullError,
  noSuchVersion,
  nothingToRollBackTo,
  unusableVector,
  versionDamaged,
} from './store-error.ts';
import { DamagedFile, verifyFile } from './vector-file.ts';
import { byPreference, type LoadedVersion, loadFirst, readVersion, writeVersion } from './version-file.ts';

export interface AdapterFolderOptions {
  /** How many of the newest versions stay, at least 2; the current and the previous one always stay. */
  keepVersions: number;
  keepCheckpoints: number;
}

/** A file that another process's retention removes while it is wanted is looked for again this often. */
const readAttempts = 4;

export class AdapterFolder {
  readonly #state: FolderState;
  readonly #options: AdapterFolderOptions;

  constructor(state: FolderState, options: AdapterFolderOptions) {
    this.#state = state;
    this.#options = options;
  }

  get path(): string {
    return this.#state.path;
  }

  /** Null before anything was saved. Throws a StoreError if no manifest is intact or it is of a newer format. */
  async manifest(): Promise<Manifest | null> {
    return (await this.#state.read()).manifest;
  }

  async versions(): Promise<AdapterVersion[]> {
    return (await this.manifest())?.versions ?? [];
  }

  /** The newest version whose note satisfies the predicate, for example that of a branch that comes back. */
  async findVersion(predicate: (note: AdapterVersion['note']) => boolean): Promise<AdapterVersion | null> {
    return (await this.versions()).findLast(({ note }) => predicate(note)) ?? null;
  }

  /** Makes this process the trainer until the lock is released. Throws a LockedError that says who is it now. */
  lock(): Promise<Lock> {
    return this.#state.lock();
  }

  lockedBy(): Promise<LockHolder | null> {
    return lockHolder(this.path);
  }

  /**
   * Saves an immutable version and makes it the current one. Takes the lock for that moment if `lock` was not called.
   * `vector` has `layout.length` finite values and must not change meanwhile; `note` is plain JSON.
   * Throws a StoreError (unusable vector, full disk) or a LockedError; the versions before are untouched then.
   */
  async saveVersion(
    layout: AdapterLayout,
    vector: Float32Array,
    note: Record<string, unknown>,
  ): Promise<AdapterVersion> {
    const problems = [...layoutProblems(layout), ...vectorProblems(layout, 'the adapter', vector)];
    if (problems.length > 0) throw unusableVector(problems);
    const noteAsJson = JSON.parse(JSON.stringify(note));
    return this.#state.exclusively(async (manifest) => {
      const number = await this.#nextNumber('versions', manifest.lastVersion);
      try {
        const written = await writeVersion(this.#state.versionPath(number), number, layout, vector);
        const version = { version: number, created: new Date().toISOString(), ...written, note: noteAsJson };
        const newest = manifest.versions.slice(1 - Math.max(2, this.#options.keepVersions));
        const kept = new Set([manifest.current, ...newest.map(numberOf)]);
        await this.#state.commit(manifest, {
          kind: layout.kind,
          layout,
          current: number,
          previous: manifest.current,
          lastVersion: number,
          versions: [...manifest.versions.filter((v) => kept.has(v.version)), version],
        });
        return version;
      } catch (error) {
        await this.#state.removeUnnamedFiles();
        throw error;
      }
    });
  }

  /**
   * Without a number the current version, or, where that is damaged, the previous one or the next best with a warning;
   * null if nothing was ever saved. With a number exactly that version, or a StoreError.
   */
  async loadVersion(number?: number): Promise<LoadedVersion | null> {
    for (let attempt = 1; ; attempt++) {
      const { manifest, warnings } = await this.#state.read();
      const versions = manifest?.versions ?? [];
      if (number !== undefined && !versions.some(({ version }) => version === number)) {
        throw noSuchVersion(this.path, number, versions.map(numberOf));
      }
      if (manifest === null || versions.length === 0) {
        if (warnings.length > 0) throw beyondRepair(this.path, this.#state.deleteCommand, warnings);
        return null;
      }
      const candidates = number === undefined ? byPreference(manifest) : [number];
      const found = await loadFirst(this.#state, candidates, manifest, warnings);
      if (found.isSomeMissing && attempt < readAttempts) {
        const isOutdated = (await this.#state.read()).manifest?.revision !== manifest.revision;
        if (isOutdated) continue;
      }
      if (found.loaded !== null) {
        await this.#markAsUsed(new Date());
        return found.loaded;
      }
      if (number !== undefined) throw versionDamaged(this.path, number, found.problems.join('; '));
      throw beyondRepair(this.path, this.#state.deleteCommand, [...warnings, ...found.problems]);
    }
  }

  /**
   * Makes an older version the current one. Checkpoints go, because they would resume what was current until now;
   * no version goes.
   */
  makeCurrent(number: number): Promise<AdapterVersion> {
    return this.#state.exclusively((manifest) => this.#switchTo(number, manifest.current, manifest));
  }

  /** Makes the previous version the current one, and the newest one older than that the previous. */
  async rollBack(): Promise<AdapterVersion> {
    // A change would make a manifest where there is none.
    if ((await this.manifest()) === null) throw nothingToRollBackTo(this.path);
    return this.#state.exclusively(async (manifest) => {
      const { previous } = manifest;
      if (previous === null) throw nothingToRollBackTo(this.path);
      const older = manifest.versions.findLast(({ version }) => version < previous)?.version ?? null;
      return this.#switchTo(previous, older, manifest);
    });
  }

  /** Removes versions; the current one never. Returns those that it removed. */
  async removeVersions(numbers: readonly number[]): Promise<AdapterVersion[]> {
    const removed = await this.#state.freeing(async (manifest) => {
      const going = new Set(numbers.filter((number) => number !== manifest.current));
      const removable = manifest.versions.filter(({ version }) => going.has(version));
      if (removable.length === 0) return [];
      const versions = manifest.versions.filter(({ version }) => !going.has(version));
      const { previous, current } = manifest;
      const older = versions.findLast(({ version }) => version !== current && version < (previous ?? 0));
      const isGone = previous !== null && going.has(previous);
      const change = { versions, previous: isGone ? (older?.version ?? null) : previous };
      const files = removable.map(({ version }) => this.#state.versionPath(version));
      await this.#commitFreeing(manifest, change, files);
      return removable;
    });
    return removed ?? [];
  }

  /**
   * Saves all that training needs to resume. Vectors have `layout.length` values and must not change meanwhile.
   * Errors as in saveVersion.
   */
  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { layout, vector, m, v } = checkpoint;
    const named: [string, Float32Array][] = [
      ['the adapter', vector],
      ['m', m],
      ...(v === null ? [] : [['v', v] as [string, Float32Array]]),
    ];
    const problems = [
      ...layoutProblems(layout),
      ...named.flatMap(([name, data]) => vectorProblems(layout, name, data)),
    ];
    if (problems.length > 0) throw unusableVector(problems);
    await this.#state.exclusively(async (manifest) => {
      const number = await this.#nextNumber('checkpoints', manifest.lastCheckpoint);
      try {
        const path = this.#state.checkpointPath(number);
        const written = await writeCheckpoint(path, checkpoint, manifest.current);
        const file = { number, created: new Date().toISOString(), ...written, step: checkpoint.step };
        const checkpoints = [...manifest.checkpoints, file].slice(-Math.max(1, this.#options.keepCheckpoints));
        await this.#state.commit(manifest, { checkpoints, lastCheckpoint: number });
      } catch (error) {
        await this.#state.removeUnnamedFiles();
        throw error;
      }
    });
  }

  /** The newest intact checkpoint; null if there is none. Throws a StoreError if there are some and all are damaged. */
  async loadCheckpoint(): Promise<LoadedCheckpoint | null> {
    const { manifest, warnings } = await this.#state.read();
    const problems: string[] = [];
    for (const file of (manifest?.checkpoints ?? []).toReversed()) {
      try {
        const loaded = await readCheckpoint(this.#state.checkpointPath(file.number), file);
        const said = [...warnings, ...problems];
        if (problems.length > 0) said.push(`checkpoint ${file.number} of step ${file.step} is used instead`);
        return { ...loaded, created: file.created, warnings: said };
      } catch (error) {
        if (!(error instanceof DamagedFile)) throw error;
        problems.push(`checkpoint ${file.number} is damaged: ${error.message}`);
      }
    }
    if (problems.length > 0) throw checkpointBeyondRepair(this.path, [...warnings, ...problems]);
    return null;
  }

  /** For when an absorption is complete, its checkpoints are damaged, or disk is wanted. Returns the bytes freed. */
  async removeCheckpoints(): Promise<number> {
    const freed = await this.#state.freeing(async (manifest) => {
      const { checkpoints } = manifest;
      if (checkpoints.length === 0) return 0;
      const files = checkpoints.map(({ number }) => this.#state.checkpointPath(number));
      await this.#commitFreeing(manifest, { checkpoints: [] }, files);
      return checkpoints.reduce((sum, { bytes }) => sum + bytes, 0);
    });
    return freed ?? 0;
  }

  /** Reads every file that a manifest names; returns all that is wrong, in words. */
  async verify(): Promise<string[]> {
    const { manifest, warnings } = await this.#state.read();
    const problems = [...warnings];
    const files = [
      ...(manifest?.versions ?? []).map((file) => ({ file, path: this.#state.versionPath(file.version) })),
      ...(manifest?.checkpoints ?? []).map((file) => ({ file, path: this.#state.checkpointPath(file.number) })),
    ];
    for (const { file, path } of files) {
      try {
        await verifyFile(path, file);
      } catch (error) {
        if (!(error instanceof DamagedFile)) throw error;
        problems.push(`${path.slice(this.path.length + 1)}: ${error.message}`);
      }
    }
    return problems;
  }

  /** Commits a manifest that names these files no more, also on a full disk. It does not count as a use. */
  async #commitFreeing(manifest: Manifest, change: Partial<Manifest>, files: readonly string[]): Promise<void> {
    const { mtime } = await stat(join(this.path, manifestFile));
    await this.#state.commit(manifest, change).catch(async (error: unknown) => {
      if (!(error instanceof DiskFullError)) throw error;
      // No room for a manifest. The files make some; until it is written they are missing, not wrong.
      for (const file of files) await rm(file, { force: true });
      await this.#state.commit(manifest, change);
    });
    await this.#markAsUsed(mtime);
  }

  async #switchTo(number: number, previous: number | null, manifest: Manifest): Promise<AdapterVersion> {
    const version = manifest.versions.find((candidate) => candidate.version === number);
    if (version === undefined) throw noSuchVersion(this.path, number, manifest.versions.map(numberOf));
    if (number === manifest.current) return version;
    const { layout } = await readVersion(this.#state.versionPath(number), version).catch((error: unknown) => {
      throw error instanceof DamagedFile ? versionDamaged(this.path, number, error.message) : error;
    });
    await this.#state.commit(manifest, { kind: layout.kind, layout, current: number, previous, checkpoints: [] });
    return version;
  }

  /** Above every number that was ever used, also by a version that only a damaged manifest named. */
  async #nextNumber(folder: 'versions' | 'checkpoints', last: number): Promise<number> {
    const onDisk = (await namesIn(join(this.path, folder))).map((name) => Number.parseInt(name, 10) || 0);
    return Math.max(last, ...onDisk) + 1;
  }

  /** The manifest's time of change says when the adapter was last used, which prune goes by. */
  async #markAsUsed(when: Date): Promise<void> {
    // A store that may only be read still answers.
    await utimes(join(this.path, manifestFile), when, when).catch(() => undefined);
  }
}

function numberOf(version: AdapterVersion): number {
  return version.version;
}
