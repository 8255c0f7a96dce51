import type { ChatTemplate } from '../../../native-host/model/chat-template.ts';
import type { Tokenizer } from '../../../native-host/model/tokenizer.ts';
import { renderExchange } from '../../../native-host/train/exchange.ts';

export interface Frame {
  before: number[];
  between: number[];
  after: number[];
}

/**
 * Tokens that the chat template puts around a question and its answer; the line break after the turn is left out. Tokens of
 * a whole conversation are these and the texts' own, as long as no text begins with white space.
 */
export function frameOf(tokenizer: Tokenizer, template: ChatTemplate): Frame {
  const [question, answer] = ['Question', 'Answer'];
  const { whole } = renderExchange(template, question, answer);
  const [before, rest] = whole.split(question) as [string, string];
  const [between, after] = rest.split(answer) as [string, string];
  return {
    before: tokenizer.encodeChat(before),
    between: tokenizer.encodeChat(between),
    after: tokenizer.encodeChat(after.trimEnd()),
  };
}
