// Facts of one package, each with an excerpt of its document that shows the answer, and code that a comment explains.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Document } from '../../native-host/corpus/documents.ts';
import type { Fact } from '../../native-host/corpus/questions/fact.ts';
import { factsOf } from '../../native-host/corpus/questions/facts.ts';
import { shuffled } from '../../native-host/model/random.ts';
import { type Explained, explainedBy } from './explained.ts';

export interface PackageFact extends Fact {
  package: string;
  /** Lines of the document from which the answer can be read; null where they do not show it. */
  excerpt: string | null;
}

const mostDocuments = 40;
const mostFacts = 250;

/** About 14 lines around the fact, if they hold the answer (or its path is the answer). */
function excerptOf(text: string, fact: Fact, uniform: () => number): string | null {
  const lines = text.split('\n');
  const before = Math.floor(uniform() * 8);
  const start = Math.max(0, fact.line - 1 - before);
  const excerpt = lines.slice(start, start + 14 + Math.floor(uniform() * 6)).join('\n');
  if (excerpt.length > 900) return null;
  const shown = fact.answer === fact.path || fact.answer.split(', ').every((part) => excerpt.includes(part));
  return shown ? excerpt : null;
}

/** What facts.ts wrote: a row a line. */
export async function readRows<Row>(cacheFolder: string, name: string): Promise<Row[]> {
  const lines = (await readFile(join(cacheFolder, `${name}.jsonl`), 'utf8')).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Row);
}

/** Of some of its documents, in a random order. */
export async function factsOfPackage(
  name: string,
  documents: readonly Document[],
  uniform: () => number,
): Promise<{ facts: PackageFact[]; explained: Explained[] }> {
  const chosen = shuffled(documents, uniform).slice(0, mostDocuments);
  const byPath = new Map(chosen.map((document) => [document.path, document]));
  const all = await factsOf(chosen);
  const explained = all.flatMap((fact) => {
    const found = explainedBy(fact, byPath.get(fact.path)!);
    return found ? [{ package: name, ...found }] : [];
  });
  const facts = shuffled(all, uniform)
    .slice(0, mostFacts)
    .map((fact) => ({ package: name, ...fact, excerpt: excerptOf(byPath.get(fact.path)!.text, fact, uniform) }));
  return { facts, explained };
}
