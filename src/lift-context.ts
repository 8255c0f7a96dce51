/** What every feature of the extension is given: the only object that features share. */
import type {
  CancellationToken,
  Disposable,
  Event,
  ExtensionContext,
  LogOutputChannel,
  Uri,
  WorkspaceFolder,
} from 'vscode';
import type { CoverageEntry, HostNotifications, HostRequests } from '../protocol/host.ts';
import type { FolderState, HostState } from '../protocol/view.ts';

export interface LiftContext {
  readonly extension: ExtensionContext;
  readonly log: LogOutputChannel;
  readonly host: HostClient;
  readonly folders: Folders;
}

/** The native host as a client sees it. It is started by the first request, and again after a crash. */
export interface HostClient extends Disposable {
  readonly state: HostState;
  readonly onDidChangeState: Event<HostState>;
  /**
   * Sends a request, starting the host where it does not run.
   * Errors: HostError with the host's code and message; HostUnavailableError where no host can be had, saying why;
   * vscode.CancellationError where the token was cancelled.
   */
  request<M extends keyof HostRequests>(
    method: M,
    params: HostRequests[M]['params'],
    token?: CancellationToken,
  ): Promise<HostRequests[M]['result']>;
  onNotification<N extends keyof HostNotifications>(
    method: N,
    listener: (params: HostNotifications[N]) => void,
  ): Disposable;
  /** Ends the host, if it runs, and starts it anew with the settings as they are now. */
  restart(): Promise<void>;
  /** Ends the host; the next request starts it again. */
  stop(): Promise<void>;
}

/** The folders of the workspace, each with one adapter. */
export interface Folders extends Disposable {
  readonly all: readonly AbsorbedFolder[];
  /** The folder of the active editor, or the only one, or the first. */
  readonly active: AbsorbedFolder | undefined;
  of(uri: Uri): AbsorbedFolder | undefined;
  /** Any change of any folder's state, or of which folders there are. */
  readonly onDidChange: Event<void>;
}

export interface AbsorbedFolder extends Disposable {
  readonly folder: WorkspaceFolder;
  readonly state: FolderState;
  readonly onDidChange: Event<FolderState>;
  /** Everything, the first time; what changed, later. Resolves when it ended; refusals and failures are in the state. */
  absorb(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
  /** Reads the state from the host again. */
  update(): Promise<void>;
  /** What the adapter knows of each file, as last read from the host; empty before that. A change makes a new map. */
  readonly coverage: ReadonlyMap<string, CoverageEntry>;
}
