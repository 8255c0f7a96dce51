/**
 * The part of VS Code's interface that the extension uses, for tests of logic: values behave as in the editor, and what the
 * editor would show or do is recorded in `editor`. Used with `vi.mock('vscode', () => import('…/fake-vscode.ts'))`.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';

export interface FakeDocument {
  uri: Uri;
  isDirty: boolean;
  lineCount: number;
  getText(): string;
  lineAt(line: number): { text: string };
}

export interface FakeEditor {
  document: FakeDocument;
  selection: Selection;
  selections: Selection[];
  visibleRanges: Range[];
  revealRange(range: Range): void;
  edit(change: (edit: { replace(at: Selection, text: string): void }) => void): Promise<boolean>;
}

/** What the editor is, and what it was asked to do. */
export const editor = {
  settings: {} as Record<string, unknown>,
  commands: new Map<string, (...parameters: never[]) => unknown>(),
  executed: [] as string[],
  messages: [] as string[],
  /** What the last quick pick showed. */
  listed: [] as string[],
  /** What the user answers to the next input box, quick pick, or button of a message. */
  answers: [] as (string | undefined)[],
  clipboard: '',
  opened: [] as { text: string; language: string | undefined; selection: Range | undefined }[],
  external: [] as string[],
  webviewProviders: new Map<string, { resolveWebviewView(view: unknown): void }>(),
  panels: [] as { type: string; title: string; options: { enableScripts: boolean }; webview: { html: string } }[],
};

export class EventEmitter<T> {
  private readonly listeners = new Set<(value: T) => void>();
  readonly event = (listener: (value: T) => void) => {
    this.listeners.add(listener);
    return new Disposable(() => this.listeners.delete(listener));
  };
  fire(value: T): void {
    for (const listener of this.listeners) listener(value);
  }
  dispose(): void {
    this.listeners.clear();
  }
}

export class Disposable {
  constructor(private readonly end: () => unknown) {}
  static from(...all: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => all.map((one) => one.dispose()));
  }
  dispose(): void {
    this.end();
  }
}

export class Uri {
  private constructor(
    readonly scheme: string,
    readonly path: string,
  ) {}
  static file(path: string): Uri {
    return new Uri('file', path);
  }
  static parse(text: string): Uri {
    const colon = text.indexOf(':');
    return new Uri(text.slice(0, colon), text.slice(colon + 1));
  }
  static joinPath(base: Uri, ...parts: string[]): Uri {
    return new Uri(base.scheme, posix.join(base.path, ...parts));
  }
  get fsPath(): string {
    return this.path;
  }
  toString(): string {
    return `${this.scheme}:${this.path}`;
  }
}

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}

export class Range {
  readonly start: Position;
  readonly end: Position;
  constructor(startLine: number, startCharacter: number, endLine: number, endCharacter: number) {
    this.start = new Position(startLine, startCharacter);
    this.end = new Position(endLine, endCharacter);
  }
  get isEmpty(): boolean {
    return this.start.line === this.end.line && this.start.character === this.end.character;
  }
}

export class Selection extends Range {}

export class Location {
  constructor(
    readonly uri: Uri,
    readonly range: Range,
  ) {}
}

export class RelativePattern {
  constructor(
    readonly folder: { uri: Uri; name: string },
    readonly pattern: string,
  ) {}
}

export class CancellationError extends Error {}

export class CancellationTokenSource {
  private readonly emitter = new EventEmitter<void>();
  readonly token = {
    isCancellationRequested: false,
    onCancellationRequested: this.emitter.event,
  };
  cancel(): void {
    this.token.isCancellationRequested = true;
    this.emitter.fire();
  }
  dispose(): void {
    this.emitter.dispose();
  }
}

export class TabInputText {
  constructor(readonly uri: Uri) {}
}

export class ThemeColor {
  constructor(readonly id: string) {}
}

export class FileDecoration {
  constructor(
    readonly badge: string,
    readonly tooltip: string,
    readonly color?: ThemeColor,
  ) {}
}

export class MarkdownString {
  constructor(public value = '') {}
  appendText(text: string): this {
    this.value += text;
    return this;
  }
  appendMarkdown(text: string): this {
    this.value += text;
    return this;
  }
}

export class LanguageModelTextPart {
  constructor(readonly value: string) {}
}

export class LanguageModelToolResult {
  constructor(readonly content: unknown[]) {}
}

export class ChatRequestTurn {
  constructor(
    readonly prompt: string,
    readonly participant: string,
  ) {}
}

export class ChatResponseMarkdownPart {
  constructor(readonly value: MarkdownString) {}
}

export class ChatResponseTurn {
  constructor(
    readonly response: unknown[],
    readonly participant: string,
  ) {}
}

export const LanguageModelChatMessageRole = { User: 1, Assistant: 2 };
export const TextEditorRevealType = { InCenterIfOutsideViewport: 2 };
export const ViewColumn = { Active: -1 };
export const ProgressLocation = { Notification: 15 };
export const QuickPickItemKind = { Separator: -1 };
export const ConfigurationTarget = { Global: 1 };
export const version = '1.139.1';

export const l10n = {
  t: (text: string, ...values: unknown[]) => text.replace(/\{(\d+)\}/g, (hole, index) => String(values[index] ?? hole)),
};

const nothing = new EventEmitter<never>();

/** What a test makes happen in the editor. */
export const events = {
  textChanged: new EventEmitter<{ document: FakeDocument; contentChanges: unknown[] }>(),
  saved: new EventEmitter<FakeDocument>(),
  closed: new EventEmitter<FakeDocument>(),
  foldersChanged: new EventEmitter<void>(),
  trusted: new EventEmitter<void>(),
  activeEditorChanged: new EventEmitter<FakeEditor | undefined>(),
  windowStateChanged: new EventEmitter<{ focused: boolean }>(),
};

/** Fired by a test after it changed `editor.settings`. */
export const settingsChange = new EventEmitter<{ affectsConfiguration(name: string): boolean }>();

export const window = {
  activeTextEditor: undefined as FakeEditor | undefined,
  visibleTextEditors: [] as FakeEditor[],
  tabGroups: { all: [] as { tabs: { input: unknown }[] }[], onDidChangeTabs: nothing.event },
  onDidChangeActiveTextEditor: events.activeEditorChanged.event,
  onDidChangeWindowState: events.windowStateChanged.event,
  onDidChangeVisibleTextEditors: nothing.event,
  onDidChangeTextEditorSelection: new EventEmitter<void>().event,
  registerWebviewViewProvider(id: string, provider: { resolveWebviewView(view: unknown): void }) {
    editor.webviewProviders.set(id, provider);
    return new Disposable(() => editor.webviewProviders.delete(id));
  },
  createWebviewPanel(type: string, title: string, _: unknown, options: { enableScripts: boolean }) {
    const panel = { type, title, options, webview: { html: '' } };
    editor.panels.push(panel);
    return panel;
  },
  registerFileDecorationProvider: (provider: unknown) => registration('file decorations', provider),
  setStatusBarMessage: (text: string) => editor.messages.push(text),
  showInputBox: async () => editor.answers.shift(),
  /** The answer is a part of the item's label. */
  async showQuickPick<T extends { label: string; detail?: string }>(items: readonly T[]) {
    editor.listed = items.map(({ label, detail }) => (detail === undefined ? label : `${label}: ${detail}`));
    const answer = editor.answers.shift();
    return answer === undefined ? undefined : items.find(({ label }) => label.includes(answer));
  },
  async showOpenDialog() {
    const answer = editor.answers.shift();
    return answer === undefined ? undefined : [{ fsPath: answer }];
  },
  async withProgress<T>(_: unknown, task: (progress: unknown, token: unknown) => Promise<T>) {
    const report = ({ message }: { message: string }) => editor.messages.push(message);
    return task({ report }, new CancellationTokenSource().token);
  },
  showInformationMessage: async (text: string) => said(text),
  showWarningMessage: async (text: string) => said(text),
  showErrorMessage: async (text: string) => said(text),
  async showTextDocument(document: FakeDocument & { language?: string }, options?: { selection?: Range }) {
    editor.opened.push({ text: document.getText(), language: document.language, selection: options?.selection });
    return { revealRange: () => undefined };
  },
};

function said(text: string): string | undefined {
  editor.messages.push(text);
  return editor.answers.shift();
}

export const workspace = {
  registerTextDocumentContentProvider: () => new Disposable(() => undefined),
  isTrusted: true,
  workspaceFolders: [] as { uri: Uri; name: string; index: number }[],
  textDocuments: [] as FakeDocument[],
  onDidChangeTextDocument: events.textChanged.event,
  onDidSaveTextDocument: events.saved.event,
  onDidCloseTextDocument: events.closed.event,
  onDidChangeWorkspaceFolders: events.foldersChanged.event,
  onDidGrantWorkspaceTrust: events.trusted.event,
  onDidChangeConfiguration: settingsChange.event,
  getWorkspaceFolder: ({ path }: Uri) => workspace.workspaceFolders.find(({ uri }) => path.startsWith(`${uri.path}/`)),
  asRelativePath(uri: Uri) {
    const folder = workspace.getWorkspaceFolder(uri);
    return folder ? uri.path.slice(folder.uri.path.length + 1) : uri.path;
  },
  getConfiguration: (section?: string) => ({
    get: (name: string, otherwise?: unknown) => editor.settings[section ? `${section}.${name}` : name] ?? otherwise,
    inspect: (name: string) => ({ globalValue: editor.settings[name] }),
    async update(name: string, value: unknown) {
      editor.settings[section ? `${section}.${name}` : name] = value;
    },
  }),
  findFiles: async ({ folder }: RelativePattern) => [Uri.joinPath(folder.uri, 'listed/by-the-editor.ts')],
  fs: {
    stat: ({ path }: Uri) => stat(path),
    readFile: ({ path }: Uri) => readFile(path),
  },
  async openTextDocument(what: Uri | { content: string; language?: string }) {
    if (!(what instanceof Uri))
      return { ...documentOf(Uri.parse('untitled:new'), what.content), language: what.language };
    return documentOf(what, await readFile(what.path, 'utf8'));
  },
};

export const commands = {
  registerCommand(id: string, run: (...parameters: never[]) => unknown) {
    editor.commands.set(id, run);
    return new Disposable(() => editor.commands.delete(id));
  },
  async executeCommand(id: string) {
    editor.executed.push(id);
  },
};

export const env = {
  appName: 'Fake Code',
  appHost: 'desktop',
  language: 'en',
  remoteName: undefined,
  clipboard: {
    async writeText(text: string) {
      editor.clipboard = text;
    },
  },
  openExternal: async (uri: Uri) => editor.external.push(uri.toString()),
};

/** What was registered with the editor's chat and language models, by name. */
export const registered = new Map<string, unknown>();

export const chat = {
  createChatParticipant(id: string, handler: unknown) {
    const participant = { id, handler, iconPath: undefined, followupProvider: undefined, dispose: () => undefined };
    registered.set(id, participant);
    return participant;
  },
};

export const lm = {
  registerTool: (name: string, tool: unknown) => registration(name, tool),
  registerLanguageModelChatProvider: (vendor: string, provider: unknown) => registration(vendor, provider),
};

function registration(name: string, value: unknown): Disposable {
  registered.set(name, value);
  return new Disposable(() => registered.delete(name));
}

export const languages = { getLanguages: async () => ['plaintext', 'typescript', 'shellscript'] };

export function documentOf(uri: Uri, text: string, isDirty = false): FakeDocument {
  const lines = text.split('\n');
  return {
    uri,
    isDirty,
    lineCount: lines.length,
    getText: () => text,
    lineAt: (line) => ({ text: lines[line] ?? '' }),
  };
}

/** An editor with some lines selected; lines count from 0 as in the editor. */
export function editorOf(document: FakeDocument, selection = new Selection(0, 0, 0, 0)): FakeEditor {
  return {
    document,
    selection,
    selections: [selection],
    visibleRanges: [new Range(0, 0, Math.min(9, document.lineCount - 1), 0)],
    revealRange: () => undefined,
    async edit(change) {
      change({ replace: (_, text) => editor.opened.push({ text, language: undefined, selection: undefined }) });
      return true;
    },
  };
}

export function folderOf(path: string, index = 0) {
  return { uri: Uri.file(path), name: basename(path), index };
}

/** Everything as in a window that was just opened on these folders. */
export function openWindow(...paths: string[]): void {
  Object.assign(editor, {
    settings: {},
    executed: [],
    messages: [],
    answers: [],
    clipboard: '',
    opened: [],
    external: [],
  });
  editor.commands.clear();
  registered.clear();
  workspace.workspaceFolders = paths.map((path, index) => folderOf(path, index));
  workspace.textDocuments = [];
  window.activeTextEditor = undefined;
  window.visibleTextEditors = [];
  window.tabGroups.all = [];
}

export function inFolder(folder: string, path: string): Uri {
  return Uri.file(join(folder, path));
}
