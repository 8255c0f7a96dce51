/**
 * The conversations of a workspace: the one on the page and the earlier ones. They are kept in the workspace's state, so
 * they survive reloads; the oldest make room for new ones.
 */
import { randomUUID } from 'node:crypto';
import { type Disposable, l10n, type Memento } from 'vscode';
import type { ConversationEntry, ConversationState, Turn } from '../../protocol/view.ts';
import { type Conversation, readConversations } from './stored-conversations.ts';

const STATE_KEY = 'lift.conversations';
const MOST_CONVERSATIONS = 50;
/** Of all conversations as JSON: the editor writes the whole state each time that a part of it changes. */
const MOST_CHARACTERS = 1_000_000;
const LONGEST_TITLE = 60;
const MILLISECONDS_BETWEEN_SAVES = 2000;

export class Conversations implements Disposable {
  /** Newest first; the current one among them. */
  private conversations: Conversation[];
  private currentId: string;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly memento: Memento) {
    const stored = readConversations(memento.get(STATE_KEY));
    this.conversations = stored.conversations;
    for (const { turns } of this.conversations) for (const turn of turns) endTurnOfBefore(turn);
    this.currentId = this.conversations.find(({ id }) => id === stored.currentId)?.id ?? this.addEmpty();
  }

  get current(): ConversationState {
    const { id, title, turns } = this.currentConversation();
    return { id, title, turns };
  }

  /** Those with a question in them, newest first. */
  get history(): ConversationEntry[] {
    return this.conversations
      .filter(({ turns }) => turns.length > 0)
      .map(({ id, title, updated, turns }) => ({ id, title, updated, turns: turns.length }));
  }

  /** A new conversation, or the current one where nothing was asked in it yet. */
  startNew(): void {
    if (this.currentConversation().turns.length > 0) this.currentId = this.addEmpty();
    this.dropEmpty();
    this.save();
  }

  /** Makes an earlier conversation the current one; false where there is none of this id. */
  open(id: string): boolean {
    if (!this.conversations.some((conversation) => conversation.id === id)) return false;
    this.currentId = id;
    this.dropEmpty();
    this.save();
    return true;
  }

  delete(id: string): void {
    this.conversations = this.conversations.filter((conversation) => conversation.id !== id);
    if (this.currentId === id) this.currentId = this.addEmpty();
    this.save();
  }

  /** Adds a turn to the current conversation, which moves to the front. The turn is kept, not copied; `save` or `changed` tells of its later changes. */
  add(turn: Turn): void {
    const conversation = this.currentConversation();
    if (conversation.turns.length === 0) conversation.title = titleOf(turn.question);
    conversation.turns.push(turn);
    conversation.updated = new Date().toISOString();
    this.conversations = [conversation, ...this.conversations.filter((other) => other !== conversation)];
    this.save();
  }

  /** Removes a turn of the current conversation and those after it. */
  cutAt(turnId: string): void {
    const { turns } = this.currentConversation();
    const index = turns.findIndex(({ id }) => id === turnId);
    if (index >= 0) turns.splice(index);
    this.save();
  }

  /** An answer grew; it is saved within two seconds. */
  changed(): void {
    this.timer ??= setTimeout(() => this.save(), MILLISECONDS_BETWEEN_SAVES);
  }

  save(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.conversations = withinLimits(this.conversations, this.currentId);
    const conversations = this.conversations.filter(({ turns }) => turns.length > 0);
    void this.memento.update(STATE_KEY, { version: 1, currentId: this.currentId, conversations });
  }

  dispose(): void {
    if (this.timer !== null) this.save();
  }

  private currentConversation(): Conversation {
    return this.conversations.find(({ id }) => id === this.currentId)!;
  }

  private addEmpty(): string {
    const id = randomUUID();
    this.conversations.unshift({ id, title: '', updated: new Date().toISOString(), turns: [] });
    return id;
  }

  private dropEmpty(): void {
    this.conversations = this.conversations.filter(({ id, turns }) => turns.length > 0 || id === this.currentId);
  }
}

/** The first line of the question, cut at a word. */
function titleOf(question: string): string {
  const line = question.trim().split('\n', 1)[0]!.replace(/\s+/g, ' ');
  if (line.length <= LONGEST_TITLE) return line;
  const cut = line.slice(0, LONGEST_TITLE);
  const end = cut.lastIndexOf(' ');
  return `${end > LONGEST_TITLE / 2 ? cut.slice(0, end) : cut}…`;
}

/** An answer that was being written when the window closed is what had come by then. */
function endTurnOfBefore(turn: Turn): void {
  if (turn.phase !== 'waiting' && turn.phase !== 'streaming') return;
  turn.phase = 'stopped';
  turn.message = l10n.t('The window was reloaded while this was being answered. Retry to ask again.');
}

/** The newest that fit; of the current one at least its last turn. */
function withinLimits(conversations: readonly Conversation[], currentId: string): Conversation[] {
  const kept = new Set<Conversation>();
  let room = MOST_CHARACTERS;
  const current = conversations.filter(({ id }) => id === currentId);
  for (const conversation of [...current, ...conversations.filter(({ id }) => id !== currentId)]) {
    if (conversation.id === currentId) dropFirstTurns(conversation, MOST_CHARACTERS);
    const size = JSON.stringify(conversation).length;
    if (conversation.id !== currentId && (kept.size === MOST_CONVERSATIONS || size > room)) break;
    kept.add(conversation);
    room -= size;
  }
  return conversations.filter((conversation) => kept.has(conversation));
}

function dropFirstTurns(conversation: Conversation, mostCharacters: number): void {
  while (conversation.turns.length > 1 && JSON.stringify(conversation).length > mostCharacters) {
    conversation.turns.shift();
  }
}
