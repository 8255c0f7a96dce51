// Packs what the model is shown into its window: instructions, outline, dirty texts, open files, evidence, question.
import type { ConversationTurn, OpenFile, ShownPart } from '../../protocol/host.ts';
import type { ChatMessage } from '../model/chat-template.ts';
import { type ContextText, renderContext } from './context-format.ts';
import type { Passage } from './evidence.ts';
import { OUTLINE_HEADING, Packer, type PlacedText, TOKENS_AROUND_MESSAGE } from './prompt-packer.ts';
import { type Piece, piecesOf, RANK_OF_BACKGROUND, tellsNews } from './prompt-pieces.ts';

export interface PromptRequest {
  question: string;
  /** As outlineOf gives it; empty for none. */
  outline: string;
  /** Files that changed since they were absorbed, with their text now. */
  dirty: readonly { path: string; text: string }[];
  openFiles: readonly OpenFile[];
  /** Best first. */
  evidence: readonly Passage[];
  /** Oldest first. */
  conversation: readonly ConversationTurn[];
  /** The model's window in tokens, and how many of them are kept for the answer. */
  window: number;
  reserve: number;
  countTokens: (text: string) => number;
}

export interface Prompt {
  messages: ChatMessage[];
  /** What is in and what is not, in the order of the prompt. */
  shown: ShownPart[];
  /** Of the messages, with an allowance for the marks of the chat template. */
  tokens: number;
  /**
   * The same question for an adapter to answer from memory, whose answer is as good as that to `messages` where the model is
   * surer of it: of a model that remembers better than it reads. Null where there is no such choice: without texts, or where
   * the texts tell what no memory can know.
   */
  bare: ChatMessage[] | null;
}

/** Up to this window the format is the bare one that tiny models are trained on: no instructions, no outline, no conversation. */
export const LARGEST_TINY_WINDOW = 1024;

/** What a model with a larger window is told first. */
export const INSTRUCTIONS =
  'You answer questions about a repository. Texts under a [path] are its files as they are now; they win over what you remember. ' +
  'Name files by their path in backticks. Be brief, and say so when you do not know.';

/** The messages for a question. Throws when the question alone does not fit. */
export function buildPrompt(request: PromptRequest): Prompt {
  const { question, window, reserve, countTokens } = request;
  const tiny = window <= LARGEST_TINY_WINDOW;
  const fixed = [question, ...(tiny ? [] : [INSTRUCTIONS])];
  const needed = fixed.reduce((sum, text) => sum + countTokens(text) + TOKENS_AROUND_MESSAGE, 0);
  const room = window - reserve - needed;
  if (room < 0) {
    throw new Error(
      `The question needs ${needed} tokens and the model has room for ${Math.max(0, window - reserve)}: ask a shorter one`,
    );
  }
  const packer = new Packer(room, countTokens);
  const pieces = piecesOf(question, request.dirty, request.openFiles, request.evidence);
  const urgent = pieces.filter((piece) => piece.rank < RANK_OF_BACKGROUND);
  packer.addAll(urgent, true);
  let turns = tiny ? [] : packer.addTurns(request.conversation);
  let outline = tiny ? '' : packer.addOutline(request.outline);
  // What was held back to leave room for the others gets what is left.
  packer.addAll(urgent, false);
  packer.addAll(pieces, false);
  for (;;) {
    const texts = packer.texts();
    const messages = messagesOf(question, texts, turns, outline, tiny);
    const tokens = messages.reduce((sum, { content }) => sum + countTokens(content) + TOKENS_AROUND_MESSAGE, 0);
    if (tokens <= window - reserve) {
      const hasChoice = tiny && texts.length > 0 && !tellsNews(pieces, question, new Set(request.dirty.map(pathOf)));
      const bare = hasChoice ? messagesOf(question, [], [], '', tiny) : null;
      return { messages, shown: shownParts(request, texts, pieces, turns, outline), tokens, bare };
    }
    // The parts were counted one by one; the whole is now and then a token more.
    if (packer.removeLast()) continue;
    if (outline !== '') outline = outline.split('\n').slice(0, -1).join('\n');
    else turns = turns.slice(1);
  }
}

/** The conversations whose answers are compared: with memory to answer from, the bare one first. */
export function comparedConversations(
  { bare, messages }: Pick<Prompt, 'bare' | 'messages'>,
  hasMemory: boolean,
): ChatMessage[][] {
  return bare !== null && hasMemory ? [bare, messages] : [messages];
}

function pathOf({ path }: { path: string }): string {
  return path;
}

function messagesOf(
  question: string,
  texts: readonly ContextText[],
  turns: readonly ConversationTurn[],
  outline: string,
  tiny: boolean,
): ChatMessage[] {
  const messages: ChatMessage[] = [];
  if (!tiny) {
    const content = outline === '' ? INSTRUCTIONS : INSTRUCTIONS + OUTLINE_HEADING + outline;
    messages.push({ role: 'system', content });
  }
  for (const turn of turns) {
    messages.push({ role: 'user', content: turn.question }, { role: 'assistant', content: turn.answer });
  }
  messages.push({ role: 'user', content: renderContext(texts, question) });
  return messages;
}

function shownParts(
  request: PromptRequest,
  texts: readonly PlacedText[],
  pieces: readonly Piece[],
  turns: readonly ConversationTurn[],
  outline: string,
): ShownPart[] {
  const parts: ShownPart[] = [];
  if (request.conversation.length > 0) {
    parts.push({ kind: 'conversation', state: stateOf(turns.length, request.conversation.length) });
  }
  if (request.outline !== '') parts.push({ kind: 'outline', state: stateOf(outline.length, request.outline.length) });
  for (const { kind, path, startLine, endLine } of texts) {
    const wanted = pieces.filter((piece) => piece.kind === kind && piece.path === path);
    const lines = wanted.reduce((sum, piece) => sum + piece.lines.length, 0);
    const whole =
      kind === 'evidence' ? wanted.some((piece) => piece.endLine === endLine) : endLine - startLine + 1 === lines;
    parts.push({ kind, path, startLine, endLine, state: whole ? 'whole' : 'cut' });
  }
  const shown = new Set(
    texts.map(({ kind, path, startLine }) => (kind === 'evidence' ? `${path}:${startLine}` : path)),
  );
  for (const kind of ['dirty', 'open', 'evidence'] as const) {
    const left = new Set<string>();
    for (const piece of pieces) {
      const key = kind === 'evidence' ? `${piece.path}:${piece.startLine}` : piece.path;
      const joined = texts.some(
        (text) => text.path === piece.path && text.startLine <= piece.startLine && text.endLine >= piece.startLine,
      );
      if (piece.kind !== kind || shown.has(key) || joined || left.has(key)) continue;
      left.add(key);
      const span = kind === 'evidence' ? { startLine: piece.startLine, endLine: piece.endLine } : {};
      parts.push({ kind, path: piece.path, ...span, state: 'left out' });
    }
  }
  return parts;
}

function stateOf(shown: number, wanted: number): ShownPart['state'] {
  if (shown >= wanted) return 'whole';
  return shown > 0 ? 'cut' : 'left out';
}
