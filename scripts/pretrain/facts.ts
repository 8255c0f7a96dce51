// Facts of the pretraining packages, each package a small repository of its own: `node dist/pretrain/facts.js` writes
// .cache/pretrain/facts.jsonl, one line a fact with an excerpt of its document that shows the answer, and explained.jsonl, one
// line for what a comment explains.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Document } from '../../native-host/corpus/documents.ts';
import type { Fact } from '../../native-host/corpus/questions/fact.ts';
import { factsOf } from '../../native-host/corpus/questions/facts.ts';
import { shuffled, uniformNumbers } from '../../native-host/model/random.ts';
import { emptyReport, pretrainingDocuments } from './corpus.ts';
import { excludedFingerprint } from './excluded.ts';
import { type Explained, explainedBy } from './explained.ts';
import { packageList } from './package-list.ts';

export interface PackageFact extends Fact {
  package: string;
  /** Lines of the document from which the answer can be read; null where they do not show it. */
  excerpt: string | null;
}

const mostDocuments = 40;
const mostFacts = 250;
const largestDocument = 40_000;

/** About 14 lines around the fact, if they hold the answer (or its path is the answer). */
export function excerptOf(text: string, fact: Fact, uniform: () => number): string | null {
  const lines = text.split('\n');
  const before = Math.floor(uniform() * 8);
  const start = Math.max(0, fact.line - 1 - before);
  const excerpt = lines.slice(start, start + 14 + Math.floor(uniform() * 6)).join('\n');
  if (excerpt.length > 900) return null;
  const shown = fact.answer === fact.path || fact.answer.split(', ').every((part) => excerpt.includes(part));
  return shown ? excerpt : null;
}

async function main(): Promise<void> {
  const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
  const cacheFolder = join(projectFolder, '.cache', 'pretrain');
  const excluded = await excludedFingerprint(cacheFolder);
  const documents = new Map<string, Document[]>();
  for await (const document of pretrainingDocuments(
    packageList(),
    { projectFolder, cacheFolder },
    excluded,
    emptyReport(),
  )) {
    const { path, text, language, validation } = document;
    if (validation || text.length > largestDocument) continue;
    const ofPackage = documents.get(document.package) ?? [];
    ofPackage.push({ path, text, language, hash: `${document.package}/${path}` });
    documents.set(document.package, ofPackage);
  }
  const uniform = uniformNumbers(1);
  const lines: string[] = [];
  const explained: string[] = [];
  const kinds = new Map<string, number>();
  for (const [name, all] of documents) {
    const chosen = shuffled(all, uniform).slice(0, mostDocuments);
    const byPath = new Map(chosen.map((document) => [document.path, document]));
    const facts = await factsOf(chosen);
    for (const fact of facts) {
      const explanation = explainedBy(fact, byPath.get(fact.path)!);
      if (explanation) explained.push(JSON.stringify({ package: name, ...explanation } satisfies Explained));
    }
    for (const fact of shuffled(facts, uniform).slice(0, mostFacts)) {
      const excerpt = excerptOf(byPath.get(fact.path)!.text, fact, uniform);
      lines.push(JSON.stringify({ package: name, ...fact, excerpt } satisfies PackageFact));
      kinds.set(fact.kind, (kinds.get(fact.kind) ?? 0) + 1);
    }
  }
  await mkdir(cacheFolder, { recursive: true });
  await writeFile(join(cacheFolder, 'facts.jsonl'), `${lines.join('\n')}\n`);
  await writeFile(join(cacheFolder, 'explained.jsonl'), `${explained.join('\n')}\n`);
  console.log(`${explained.length} explained pieces of code`);
  console.log(`${lines.length} facts of ${documents.size} packages`, Object.fromEntries(kinds));
}

await main();
