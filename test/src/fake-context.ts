/** What features are given, without a native host: the test decides what the host answers. */

import type { AskParams, AskResult, CoverageEntry } from '../../protocol/host.ts';
import type { FolderState, HostState } from '../../protocol/view.ts';
import type { LiftContext } from '../../src/lift-context.ts';
import { CancellationError, EventEmitter, Uri, workspace } from './fake-vscode.ts';

export interface AskedQuestion {
  params: AskParams;
  isCancelled: boolean;
  say(text: string): void;
  answer(result?: Partial<AskResult>): void;
  fail(error: Error): void;
}

export class FakeMemento {
  readonly values = new Map<string, unknown>();
  get(key: string, otherwise?: unknown): unknown {
    return this.values.get(key) ?? otherwise;
  }
  async update(key: string, value: unknown): Promise<void> {
    // As the editor stores it.
    this.values.set(key, JSON.parse(JSON.stringify(value)));
  }
  keys(): string[] {
    return [...this.values.keys()];
  }
}

export function fakeContext(memento = new FakeMemento()) {
  const asked: AskedQuestion[] = [];
  const log: string[] = [];
  const hostChange = new EventEmitter<HostState>();
  const foldersChange = new EventEmitter<void>();
  const tokenListeners = new Set<(params: { askId: string; text: string }) => void>();
  const actions: string[] = [];
  const host = {
    state: { phase: 'ready', message: null, model: 'lift-base', device: 'cpu', memoryBytes: null } as HostState,
    onDidChangeState: hostChange.event,
    request: (method: string, params: AskParams, token?: { onCancellationRequested(listener: () => void): void }) =>
      new Promise((resolve, reject) => {
        if (method === 'models/list') return resolve({ models: [{ name: 'lift-base', window: 2048 }], suggested: [] });
        const question: AskedQuestion = {
          params,
          isCancelled: false,
          say: (text) => tokenListeners.forEach((listener) => void listener({ askId: params.askId, text })),
          answer: (result = {}) => resolve({ ...emptyResult(), ...result }),
          fail: reject,
        };
        token?.onCancellationRequested(() => {
          question.isCancelled = true;
          reject(new CancellationError());
        });
        asked.push(question);
      }),
    onNotification(_: string, listener: (params: { askId: string; text: string }) => void) {
      tokenListeners.add(listener);
      return { dispose: () => tokenListeners.delete(listener) };
    },
  };
  const all = workspace.workspaceFolders.map((folder) => ({
    folder,
    state: folderState(folder.uri.fsPath, folder.name),
    coverage: new Map<string, CoverageEntry>(),
    absorb: async () => void actions.push(`absorb ${folder.name}`),
    pause: async () => void actions.push(`pause ${folder.name}`),
    resume: async () => void actions.push(`resume ${folder.name}`),
    stop: async () => void actions.push(`stop ${folder.name}`),
    update: async () => void actions.push(`update ${folder.name}`),
  }));
  const folders = { all, active: all[0], onDidChange: foldersChange.event };
  const subscriptions: { dispose(): void }[] = [];
  const context = {
    extension: {
      subscriptions,
      workspaceState: memento,
      extensionUri: Uri.file('/extension'),
      logUri: Uri.file('/nowhere'),
      extension: { packageJSON: { version: '1.2.3' } },
    },
    log: Object.fromEntries(
      ['info', 'warn', 'error'].map((level) => [level, (text: string) => log.push(`${level}: ${text}`)]),
    ),
    host,
    folders,
  };
  return {
    context: context as unknown as LiftContext,
    host,
    folders,
    hostChange,
    foldersChange,
    asked,
    log,
    actions,
    memento,
  };
}

export function folderState(folder: string, name: string): FolderState {
  return {
    folder,
    name,
    phase: 'idle',
    message: null,
    documents: 3,
    tokens: 300,
    absorbed: 0.9,
    dirty: 0,
    version: 4,
    absorbedAt: null,
    absorbedCommit: null,
    adapterBytes: 1000,
    skipped: [],
    byFolder: [],
    progress: null,
    losses: [],
  };
}

function emptyResult(): AskResult {
  return {
    answer: '',
    citations: [],
    unknownPaths: [],
    unknownSymbols: [],
    shown: [],
    firstTokenMs: 12,
    tokensPerSecond: 34,
    version: 4,
  };
}
