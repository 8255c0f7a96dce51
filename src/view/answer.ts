/**
 * Answers on the page: asks the host, one question at a time, and keeps the text as it comes, because a hidden page
 * receives nothing. A new question ends the answer before it.
 */
import { randomUUID } from 'node:crypto';
import {
  CancellationError,
  CancellationTokenSource,
  commands,
  type Disposable,
  l10n,
  type WorkspaceFolder,
  window,
} from 'vscode';
import type { AskResult, ConversationTurn } from '../../protocol/host.ts';
import type { FileMention, Switches, ToView, Turn } from '../../protocol/view.ts';
import { type AskListener, ask, type Question } from '../ask/ask.ts';
import { type OpenEditor, readOpenFiles } from '../ask/open-files.ts';
import type { LiftContext } from '../lift-context.ts';
import { CoalescedText } from './coalesced-text.ts';
import type { ContextItems } from './context-items.ts';
import type { Conversations } from './conversations.ts';
import { withMentions } from './mentions.ts';

export interface AnswerOptions {
  readonly context: LiftContext;
  readonly conversations: Conversations;
  readonly contextItems: ContextItems;
  switches(): Switches;
  post(message: ToView): void;
}

interface RunningTurn {
  turn: Turn;
  cancellation: CancellationTokenSource;
}

export class Answering implements Disposable {
  private running: RunningTurn | null = null;

  constructor(private readonly options: AnswerOptions) {}

  /**
   * Asks in the current conversation and resolves when the answer ended, in whatever way.
   * `editors`: what goes along for certain; without it, what the page shows goes along if the switch says so.
   */
  async ask(question: string, mentions: FileMention[], editors?: readonly OpenEditor[]): Promise<void> {
    const folder = this.folderFor(mentions);
    if (folder === undefined) return noFolder();
    await this.askIn(folder, question, mentions, editors);
  }

  /** Asks the question of that turn again; what came after it goes. */
  async retry(turnId: string): Promise<void> {
    const { conversations, context } = this.options;
    const turn = conversations.current.turns.find(({ id }) => id === turnId);
    if (turn === undefined) return;
    const asked = context.folders.all.find(({ folder }) => folder.uri.fsPath === turn.folder);
    const folder = asked?.folder ?? this.folderFor(turn.mentions);
    if (folder === undefined) return noFolder();
    this.stop();
    conversations.cutAt(turnId);
    await this.askIn(folder, turn.question, turn.mentions);
  }

  private async askIn(
    folder: WorkspaceFolder,
    question: string,
    mentions: FileMention[],
    editors?: readonly OpenEditor[],
  ): Promise<void> {
    this.stop();
    const { conversations, post } = this.options;
    const conversation = earlierTurns(conversations.current.turns, folder);
    const turn = newTurn(folder, question, mentions);
    conversations.add(turn);
    // A step of the walkthrough is done.
    void commands.executeCommand('setContext', 'lift.hasAsked', true);
    post({ type: 'conversation', conversation: conversations.current, history: conversations.history });
    await this.run(turn, folder, conversation, editors);
  }

  /** Ends the running answer at once; what came of it stays. */
  stop(): void {
    if (this.running === null) return;
    const { turn, cancellation } = this.running;
    this.running = null;
    cancellation.cancel();
    this.change(turn, { phase: 'stopped' });
  }

  dispose(): void {
    // The turn is stored as being answered, so that it is known to have been cut off.
    this.running?.cancellation.cancel();
    this.running = null;
  }

  private async run(
    turn: Turn,
    folder: WorkspaceFolder,
    conversation: ConversationTurn[],
    editors: readonly OpenEditor[] | undefined,
  ): Promise<void> {
    const { context } = this.options;
    const switches = this.options.switches();
    const cancellation = new CancellationTokenSource();
    const running = { turn, cancellation };
    this.running = running;
    const text = new CoalescedText((delta) => this.append(turn, delta));
    const listener: AskListener = {
      onText: (delta) => text.push(delta),
      onRestart: () => {
        context.log.warn('the host ended while it answered; the question is asked again');
        text.drop();
        turn.answer = '';
        this.change(turn, { phase: 'waiting' });
      },
    };
    try {
      const shown = editors ?? (switches.openFiles ? this.editorsOf(folder) : []);
      const { openFiles, leftOut } = await readOpenFiles(withMentions(shown, turn.mentions, folder));
      const { adapter: useAdapter, evidence } = switches;
      const { question } = turn;
      const asked: Question = { folder, question, openFiles, useAdapter, evidence, conversation };
      const result = await ask(context.host, asked, listener, cancellation.token);
      text.drop();
      if (this.running === running) this.change(turn, finished(result, leftOut));
    } catch (error) {
      text.flush();
      if (this.running === running) this.change(turn, failed(error));
      if (!(error instanceof CancellationError)) context.log.error(`a question was not answered: ${messageOf(error)}`);
    } finally {
      text.drop();
      if (this.running === running) this.running = null;
      cancellation.dispose();
    }
  }

  private append(turn: Turn, delta: string): void {
    if (this.running?.turn !== turn) return;
    turn.answer += delta;
    if (turn.phase === 'streaming') {
      this.options.conversations.changed();
      this.options.post({ type: 'delta', turnId: turn.id, text: delta });
    } else {
      this.change(turn, { phase: 'streaming' });
    }
  }

  private change(turn: Turn, change: Partial<Turn>): void {
    Object.assign(turn, change);
    this.options.conversations.save();
    this.options.post({ type: 'turn', turn });
  }

  private folderFor(mentions: readonly FileMention[]): WorkspaceFolder | undefined {
    const { folders } = this.options.context;
    const named = new Set(mentions.map(({ folder }) => folder));
    const mentioned = named.size === 1 ? folders.all.find(({ folder }) => named.has(folder.uri.fsPath)) : undefined;
    return (mentioned ?? folders.active)?.folder;
  }

  /** The items of the page belong to the active folder. */
  private editorsOf(folder: WorkspaceFolder): OpenEditor[] {
    return this.options.context.folders.active?.folder === folder ? this.options.contextItems.editors() : [];
  }
}

function noFolder(): void {
  void window.showWarningMessage(l10n.t('LIFT answers from a folder: open one, absorb it, and ask again.'));
}

function newTurn(folder: WorkspaceFolder, question: string, mentions: FileMention[]): Turn {
  return {
    id: randomUUID(),
    folder: folder.uri.fsPath,
    question,
    mentions,
    answer: '',
    phase: 'waiting',
    message: null,
    citations: [],
    unknownPaths: [],
    unknownSymbols: [],
    shown: [],
    version: null,
    firstTokenMs: null,
    tokensPerSecond: null,
  };
}

function earlierTurns(turns: readonly Turn[], folder: WorkspaceFolder): ConversationTurn[] {
  return turns
    .filter((turn) => turn.folder === folder.uri.fsPath && turn.answer !== '' && turn.phase !== 'failed')
    .map(({ question, answer }) => ({ question, answer }));
}

function finished(result: AskResult, leftOut: readonly string[]): Partial<Turn> {
  const { answer, citations, unknownPaths, unknownSymbols, version, firstTokenMs, tokensPerSecond } = result;
  const { package: named, fromMemory = false } = result;
  const shown: Turn['shown'] = result.shown.map(({ kind, path = null, startLine = null, endLine = null, state }) => ({
    kind,
    path,
    startLine,
    endLine,
    state,
  }));
  for (const path of leftOut) shown.push({ kind: 'open', path, startLine: null, endLine: null, state: 'left out' });
  return {
    phase: 'done',
    answer,
    citations,
    unknownPaths,
    unknownSymbols,
    shown,
    fromMemory,
    version,
    ...(named === undefined ? {} : { package: named }),
    firstTokenMs,
    tokensPerSecond,
  };
}

function failed(error: unknown): Partial<Turn> {
  return error instanceof CancellationError ? { phase: 'stopped' } : { phase: 'failed', message: messageOf(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
