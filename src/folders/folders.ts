/** The folders of the workspace, each with one adapter; absorptions take turns. */
import {
  EventEmitter,
  type ExtensionContext,
  type LogOutputChannel,
  l10n,
  type Uri,
  type WorkspaceFolder,
  window,
  workspace,
} from 'vscode';
import type { NativeHostClient } from '../host/host-client.ts';
import type { Folders } from '../lift-context.ts';
import type { AbsorptionHold } from '../power/absorption-hold.ts';
import { AbsorptionQueue } from './absorption-queue.ts';
import { FolderController } from './folder-controller.ts';
import { FolderMemory } from './folder-memory.ts';
import { trackUnsavedDocuments } from './unsaved-documents.ts';

export interface WorkspaceFoldersOptions {
  extension: ExtensionContext;
  host: NativeHostClient;
  hold: AbsorptionHold;
  log: LogOutputChannel;
  watchWorkerFile: string;
}

/** The host looks at every file to tell how things stand. */
const millisecondsBetweenRefreshes = 60_000;

export class WorkspaceFolders implements Folders {
  private readonly emitter = new EventEmitter<void>();
  readonly onDidChange = this.emitter.event;
  private readonly queue = new AbsorptionQueue();
  private readonly controllers = new Map<string, FolderController>();
  private readonly subscriptions: { dispose(): void }[];
  /** The last folder of which a file was in the active editor; a page or a terminal in front of it changes nothing. */
  private activeKey: string | null = null;
  private watchFailureTold = false;
  private lastRefresh = 0;

  constructor(private readonly options: WorkspaceFoldersOptions) {
    this.subscriptions = [
      workspace.onDidChangeWorkspaceFolders(() => this.follow()),
      workspace.onDidGrantWorkspaceTrust(() => this.follow()),
      window.onDidChangeWindowState(({ focused }) => {
        if (focused) this.refreshShown();
      }),
      window.onDidChangeActiveTextEditor((editor) => {
        if (editor !== undefined) this.noteActive(editor.document.uri);
      }),
      trackUnsavedDocuments((folder, change) => {
        for (const controller of this.controllers.values()) {
          if (controller.folder.uri.fsPath === folder) controller.noteUnsaved(change);
        }
      }),
    ];
    this.follow();
    if (window.activeTextEditor !== undefined) this.noteActive(window.activeTextEditor.document.uri);
  }

  get all(): readonly FolderController[] {
    return [...this.controllers.values()];
  }

  get active(): FolderController | undefined {
    return this.controllers.get(this.activeKey ?? '') ?? this.all[0];
  }

  of(uri: Uri): FolderController | undefined {
    const folder = workspace.getWorkspaceFolder(uri);
    return folder && this.controllers.get(folder.uri.toString());
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    for (const controller of this.controllers.values()) controller.dispose();
    this.controllers.clear();
    this.emitter.dispose();
  }

  /** Has a controller for each folder on a disk, in the workspace's order; in a workspace that is not trusted for none. */
  private follow(): void {
    const folders = workspace.isTrusted ? (workspace.workspaceFolders ?? []) : [];
    const before = new Map(this.controllers);
    this.controllers.clear();
    for (const folder of folders) {
      if (folder.uri.scheme !== 'file') continue;
      const key = folder.uri.toString();
      this.controllers.set(key, before.get(key) ?? this.open(folder));
      before.delete(key);
    }
    for (const gone of before.values()) gone.dispose();
    this.emitter.fire();
  }

  private open(folder: WorkspaceFolder): FolderController {
    const { extension, host, hold, log, watchWorkerFile } = this.options;
    const controller = new FolderController(folder, {
      host,
      hold,
      queue: this.queue,
      memory: new FolderMemory(extension.workspaceState, folder.uri.toString()),
      watch: { workerFile: watchWorkerFile, leftOut: [extension.globalStorageUri.fsPath] },
      log,
      reportFailure: (message) => void this.reportFailure(folder.name, message),
      reportWatchFailure: (message) => void this.reportWatchFailure(message),
    });
    controller.onDidChange(() => this.emitter.fire());
    return controller;
  }

  /** What another window did meanwhile is seen when the user comes back to this one. */
  private refreshShown(): void {
    const now = performance.now();
    if (now - this.lastRefresh < millisecondsBetweenRefreshes) return;
    this.lastRefresh = now;
    for (const controller of this.controllers.values()) void controller.refreshShown();
  }

  private noteActive(uri: Uri): void {
    const key = this.of(uri)?.folder.uri.toString();
    if (key === undefined || key === this.activeKey) return;
    this.activeKey = key;
    this.emitter.fire();
  }

  private async reportFailure(name: string, message: string): Promise<void> {
    const showLog = l10n.t('Show Log');
    const answer = await window.showErrorMessage(l10n.t('“{0}” could not be absorbed: {1}', name, message), showLog);
    if (answer === showLog) this.options.log.show();
  }

  /** Once a window: the advice holds for all folders. */
  private async reportWatchFailure(message: string): Promise<void> {
    this.options.log.warn(message);
    if (this.watchFailureTold) return;
    this.watchFailureTold = true;
    await window.showWarningMessage(
      l10n.t('{0} Until then, LIFT sees what is saved in this window and nothing else.', message),
    );
  }
}
