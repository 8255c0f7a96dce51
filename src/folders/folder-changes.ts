/** What changes in one folder, on disk and in editors: watched, told to the host, and absorbed unasked where a setting says so. */
import type { WorkspaceFolder } from 'vscode';
import type { FileChange } from '../../protocol/host.ts';
import type { FolderChange } from '../../workspace/watch.ts';
import type { NativeHostClient } from '../host/host-client.ts';
import { autoAbsorb } from '../settings.ts';
import { AutoAbsorber } from './auto-absorb.ts';
import { ChangeReporter } from './change-reporter.ts';
import { excludePatterns } from './exclude-patterns.ts';
import { type RunningFolderWatch, startFolderWatch } from './folder-watch.ts';
import { unsavedTextOf, unsavedTextsIn } from './unsaved-documents.ts';

export interface FolderChangesServices {
  host: NativeHostClient;
  watch: { workerFile: string; leftOut: string[] };
  log: { info(message: string): void; warn(message: string): void };
  reportWatchFailure(message: string): void;
  /** These files changed, or were removed. */
  onChanged(changes: readonly FileChange[]): void;
  /** So many files are dirty, says the host. */
  onDirty(dirty: number): void;
  /** Time to absorb what changed. */
  onRefreshTime(): void;
}

export class FolderChanges {
  private readonly reporter: ChangeReporter;
  private readonly auto: AutoAbsorber;
  private watch: RunningFolderWatch | null = null;
  private watchFailed = false;

  constructor(
    private readonly folder: WorkspaceFolder,
    private readonly services: FolderChangesServices,
  ) {
    const path = folder.uri.fsPath;
    this.reporter = new ChangeReporter({
      isHostReady: () => services.host.state.phase === 'ready',
      send: async (changes) => (await services.host.request('files/changed', { folder: path, changes })).dirty,
      onDirty: services.onDirty,
      onError: (error) => services.log.warn(`changes in ${path} could not be told: ${error}`),
    });
    this.auto = new AutoAbsorber(() => autoAbsorb(folder), services.onRefreshTime);
  }

  /** Once there is something that a change makes dirty. */
  startWatch(): void {
    if (this.watch !== null || this.watchFailed) return;
    const { log, watch, reportWatchFailure } = this.services;
    const folder = this.folder.uri.fsPath;
    this.watch = startFolderWatch({
      ...watch,
      folder,
      exclude: excludePatterns(this.folder),
      onReady: () => log.info(`watching ${folder}`),
      onChanges: (changes) => this.noteOnDisk(changes),
      onError: (message) => {
        // What is saved in this editor is still seen.
        this.watch = null;
        this.watchFailed = true;
        reportWatchFailure(message);
      },
    });
  }

  noteUnsaved(change: FileChange): void {
    this.services.onChanged([change]);
    this.reporter.add([change]);
    // With a watch a save is told by it.
    if (change.text === undefined && this.watch === null) this.auto.noteChange();
  }

  /** A host that has just started knows of nothing that is not on disk. */
  tellStartedHost(): void {
    this.reporter.add(unsavedTextsIn(this.folder.uri));
  }

  /** Resolves when the host knows what is to be told. */
  flush(): Promise<void> {
    return this.reporter.flush();
  }

  /** What is to be left out has changed. */
  restartWatch(): void {
    this.watchFailed = false;
    if (this.watch === null) return;
    this.watch.dispose();
    this.watch = null;
    this.startWatch();
  }

  dispose(): void {
    this.watch?.dispose();
    this.auto.dispose();
  }

  private noteOnDisk(changes: readonly FolderChange[]): void {
    // What an editor holds and has not saved is newer than what is on disk.
    const told = changes.map((change) => unsavedTextOf(this.folder.uri, change.path) ?? change);
    this.services.onChanged(told);
    this.reporter.add(told);
    this.auto.noteChange();
  }
}
