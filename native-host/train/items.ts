/** What a segment and a question look like to the model: the same form in training, measuring and pretraining. */
import type { ChatMessage, ChatTemplate } from '../model/chat-template.ts';
import type { Tokenizer } from '../model/tokenizer.ts';
import { type Exchange, renderExchange } from './exchange.ts';
import type { TrainingItem } from './packing.ts';

/** A tokenizer with the chat form that goes with it. */
export interface ModelText {
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
  /** Tokens that end an answer. */
  endTokens: ReadonlySet<number>;
}

const longestHeader = 24;

/** Tokens that stand before a segment and name its document; the start of a very long path is left out. */
export function segmentHeader(text: ModelText, path: string): number[] {
  return [...startOf(text), ...nameOf(text, path)];
}

/** What the model expects before any text. */
function startOf({ tokenizer: { startToken } }: ModelText): number[] {
  return startToken === null ? [] : [startToken];
}

function nameOf(text: ModelText, path: string): number[] {
  const { tokenizer } = text;
  const before = tokenizer.tokenId('<|path|>');
  const after = tokenizer.tokenId('<|text|>');
  const special = before !== null && after !== null;
  const tokens = tokenizer.encode(special ? path : `[${path}]\n`);
  const kept = tokens.slice(-longestHeader + startOf(text).length + (special ? 2 : 0));
  return special ? [before, ...kept, after] : kept;
}

/** Longest segment that fits a row of `length` tokens together with any header. */
export function longestSegment(length: number): number {
  return length - longestHeader;
}

/** Loss on the segment only; `context` (head and tail of the document, for large windows) and path are given. */
export function segmentItem(
  text: ModelText,
  path: string,
  tokens: ArrayLike<number>,
  weight: number,
  context: readonly number[] = [],
): TrainingItem {
  const given = [...startOf(text), ...context, ...nameOf(text, path)];
  return {
    tokens: [...given, ...Array.from(tokens)],
    weights: [...given.map(() => 0), ...new Array<number>(tokens.length).fill(weight)],
  };
}

/** A question in the model's chat form; only the answer and the end of its turn carry loss. */
export function questionItem(text: ModelText, question: string, answer: string, weight: number): TrainingItem {
  const { tokenizer } = text;
  const exchange = renderExchange(text.chatTemplate, tokenizer.literal(question), tokenizer.literal(answer));
  return exchangeItem(text, exchange, weight);
}

/** As questionItem, of the answer to a conversation that ends with a question. */
export function conversationItem(
  text: ModelText,
  messages: readonly ChatMessage[],
  answer: string,
  weight: number,
): TrainingItem {
  const { chatTemplate } = text;
  const asked = literalMessages(text, messages);
  const answered = literalMessages(text, [...messages, { role: 'assistant', content: answer }]);
  const exchange = { prompt: chatTemplate.render(asked, true), whole: chatTemplate.render(answered, false) };
  return exchangeItem(text, exchange, weight);
}

function exchangeItem(text: ModelText, { prompt, whole }: Exchange, weight: number): TrainingItem {
  const { tokenizer } = text;
  const promptTokens = tokenizer.encodeChat(prompt);
  const wholeTokens = tokenizer.encodeChat(whole);
  const from = commonPrefix(promptTokens, wholeTokens);
  // Templates end a turn with an end token and sometimes a line break after it, which is nothing to learn.
  const end = wholeTokens.findLastIndex((token) => text.endTokens.has(token)) + 1;
  const tokens = end > from ? wholeTokens.slice(0, end) : wholeTokens;
  return { tokens, weights: tokens.map((_, i) => (i < from ? 0 : weight)) };
}

/**
 * Token ids of a conversation. Contents are literal, so that a special token's name inside a source file stays text;
 * only the template's own parts hold special tokens.
 */
export function encodeConversation(
  text: ModelText,
  messages: readonly ChatMessage[],
  addGenerationPrompt: boolean,
): number[] {
  return text.tokenizer.encodeChat(text.chatTemplate.render(literalMessages(text, messages), addGenerationPrompt));
}

function literalMessages({ tokenizer }: ModelText, messages: readonly ChatMessage[]): ChatMessage[] {
  return messages.map(({ role, content }) => ({ role, content: tokenizer.literal(content) }));
}

function commonPrefix(left: readonly number[], right: readonly number[]): number {
  let length = 0;
  while (length < left.length && left[length] === right[length]) length += 1;
  return length;
}
