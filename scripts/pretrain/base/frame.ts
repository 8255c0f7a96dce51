import { INSTRUCTIONS } from '../../../native-host/generate/prompt.ts';
import type { ChatTemplate } from '../../../native-host/model/chat-template.ts';
import type { Tokenizer } from '../../../native-host/model/tokenizer.ts';
import { renderExchange } from '../../../native-host/train/exchange.ts';

export interface Frame {
  before: number[];
  /** As `before`, with the instructions that the product gives models whose window is not tiny. */
  instructed: number[];
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
  const messages = [
    { role: 'system' as const, content: INSTRUCTIONS },
    { role: 'user' as const, content: question },
  ];
  const instructed = template.render(messages, false).split(question)[0]!;
  return {
    before: tokenizer.encodeChat(before),
    instructed: tokenizer.encodeChat(instructed),
    between: tokenizer.encodeChat(between),
    after: tokenizer.encodeChat(after.trimEnd()),
  };
}
