/** What the base is asked to write about a passage of the corpus. */
import { renderContext } from '../../generate/context-format.ts';
import type { ChatTemplate } from '../../model/chat-template.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';

export const studyKinds = ['fact', 'reason', 'rewrite', 'implication'] as const;

export type StudyKind = (typeof studyKinds)[number];

export interface StudyPassage {
  path: string;
  /** In whole lines where it has some. */
  text: string;
  /** Of path and tokens. */
  hash: string;
}

/**
 * How the questions begin that the base goes on with. A beginning says what is wanted also to models that follow no
 * instructions, and what comes of it is one question.
 */
const beginnings: Record<'fact' | 'reason', readonly string[]> = {
  fact: ['What is', 'Which', 'Where is', 'What does'],
  reason: ['Why does', 'How does', 'Why is', 'How is'],
};

/** The beginning of the question of that kind about the passage of that number; null where the question is not the base's. */
export function beginningOf(kind: StudyKind, number: number): string | null {
  if (kind !== 'fact' && kind !== 'reason') return null;
  const choices = beginnings[kind];
  return choices[number % choices.length]!;
}

/** What stands for itself without the passage: it says by path and first words what it is about. */
export function requestFor(kind: 'rewrite' | 'implication', { path, text }: StudyPassage): string {
  const place = `\`${path}\` from \`${firstLine(text)}\` on`;
  return kind === 'rewrite'
    ? `What does ${place} say, in your own words?`
    : `What follows from ${place} for whoever uses it?`;
}

const longestFirstLine = 60;

/** The first line that says something. */
function firstLine(text: string): string {
  const line = text.split('\n').find((candidate) => /[\p{L}\p{N}]/u.test(candidate)) ?? '';
  return line.trim().replaceAll('`', '').slice(0, longestFirstLine);
}

/** A question about a passage as the teacher sees it: after the passage. */
export function besidePassage({ path, text }: StudyPassage, question: string): string {
  return renderContext([{ path, text }], question);
}

// Not among what templates trim, cut or escape.
const mark = 'mark-7d41c2';

/** Tokens of a user's turn that goes on: the passage and the beginning of a question, and nothing after it. */
export function openTurn(
  { tokenizer, chatTemplate }: { tokenizer: Tokenizer; chatTemplate: ChatTemplate },
  passage: StudyPassage,
  beginning: string,
): number[] {
  const content = tokenizer.literal(besidePassage(passage, beginning)) + mark;
  const rendered = chatTemplate.render([{ role: 'user', content }], false);
  return tokenizer.encodeChat(rendered.slice(0, rendered.indexOf(mark)));
}
