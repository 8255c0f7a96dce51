/** Conversations as they lie in the workspace's state. What another version wrote in another shape is left out, not trusted. */
import type { Turn } from '../../protocol/view.ts';

export interface Conversation {
  id: string;
  /** Empty until something was asked. */
  title: string;
  /** ISO 8601. */
  updated: string;
  turns: Turn[];
}

export interface StoredConversations {
  currentId: string | null;
  conversations: Conversation[];
}

const PHASES: readonly Turn['phase'][] = ['waiting', 'streaming', 'done', 'stopped', 'failed'];

export function readConversations(stored: unknown): StoredConversations {
  if (!isRecord(stored) || stored.version !== 1 || !Array.isArray(stored.conversations)) {
    return { currentId: null, conversations: [] };
  }
  const conversations = stored.conversations
    .filter(isConversation)
    .map((conversation) => structuredClone(conversation));
  return { currentId: typeof stored.currentId === 'string' ? stored.currentId : null, conversations };
}

function isConversation(value: unknown): value is Conversation {
  return (
    isRecord(value) &&
    typeof value.id === 'string' &&
    typeof value.title === 'string' &&
    typeof value.updated === 'string' &&
    Array.isArray(value.turns) &&
    value.turns.length > 0 &&
    value.turns.every(isTurn)
  );
}

function isTurn(value: unknown): value is Turn {
  if (!isRecord(value)) return false;
  const texts = [value.id, value.folder, value.question, value.answer];
  const lists = [value.mentions, value.citations, value.unknownPaths, value.unknownSymbols, value.shown];
  return (
    texts.every((text) => typeof text === 'string') &&
    lists.every(Array.isArray) &&
    PHASES.some((phase) => phase === value.phase) &&
    (value.message === null || typeof value.message === 'string')
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
