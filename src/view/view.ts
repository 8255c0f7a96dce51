/**
 * The sidebar view `LIFT`: draws nothing itself, tells the page what there is and does what the page asks for. Here are also
 * the commands that ask: Ask…, Ask About Selection, New Conversation.
 */
import {
  commands,
  type Disposable,
  l10n,
  type WebviewView,
  type WebviewViewProvider,
  type WebviewViewResolveContext,
  window,
} from 'vscode';
import type { ContextItem, FromView, ToView, ViewState } from '../../protocol/view.ts';
import type { LiftContext } from '../lift-context.ts';
import { Answering } from './answer.ts';
import { ContextItems } from './context-items.ts';
import { Conversations } from './conversations.ts';
import { copyText, insertAtCursor, openCitation, openLink, openNewFile } from './editor-actions.ts';
import { shownFolders } from './folder-states.ts';
import { FileFinder } from './mentions.ts';
import { readMessage } from './messages.ts';
import { pageHtml, pageRoot } from './page.ts';
import { inputQuestion, inputQuestionAboutSelection } from './question-input.ts';
import { KeptSwitches } from './switches.ts';
import { pageWords } from './words.ts';

const VIEW_ID = 'lift.view';
const MILLISECONDS_BETWEEN_FOLDER_POSTS = 250;

export function activateView(context: LiftContext): void {
  let view: LiftView | undefined;
  // Nothing is read and nobody is listened to before the view or one of its commands is used.
  const used = (): LiftView => {
    if (view === undefined) {
      view = new LiftView(context);
      context.extension.subscriptions.push(view);
    }
    return view;
  };
  const provider: WebviewViewProvider = {
    resolveWebviewView: (page: WebviewView, _: WebviewViewResolveContext) => used().show(page),
  };
  context.extension.subscriptions.push(
    window.registerWebviewViewProvider(VIEW_ID, provider),
    commands.registerCommand('lift.ask', (question?: unknown) => used().askByCommand(question)),
    commands.registerCommand('lift.askAboutSelection', () => used().askAboutSelection()),
    commands.registerCommand('lift.newConversation', () => used().newConversation()),
  );
}

class LiftView implements Disposable {
  private readonly conversations: Conversations;
  private readonly contextItems: ContextItems;
  private readonly switches: KeptSwitches;
  private readonly answering: Answering;
  private readonly finder: FileFinder;
  private readonly subscriptions: Disposable[];
  private page: WebviewView | null = null;
  private folderTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly context: LiftContext) {
    const { workspaceState } = context.extension;
    this.conversations = new Conversations(workspaceState);
    this.switches = new KeptSwitches(workspaceState);
    this.contextItems = new ContextItems(context.folders);
    this.finder = new FileFinder(context.folders);
    this.answering = new Answering({
      context,
      conversations: this.conversations,
      contextItems: this.contextItems,
      switches: () => this.switches.current,
      post: (message) => this.post(message),
    });
    this.subscriptions = [
      this.contextItems,
      this.contextItems.onDidChange(() => this.postContext()),
      context.folders.onDidChange(() => this.postFoldersSoon()),
      context.host.onDidChangeState(() => this.postFoldersSoon()),
      this.answering,
      this.conversations,
    ];
  }

  show(page: WebviewView): void {
    const { extensionUri } = this.context.extension;
    this.page = page;
    page.webview.options = { enableScripts: true, localResourceRoots: [pageRoot(extensionUri)] };
    page.webview.onDidReceiveMessage((message: unknown) => this.receive(message));
    page.onDidDispose(() => {
      if (this.page === page) this.page = null;
    });
    page.webview.html = pageHtml(page.webview, extensionUri);
  }

  async askByCommand(given: unknown): Promise<void> {
    const question = typeof given === 'string' ? given.trim() : await inputQuestion();
    if (question === '') return;
    await this.reveal();
    await this.answering.ask(question, []);
  }

  async askAboutSelection(): Promise<void> {
    const editor = this.contextItems.editors().find(({ isActive }) => isActive);
    const question = await inputQuestionAboutSelection(editor);
    if (editor === undefined || question === '') return;
    await this.reveal();
    await this.answering.ask(question, [], [editor]);
  }

  async newConversation(): Promise<void> {
    this.answering.stop();
    this.conversations.startNew();
    this.postConversation();
    await this.reveal();
  }

  dispose(): void {
    if (this.folderTimer !== null) clearTimeout(this.folderTimer);
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async reveal(): Promise<void> {
    await commands.executeCommand(`${VIEW_ID}.focus`);
  }

  private receive(value: unknown): void {
    const message = readMessage(value);
    if (message === null) {
      this.context.log.warn('the page sent a message that is not in the contract; it was ignored');
      return;
    }
    this.handle(message).catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      this.context.log.error(`${message.type}: ${text}`);
      void window.showErrorMessage(l10n.t('LIFT: {0}', text));
    });
  }

  private async handle(message: FromView): Promise<void> {
    switch (message.type) {
      case 'ready':
        this.post({ type: 'state', state: this.state() });
        // Whoever looks at the page wants to know how things stand; nothing may have asked before.
        for (const folder of this.context.folders.all) if (folder.state.phase === 'unknown') void folder.update();
        return;
      case 'ask':
        return this.answering.ask(message.question, message.mentions);
      case 'stop':
        return this.answering.stop();
      case 'retry':
        return this.answering.retry(message.turnId);
      case 'newConversation':
        return this.newConversation();
      case 'openConversation':
        this.answering.stop();
        this.conversations.open(message.id);
        return this.postConversation();
      case 'deleteConversation':
        if (message.id === this.conversations.current.id) this.answering.stop();
        this.conversations.delete(message.id);
        return this.postConversation();
      case 'openCitation':
        return openCitation(message.folder, message.citation);
      case 'copy':
        return copyText(message.text);
      case 'insertAtCursor':
        return insertAtCursor(message.text);
      case 'newFile':
        return openNewFile(message.text, message.language);
      case 'openLink':
        return openLink(message.url);
      case 'removeContext':
        return this.contextItems.remove(message.id);
      case 'restoreContext':
        return this.contextItems.restore();
      case 'setSwitch':
        this.switches.set(message.name, message.on);
        return this.postContext();
      case 'findFiles':
        return this.post({
          type: 'fileMatches',
          query: message.query,
          files: await this.finder.find(message.query),
        });
      case 'absorption':
        return this.absorption(message);
      case 'runCommand':
        await commands.executeCommand(message.command);
    }
  }

  private async absorption({ action, folder: path }: Extract<FromView, { type: 'absorption' }>): Promise<void> {
    const folder = this.context.folders.all.find((candidate) => candidate.state.folder === path);
    if (folder === undefined) return;
    await (action === 'absorb' || action === 'refresh' ? folder.absorb() : folder[action]());
  }

  private state(): ViewState {
    const { host, folders } = this.context;
    return {
      host: host.state,
      folders: shownFolders(folders),
      conversation: this.conversations.current,
      history: this.conversations.history,
      context: this.takenAlong(),
      switches: this.switches.current,
      words: pageWords(),
    };
  }

  private postConversation(): void {
    const { current: conversation, history } = this.conversations;
    this.post({ type: 'conversation', conversation, history });
  }

  private postContext(): void {
    this.post({ type: 'context', context: this.takenAlong(), switches: this.switches.current });
  }

  /** Nothing while the switch keeps it at home. */
  private takenAlong(): ContextItem[] {
    return this.switches.current.openFiles ? this.contextItems.items : [];
  }

  /** While absorbing, states change many times a second. */
  private postFoldersSoon(): void {
    this.folderTimer ??= setTimeout(() => {
      this.folderTimer = null;
      const { host, folders } = this.context;
      this.post({ type: 'folders', folders: shownFolders(folders), host: host.state });
    }, MILLISECONDS_BETWEEN_FOLDER_POSTS);
  }

  /** A hidden page receives nothing; it asks for everything when it is shown again. */
  private post(message: ToView): void {
    if (this.page?.visible) void this.page.webview.postMessage(message);
  }
}
