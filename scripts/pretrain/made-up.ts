// Made-up names and values in the place of real ones, so that an answer can only have been read and not remembered.
import type { PackageFact } from './package-facts.ts';

const identifier = /^[A-Za-z_$][\w$]{2,}$/;
const number = /^\d{2,}$/;

/** Invents names in the style of those that it replaces. */
export class Inventor {
  private readonly words: readonly string[];

  constructor(
    facts: readonly PackageFact[],
    private readonly uniform: () => number,
  ) {
    const names = facts.flatMap(({ slots }) => Object.values(slots)).filter((text) => identifier.test(text));
    this.words = [...new Set(names.flatMap(wordsOf))];
  }

  /** A name of two or three words in the same case style; a number for a number. */
  like(text: string): string {
    if (number.test(text)) return this.number(text.length);
    const words = Array.from({ length: this.uniform() < 0.7 ? 2 : 3 }, () => this.word());
    const upper = (word: string) => word[0]!.toUpperCase() + word.slice(1);
    if (text === text.toUpperCase()) return words.join('_').toUpperCase();
    if (text.includes('_')) return words.join('_');
    return words.map((word, i) => (i > 0 || /^[A-Z]/.test(text) ? upper(word) : word)).join('');
  }

  name(): string {
    return this.like(this.pick(['camelCase', 'PascalCase', 'snake_case', 'UPPER']));
  }

  /** What may stand behind a name: a number, a quoted word, a version, a call. */
  value(): string {
    const quoted = () => `'${this.word()}${this.pick(['', '-', '.', '/'])}${this.word()}'`;
    const version = () => [1, 2, 2].map((digits) => Number(this.number(digits))).join('.');
    return this.pick([() => this.number(2 + Math.floor(3 * this.uniform())), quoted, version, () => this.name()])();
  }

  word(): string {
    return this.pick(this.words);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.uniform() * items.length)]!;
  }

  /**
   * The fact with other names for what is asked and answered, in question, answer, path and excerpt alike; null where
   * nothing in the answer can be renamed.
   */
  renamed(fact: PackageFact): PackageFact | null {
    const { excerpt } = fact;
    if (excerpt === null || fact.stratum === 'prose') return null;
    const path = this.path(fact.path);
    const words = [...Object.values(fact.slots), fact.answer]
      .flatMap((text) => text.replaceAll(fact.path, ' ').split(/[^\w$]+/))
      .filter((word) => identifier.test(word) || number.test(word));
    const others = new Map([...new Set(words)].map((word) => [word, this.like(word)]));
    const rename = (text: string) =>
      text
        .split(fact.path)
        .map((part) => part.replace(/[\w$]+/g, (word) => others.get(word) ?? word))
        .join(path);
    const renamed = { ...fact, path, answer: rename(fact.answer), excerpt: rename(excerpt) };
    if (renamed.answer === fact.answer) return null;
    const slots = Object.fromEntries(Object.entries(fact.slots).map(([slot, text]) => [slot, rename(text)]));
    return { ...renamed, slots };
  }

  private path(path: string): string {
    const ending = /\.[^/.]+$/.exec(path)?.[0] ?? '';
    const folders = Array.from({ length: 1 + Math.floor(2 * this.uniform()) }, () => this.word());
    return [...folders, this.like('camelCase')].join('/') + ending;
  }

  private number(digits: number): string {
    return String(Math.floor((0.1 + 0.9 * this.uniform()) * 10 ** digits));
  }
}

function wordsOf(name: string): string[] {
  return name
    .split(/[_$\d]+|(?<=[a-z])(?=[A-Z])/)
    .map((word) => word.toLowerCase())
    .filter((word) => /^[a-z]{3,9}$/.test(word));
}
