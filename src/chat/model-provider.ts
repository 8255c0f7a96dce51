/** The Language Model Chat Provider `lift`: the adapted model of the active folder among the models that any chat can choose. */
import {
  type CancellationToken,
  Disposable,
  EventEmitter,
  type LanguageModelChatInformation,
  LanguageModelChatMessageRole,
  type LanguageModelChatProvider,
  type LanguageModelChatRequestMessage,
  type LanguageModelResponsePart,
  LanguageModelTextPart,
  l10n,
  lm,
  type Progress,
  type ProvideLanguageModelChatResponseOptions,
} from 'vscode';
import type { ConversationTurn } from '../../protocol/host.ts';
import { ask, type Question } from '../ask/ask.ts';
import type { LiftContext } from '../lift-context.ts';

const VENDOR = 'lift';
/** Until the host has told its model's window. Tokens. */
const SMALLEST_WINDOW = 1024;
/** The host keeps a quarter of the window for the answer. */
const SHARE_OF_ANSWER = 1 / 4;
/** Of source code and English, on the safe side: the host refuses what is too long. */
const CHARACTERS_PER_TOKEN = 3;

export function registerModelProvider(context: LiftContext): Disposable {
  const provider = new AdaptedModelProvider(context);
  return Disposable.from(provider, lm.registerLanguageModelChatProvider(VENDOR, provider));
}

class AdaptedModelProvider implements LanguageModelChatProvider, Disposable {
  private readonly changeEmitter = new EventEmitter<void>();
  readonly onDidChangeLanguageModelChatInformation = this.changeEmitter.event;
  private readonly subscriptions: Disposable[];
  private window = SMALLEST_WINDOW;
  private isHostReady = false;
  /** What was offered last, as JSON. */
  private offered = '';

  constructor(private readonly context: LiftContext) {
    const { host, folders } = context;
    this.subscriptions = [
      host.onDidChangeState(() => this.hostChanged()),
      folders.onDidChange(() => this.offerAgain()),
      this.changeEmitter,
    ];
  }

  /** One model, where there is a folder that may be asked about. The host is not started to tell. */
  provideLanguageModelChatInformation(): LanguageModelChatInformation[] {
    const { host, folders } = this.context;
    const { phase, model } = host.state;
    if (folders.active === undefined || phase === 'untrusted' || phase === 'virtual') return [];
    const { name, version } = folders.active.state;
    const maxOutputTokens = Math.floor(this.window * SHARE_OF_ANSWER);
    return [
      {
        id: 'lift-adapted',
        name: `LIFT: ${name}`,
        family: model ?? 'lift',
        version: String(version ?? 0),
        detail: l10n.t('local'),
        tooltip: l10n.t(
          'A local model that has absorbed {0}. It answers short questions and uses no tools. Nothing leaves this machine.',
          name,
        ),
        maxInputTokens: this.window - maxOutputTokens,
        maxOutputTokens,
        // It never calls a tool. But the chat offers no other models in its agent mode, the only one without an account, and
        // takes no question to @lift where no model can be chosen.
        capabilities: { toolCalling: true },
      },
    ];
  }

  async provideLanguageModelChatResponse(
    _model: LanguageModelChatInformation,
    messages: readonly LanguageModelChatRequestMessage[],
    _options: ProvideLanguageModelChatResponseOptions,
    progress: Progress<LanguageModelResponsePart>,
    token: CancellationToken,
  ): Promise<void> {
    const { host, folders } = this.context;
    const folder = folders.active?.folder;
    if (folder === undefined) {
      throw new Error(l10n.t('LIFT answers from a folder: open one, absorb it, and ask again.'));
    }
    const { question, conversation } = conversationOf(messages);
    if (question.trim() === '') throw new Error(l10n.t('The question is empty.'));
    let isBegun = false;
    const listener = {
      onText: (text: string) => {
        isBegun = true;
        progress.report(new LanguageModelTextPart(text));
      },
      onRestart: () => {
        // What a chat has been given cannot be taken back.
        if (isBegun) throw new Error(l10n.t('The native host ended in the middle of the answer. Ask once more.'));
      },
    };
    const asked: Question = { folder, question, openFiles: [], useAdapter: true, evidence: true, conversation };
    await ask(host, asked, listener, token);
  }

  async provideTokenCount(
    _model: LanguageModelChatInformation,
    text: string | LanguageModelChatRequestMessage,
  ): Promise<number> {
    const { length } = typeof text === 'string' ? text : textOf(text);
    return Math.ceil(length / CHARACTERS_PER_TOKEN);
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private hostChanged(): void {
    const wasReady = this.isHostReady;
    this.isHostReady = this.context.host.state.phase === 'ready';
    if (this.isHostReady && !wasReady) void this.readWindow();
    this.offerAgain();
  }

  private async readWindow(): Promise<void> {
    const { host, log } = this.context;
    try {
      const { models } = await host.request('models/list', {});
      this.window = models.find(({ name }) => name === host.state.model)?.window ?? SMALLEST_WINDOW;
      this.offerAgain();
    } catch (error) {
      log.warn(`the model's window is not known: ${error}`);
    }
  }

  private offerAgain(): void {
    const now = JSON.stringify(this.provideLanguageModelChatInformation());
    if (now === this.offered) return;
    this.offered = now;
    this.changeEmitter.fire();
  }
}

/** The last message of the user, and the pairs before it. Instructions of the chat are not for a model that answers from memory. */
function conversationOf(messages: readonly LanguageModelChatRequestMessage[]): {
  question: string;
  conversation: ConversationTurn[];
} {
  const conversation: ConversationTurn[] = [];
  let question = '';
  for (const message of messages) {
    const text = textOf(message);
    if (message.role === LanguageModelChatMessageRole.User) {
      question = text;
    } else if (message.role === LanguageModelChatMessageRole.Assistant && question !== '') {
      conversation.push({ question, answer: text });
      question = '';
    }
  }
  return { question, conversation };
}

function textOf({ content }: LanguageModelChatRequestMessage): string {
  return content.flatMap((part) => (part instanceof LanguageModelTextPart ? [part.value] : [])).join('');
}
