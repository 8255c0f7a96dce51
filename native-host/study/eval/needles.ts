/** Needles in a haystack: sentences that nothing else in a repository hints at, hidden in its documents. */
import { type Document, documentFrom } from '../../corpus/documents.ts';
import { shuffled, uniformNumbers } from '../../model/random.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import { type Repository, treeOf } from '../repository.ts';

export interface Needle {
  /** Of the document that holds it. */
  path: string;
  sentence: string;
  question: string;
  answer: string;
}

const adjectives = ['amber', 'brisk', 'copper', 'distant', 'eager', 'frozen', 'gentle', 'hollow', 'ivory', 'jagged'];
const nouns = ['falcon', 'harbour', 'lantern', 'meadow', 'orchard', 'pebble', 'quarry', 'saddle', 'thicket', 'violin'];
export const mostNeedles = adjectives.length * nouns.length;

/** How a line of a language says something to people; in languages that are not here no needle is hidden. */
const lineComments: Record<string, string> = {
  markdown: '',
  restructuredtext: '',
  text: '',
  ...Object.fromEntries(['python', 'shell', 'yaml', 'toml', 'ruby', 'makefile'].map((name) => [name, '# '])),
  ...Object.fromEntries(
    ['javascript', 'typescript', 'go', 'rust', 'java', 'c', 'cpp', 'csharp', 'kotlin', 'swift', 'php'].map((name) => [
      name,
      '// ',
    ]),
  ),
};

/**
 * A repository with `count` needles, or fewer where it has not as many documents that can hold one, each in another
 * document at a random empty line. The same repository and seed give the same needles.
 */
export function plantNeedles(
  repository: Repository,
  tokenizer: Tokenizer,
  count: number,
  seed: number,
): { repository: Repository; needles: Needle[] } {
  const uniform = uniformNumbers(seed);
  const names = shuffled(
    adjectives.flatMap((adjective) => nouns.map((noun) => `${adjective} ${noun}`)),
    uniform,
  );
  const needles: Needle[] = [];
  const changed = new Map<string, Document>();
  const byPath = [...repository.documents].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, text, language } of shuffled(byPath, uniform)) {
    if (needles.length >= Math.min(count, mostNeedles)) break;
    const mark = lineComments[language];
    const lines = text.split('\n');
    const places = lines.flatMap((line, i) => (isBetweenParagraphs(line, lines[i + 1]) ? [i] : []));
    const place = places[Math.floor(uniform() * places.length)];
    if (mark === undefined || place === undefined) continue;
    const name = names[needles.length]!;
    const answer = String(10_000 + Math.floor(90_000 * uniform()));
    const sentence = `The access code of the ${name} is ${answer}.`;
    lines.splice(place, 0, '', mark + sentence);
    changed.set(path, documentFrom(path, lines.join('\n')));
    needles.push({ path, sentence, question: `Which access code belongs to the ${name}?`, answer });
  }
  return { repository: withDocuments(repository, changed, tokenizer), needles };
}

/** An empty line with text at the margin below it: not within a block, nor in most strings. */
function isBetweenParagraphs(line: string, next: string | undefined): boolean {
  return line.trim() === '' && next !== undefined && /^\S/.test(next);
}

function withDocuments(
  repository: Repository,
  changed: ReadonlyMap<string, Document>,
  tokenizer: Tokenizer,
): Repository {
  const documents = repository.documents.map((document) => changed.get(document.path) ?? document);
  const tokens = new Map(repository.tokens);
  for (const [path, { text }] of changed) tokens.set(path, Uint32Array.from(tokenizer.encode(text)));
  const tokenCount = [...tokens.values()].reduce((sum, ids) => sum + ids.length, 0);
  return { ...repository, documents, tokens, tokenCount, tree: treeOf(documents) };
}
