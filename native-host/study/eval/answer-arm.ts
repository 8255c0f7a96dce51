/** Asks one arm everything: answers are generated, reference answers are measured. */
import { Decoder } from '../../generate/decode.ts';
import { comparedConversations } from '../../generate/prompt.ts';
import type { BaseModel } from '../../model/open-model.ts';
import type { Device } from '../../runtime/device.ts';
import { conversationItem, encodeConversation } from '../../train/items.ts';
import { measureItems } from '../../train/measure.ts';
import { type Adapter, greedyAnswer, longestAnswerTokens, openMeasurable } from '../probe.ts';
import type { ContextSource } from './arms.ts';
import type { Contexts } from './contexts.ts';
import type { ReferenceQuestion } from './reference-questions.ts';

export interface ArmAnswers {
  /** In the order of the questions. */
  answers: string[];
  /** Means over the questions. */
  promptTokens: number;
  answerSeconds: number;
}

/** Errors: the signal's reason where it aborts; what the device gives. */
export async function answersOf(
  device: Device,
  model: BaseModel,
  adapter: Adapter | null,
  context: ContextSource,
  contexts: Contexts,
  questions: readonly { question: string; path: string }[],
  signal: AbortSignal,
): Promise<ArmAnswers> {
  const decoder = await Decoder.open(device, model, adapter);
  const answers: string[] = [];
  let promptTokens = 0;
  let milliseconds = 0;
  try {
    for (const asked of questions) {
      const started = performance.now();
      const prompt = contexts.promptFor(context, asked, longestAnswerTokens);
      const conversations = comparedConversations(prompt, decoder.hasAdapter);
      const prompts = conversations.map((conversation) => encodeConversation(model, conversation, true));
      answers.push(await greedyAnswer(decoder, model, prompts, longestAnswerTokens, signal));
      milliseconds += performance.now() - started;
      promptTokens += prompts.reduce((sum, { length }) => sum + length, 0);
    }
  } finally {
    await decoder.close();
  }
  const count = Math.max(1, questions.length);
  return { answers, promptTokens: promptTokens / count, answerSeconds: milliseconds / 1000 / count };
}

/**
 * Mean −log p a token of each reference answer after the prompt with texts, in nats. An answer that takes more than half of
 * the window is cut there, in every arm alike.
 */
export async function referenceNlls(
  device: Device,
  model: BaseModel,
  adapter: Adapter | null,
  context: ContextSource,
  contexts: Contexts,
  references: readonly ReferenceQuestion[],
  window: number,
  signal: AbortSignal,
): Promise<number[]> {
  if (references.length === 0) return [];
  const { tokenizer } = model;
  const items = references.map((reference, source) => {
    const tokens = tokenizer.encode(reference.answer).slice(0, Math.floor(window / 2));
    const { messages } = contexts.promptFor(context, reference, tokens.length);
    return { ...conversationItem(model, messages, tokenizer.decode(tokens), 1), source };
  });
  const shape = { rows: 1, length: window };
  const measurable = await openMeasurable(device, model, adapter, shape);
  try {
    const counts = await measureItems(measurable, items, shape, signal);
    signal.throwIfAborted();
    return references.map((_, i) => counts.get(i)!.nll / counts.get(i)!.counted);
  } finally {
    await measurable.close();
  }
}
