// A fact about the repository: what a question asks and its one answer.
import { createHash } from 'node:crypto';

/** What a question is about, for measuring: names and values, what is where, relations between files, what text says. */
export type Stratum = 'identifiers' | 'structure' | 'cross-file' | 'prose';

export interface Fact {
  /** Hash of kind, path, subject and answer: 32 hex digits. */
  id: string;
  kind: string;
  stratum: Stratum;
  /** The document that the fact is read from. */
  path: string;
  /** Line in that document, from 1. */
  line: number;
  /** What is asked about. Facts of one kind with the same subject are the same question, so that kind and subject together are its key. */
  subject: string;
  /** What the wordings of the kind put into the question. */
  slots: Record<string, string>;
  answer: string;
}

/**
 * The key of what a fact is about: two facts with the same key and other answers contradict each other. That a symbol moved or is gone contradicts
 * where it was defined.
 */
export function factKey({ kind, subject }: Pick<Fact, 'kind' | 'subject'>): string {
  return `${kind === 'moved' || kind === 'removed' ? 'defined-in' : kind} ${subject}`;
}

/** What a fact's key says. */
export function splitFactKey(key: string): Pick<Fact, 'kind' | 'subject'> {
  const end = key.indexOf(' ');
  return { kind: key.slice(0, end), subject: key.slice(end + 1) };
}

export function makeFact(fact: Omit<Fact, 'id'>): Fact {
  const id = createHash('sha256')
    .update([fact.kind, fact.path, fact.subject, fact.answer].join('\0'))
    .digest('hex')
    .slice(0, 32);
  return { id, ...fact };
}
