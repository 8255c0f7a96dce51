/** Which of what the base wrote is kept: no model's word is taken for a name that the text does not hold. */
import type { StudyPassage } from './requests.ts';

export interface Written {
  question: string;
  answer: string;
  /** Whether the base ended the answer itself. */
  hasEnded: boolean;
  /** Whether sentences were asked for, not a name or a value. */
  isProse: boolean;
}

export type Fault = 'empty' | 'cut' | 'too short' | 'no question' | 'repeats itself' | 'known' | 'unknown name';

const fewestWords = 3;
const fewestWordsOfProse = 4;
const longestQuestion = 300;

/** Null where it is kept. `known`: questions that there are already, as `questionKey` gives them. */
export function faultOf(
  { question, answer, hasEnded, isProse }: Written,
  { path, text }: StudyPassage,
  known: ReadonlySet<string>,
): Fault | null {
  if (!/[\p{L}\p{N}]/u.test(answer)) return 'empty';
  if (!hasEnded) return 'cut';
  if (isProse && wordsOf(answer).length < fewestWordsOfProse) return 'too short';
  const isQuestion = question.endsWith('?') && question.length <= longestQuestion && !question.includes('\n');
  if (!isQuestion || wordsOf(question).length < fewestWords) return 'no question';
  if (repeatsItself(answer) || repeatsItself(question)) return 'repeats itself';
  if (known.has(questionKey(question))) return 'known';
  const holds = `${path}\n${text}`;
  return namesIn(`${question}\n${answer}`).every((name) => isIn(holds, name)) ? null : 'unknown name';
}

/** The same for questions that differ in case, spaces or marks alone. */
export function questionKey(question: string): string {
  return wordsOf(question.toLowerCase()).join(' ');
}

/** Three words that come three times. */
function repeatsItself(text: string): boolean {
  const words = wordsOf(text);
  const counts = new Map<string, number>();
  for (let i = 0; i + 2 < words.length; i++) {
    const three = words.slice(i, i + 3).join(' ');
    const count = (counts.get(three) ?? 0) + 1;
    if (count === 3) return true;
    counts.set(three, count);
  }
  return false;
}

function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}_$]+/gu) ?? [];
}

/** What is no word of a language: code in backticks, paths, versions, numbers of two digits or more, names with a hump, a digit, `_` or `$`. */
export function namesIn(text: string): string[] {
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!.trim());
  const rest = text.replace(/`[^`\n]+`/g, ' ');
  const paths = rest.match(/[\w$.-]+(?:\/[\w$.-]*[\w$])+|[\w$-]{2,}\.[a-z]{1,4}\b|\d+(?:\.\d+)+/g) ?? [];
  const words = wordsOf(rest).filter(
    (word) => /[_$]|\p{Ll}\p{Lu}|\p{Lu}{2}|\d\d/u.test(word) || (/\d/.test(word) && /\p{L}/u.test(word)),
  );
  return [...quoted, ...paths, ...words].filter((name) => name !== '');
}

/** As a whole: not as a part of a longer word. */
function isIn(text: string, name: string): boolean {
  const isWordCharacter = (character: string | undefined) =>
    character !== undefined && /[\p{L}\p{N}_$]/u.test(character);
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const isStart = !isWordCharacter(name[0]) || !isWordCharacter(text[at - 1]);
    const isEnd = !isWordCharacter(name.at(-1)) || !isWordCharacter(text[at + name.length]);
    if (isStart && isEnd) return true;
  }
  return false;
}
