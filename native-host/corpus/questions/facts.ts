// Questions that are true by construction: facts read from syntax trees and headings, each with one short answer.
import { timeSlices } from '../../../workspace/time-slices.ts';
import type { Document } from '../documents.ts';
import { isTest } from '../importance.ts';
import { appendTo } from './append-to.ts';
import { type Fact, factKey } from './fact.ts';
import { crossFileFacts } from './facts-cross-file.ts';
import { identifierFacts } from './facts-identifiers.ts';
import { membershipFacts } from './facts-membership.ts';
import { proseFacts } from './facts-prose.ts';
import { structureFacts } from './facts-structure.ts';
import { MAX_ANSWER_WORDS } from './prose.ts';
import { type Repository, readRepository } from './repository.ts';

/** At most this many facts are kept for one document, in turn from each kind, so that no long file drowns the others. */
export const MAX_FACTS_PER_DOCUMENT = 60;

/** Tests are many, and little is asked about them. */
export const MAX_FACTS_PER_TEST = 20;

/** At most this many of one kind for one document, and less of the kind that says least. */
export const MAX_FACTS_OF_KIND = 20;
const MAX_IMPORT_SOURCES = 6;

/**
 * The facts of a corpus, sorted by path, line, kind and subject; the same documents give the same facts. A question with more than one answer, an
 * answer that the question gives away, and answers of more than 24 words are left out.
 */
export async function factsOf(documents: readonly Document[], signal?: AbortSignal): Promise<Fact[]> {
  return factsIn(await readRepository(documents, signal), signal);
}

/** As factsOf, of documents whose symbols have been read. */
export async function factsIn(repository: Repository, signal?: AbortSignal): Promise<Fact[]> {
  return capped(await allFactsIn(repository, signal)).sort(inOrder);
}

/** As factsIn, however many they are of one document or one kind, in no order. */
export async function allFactsIn(repository: Repository, signal?: AbortSignal): Promise<Fact[]> {
  const endOfStep = timeSlices(signal);
  const all: Fact[] = [];
  for (const read of [identifierFacts, structureFacts, membershipFacts, crossFileFacts, proseFacts]) {
    for (const fact of read(repository)) all.push(fact);
    await endOfStep();
  }
  const sound = all.filter(isSound);
  await endOfStep();
  const clear = unambiguous(sound);
  await endOfStep();
  return clear;
}

function isSound(fact: Fact): boolean {
  if (fact.answer.split(/\s+/).length > MAX_ANSWER_WORDS || /[\r\n]/.test(fact.answer) || fact.answer === '')
    return false;
  if (fact.subject.length > 160 || /[\r\n]/.test(fact.subject)) return false;
  return fact.kind === 'kind-of' || !Object.values(fact.slots).some((slot) => givesAway(slot, fact.answer));
}

/** Whether the answer stands in a slot of the question as a word of its own. */
export function givesAway(slot: string, answer: string): boolean {
  const text = slot.toLowerCase();
  const sought = answer.toLowerCase();
  const isWord = (character: string | undefined) => character !== undefined && /[\w$]/.test(character);
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + 1)) {
    const opens = !isWord(sought[0]) || !isWord(text[at - 1]);
    const closes = !isWord(sought.at(-1)) || !isWord(text[at + sought.length]);
    if (opens && closes) return true;
  }
  return false;
}

function unambiguous(facts: readonly Fact[]): Fact[] {
  const first = new Map<string, Fact>();
  const ambiguous = new Set<string>();
  for (const fact of facts) {
    const key = factKey(fact);
    const known = first.get(key);
    if (known === undefined) first.set(key, fact);
    else if (known.answer !== fact.answer) ambiguous.add(key);
  }
  for (const key of ambiguous) first.delete(key);
  return [...first.values()];
}

function capped(all: readonly Fact[]): Fact[] {
  const byPath = new Map<string, Map<string, Fact[]>>();
  for (const fact of [...all].sort(inOrder)) {
    const kinds = byPath.get(fact.path) ?? new Map<string, Fact[]>();
    appendTo(kinds, fact.kind, fact);
    byPath.set(fact.path, kinds);
  }
  const kept: Fact[] = [];
  for (const [path, kinds] of byPath) {
    const queues = [...kinds].map(([kind, facts]) =>
      spread(facts).slice(0, kind === 'import-source' ? MAX_IMPORT_SOURCES : MAX_FACTS_OF_KIND),
    );
    let left = isTest(path) ? MAX_FACTS_PER_TEST : MAX_FACTS_PER_DOCUMENT;
    for (let turn = 0; left > 0 && queues.some((queue) => turn < queue.length); turn++) {
      for (const queue of queues) {
        const fact = queue[turn];
        if (!fact || left === 0) continue;
        kept.push(fact);
        left--;
      }
    }
  }
  return kept;
}

// What is cut off is not the end of the file: facts are taken from all over it.
function spread<T>(items: readonly T[]): T[] {
  const stride = Math.max(1, Math.ceil(items.length / 8));
  const order: T[] = [];
  for (let offset = 0; offset < stride; offset++) {
    for (let at = offset; at < items.length; at += stride) order.push(items[at] as T);
  }
  return order;
}

function inOrder(a: Fact, b: Fact): number {
  return compare(a.path, b.path) || a.line - b.line || compare(a.kind, b.kind) || compare(a.subject, b.subject);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
