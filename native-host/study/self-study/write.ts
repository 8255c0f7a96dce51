/** The frozen base writes about a passage that it sees: a question or a task, and the answer to it. */
import type { Decoder } from '../../generate/decode.ts';
import { sampler } from '../../generate/sampler.ts';
import type { BaseModel } from '../../model/open-model.ts';
import { encodeConversation } from '../../train/items.ts';
import { joinedTopTokens, type TopTokens, topTokens } from '../../train/top-tokens.ts';
import { type Fault, faultOf, questionKey } from './filter.ts';
import {
  beginningOf,
  besidePassage,
  openTurn,
  requestFor,
  type StudyKind,
  type StudyPassage,
  studyKinds,
} from './requests.ts';

/** A decoder of the base. */
export type Writer = Pick<Decoder, 'generate' | 'window'>;

export interface StudyItem {
  kind: StudyKind;
  /** Stands for itself: who is asked need not see the passage. */
  question: string;
  /** The answer with the token that ends it. */
  answer: number[];
  /** What the base found likely at each token of the answer, with the passage before it. */
  teacher: TopTokens;
}

const longestQuestionTokens = 40;
const longestAnswerTokens = 64;
const questionSampling = { temperature: 0.8, topP: 0.95 };

/**
 * What the base writes about a passage and what of it is kept, one of each kind at most. The same passage, number and
 * base give the same. `known` grows by what is kept. Errors: the signal's reason where it aborts.
 */
export async function writeAbout(
  decoder: Writer,
  model: BaseModel,
  passage: StudyPassage,
  number: number,
  known: Set<string>,
  signal: AbortSignal,
): Promise<{ items: StudyItem[]; faults: Fault[] }> {
  const items: StudyItem[] = [];
  const faults: Fault[] = [];
  for (const kind of studyKinds) {
    const question = await questionOf(decoder, model, passage, kind, number, signal);
    const { tokens, teacher, hasEnded } = await answered(decoder, model, besidePassage(passage, question), signal);
    const answer = model.tokenizer.decode(hasEnded ? tokens.slice(0, -1) : tokens).trim();
    const fault = faultOf({ question, answer, hasEnded, isProse: kind !== 'fact' }, passage, known);
    if (fault !== null) {
      faults.push(fault);
      continue;
    }
    known.add(questionKey(question));
    items.push({ kind, question, answer: tokens, teacher });
  }
  return { items, faults };
}

async function questionOf(
  decoder: Writer,
  model: BaseModel,
  passage: StudyPassage,
  kind: StudyKind,
  number: number,
  signal: AbortSignal,
): Promise<string> {
  if (kind === 'rewrite' || kind === 'implication') return requestFor(kind, passage);
  const beginning = beginningOf(kind, number)!;
  const prompt = fitting(decoder, openTurn(model, passage, beginning), longestQuestionTokens);
  const sample = sampler({ ...questionSampling, seed: number });
  const { endTokens: stopTokens } = model;
  const { tokens } = await decoder.generate(prompt, { maxTokens: longestQuestionTokens, sample, stopTokens, signal });
  signal.throwIfAborted();
  const line = (beginning + model.tokenizer.decode(tokens)).split('\n')[0]!;
  return line.slice(0, line.indexOf('?') + 1 || undefined).trim();
}

/** Greedy, with what was likely at each token. */
async function answered(
  decoder: Writer,
  model: BaseModel,
  content: string,
  signal: AbortSignal,
): Promise<{ tokens: number[]; teacher: TopTokens; hasEnded: boolean }> {
  const prompt = fitting(decoder, encodeConversation(model, [{ role: 'user', content }], true), longestAnswerTokens);
  const greedy = sampler({ temperature: 0 });
  const tokens: number[] = [];
  const seen: TopTokens[] = [];
  const sample = (logits: Float32Array) => {
    const token = greedy(logits);
    tokens.push(token);
    seen.push(topTokens(logits, logits.length));
    return token;
  };
  const { endTokens: stopTokens } = model;
  const { end } = await decoder.generate(prompt, { maxTokens: longestAnswerTokens, sample, stopTokens, signal });
  signal.throwIfAborted();
  return { tokens, teacher: joinedTopTokens(seen), hasEnded: end === 'stop' };
}

/** Errors: RangeError where a prompt leaves no room for what is to be written; passages are far shorter than windows. */
function fitting({ window }: Writer, prompt: number[], room: number): number[] {
  if (prompt.length + room <= window) return prompt;
  throw new RangeError(`a passage with its question takes ${prompt.length} of ${window} tokens`);
}
