// Makes what lift-base is supervised with: `node dist/pretrain/base-items.js`, after base-data. Facts of each package in some
// of their wordings, with the passage or the whole file that tells, all as token ids; train_base.py puts them together.
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Document } from '../../../native-host/corpus/documents.ts';
import type { Fact } from '../../../native-host/corpus/questions/fact.ts';
import { factsOf } from '../../../native-host/corpus/questions/facts.ts';
import { factKinds, wordingsOf } from '../../../native-host/corpus/questions/wordings.ts';
import { renderText } from '../../../native-host/generate/context-format.ts';
import { linesOf, passagesOf } from '../../../native-host/generate/passages.ts';
import { openChatTemplate } from '../../../native-host/model/chat-template.ts';
import { shuffled, uniformNumbers } from '../../../native-host/model/random.ts';
import { openTokenizer } from '../../../native-host/model/tokenizer.ts';
import { type PretrainingDocument, tokenShards } from '../corpus.ts';
import { fastEncoder } from '../fast-encode.ts';
import { ofThisFile, REFUSAL } from '../instructions-stage.ts';
import { TEXT, type TokenizerJson } from '../tokenizer.ts';
import { balanced } from './balance.ts';
import { frameOf } from './frame.ts';
import { type FactRow, Pieces, writeShards } from './shards.ts';

const mostDocuments = 14;
const mostPages = 3;
const largestDocument = 30_000;
const mostFacts = 70;
const wordingsOfFact = 8;
const longestQuestion = 80;
const longestAnswer = 48;
const longestPassage = 500;
const longestFile = 1000;

const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
const cacheFolder = process.env.LIFT_BASE_CACHE ?? join(projectFolder, '.cache', 'lift-base');
const tokenizerFolder = join(cacheFolder, 'tokenizer');
const json: TokenizerJson = JSON.parse(await readFile(join(tokenizerFolder, 'tokenizer.json'), 'utf8'));
const encode = fastEncoder(json);
const uniform = uniformNumbers(1);
const shards = await tokenShards(cacheFolder);
if (shards === null) throw new Error('there are no tokens yet: run `node dist/pretrain/base-data.js` first');
const { tokens, index } = shards;
const packages = [...new Set(index.documents.map((document) => document.package))];
const numberOf = new Map(packages.map((name, i) => [name, i]));
const pieces = new Pieces(encode);
const facts: FactRow[] = [];

const rowOf = new Map(index.documents.map((document, i) => [`${document.package} ${document.path}`, i]));
const documents = index.documents.map(({ start, validation, package: name }) => ({
  start,
  header: tokens.indexOf(TEXT, start) + 1 - start,
  package: numberOf.get(name)!,
  validation: Number(validation),
}));

/** What is asked about: some pages and more sources, of a folder where possible, so that files import each other. */
function chosen(all: PretrainingDocument[]): Document[] {
  const small = all.filter(({ text }) => text.length <= largestDocument);
  const isPage = ({ language }: PretrainingDocument) => language === 'markdown' || language === 'restructuredtext';
  const pages = shuffled(small.filter(isPage), uniform).slice(0, mostPages);
  const sources = small.filter((document) => !isPage(document)).sort((a, b) => (a.path < b.path ? -1 : 1));
  const room = mostDocuments - pages.length;
  const from = Math.floor(uniform() * Math.max(1, sources.length - room + 1));
  const taken = [...pages, ...sources.slice(from, from + room)];
  return taken.map(({ path, text, language }) => ({ path, text, language, hash: path }));
}

function passageOf(document: Document, fact: Fact): number {
  const lines = linesOf(document.text);
  const span = passagesOf(lines).find(({ endLine }) => fact.line <= endLine);
  if (!span) return -1;
  const text = lines.slice(span.startLine - 1, span.endLine).join('\n');
  const isShown = fact.answer === fact.path || fact.answer.split(', ').every((part) => text.includes(part));
  if (!isShown) return -1;
  const piece = pieces.add(renderText({ path: document.path, text }));
  return pieces.length(piece) <= longestPassage ? piece : -1;
}

function add(name: string, validation: boolean, fact: Fact, document: Document): void {
  const answer = pieces.add(fact.answer);
  if (pieces.length(answer) > longestAnswer) return;
  const fits = (text: string) => text.length <= 4 * longestQuestion && encode(text).length <= longestQuestion;
  const questions = shuffled(
    wordingsOf(fact).map(({ text }) => text),
    uniform,
  )
    .filter(fits)
    .slice(0, wordingsOfFact);
  if (questions.length < 2) return;
  const isSmall = document.text.length < 4 * longestFile && encode(document.text).length <= longestFile;
  const file = isSmall ? pieces.add(renderText(document)) : -1;
  const place = { package: numberOf.get(name)!, document: rowOf.get(`${name} ${fact.path}`)! };
  const row = { ...place, validation: Number(validation), kind: factKinds.indexOf(fact.kind), answer };
  const append = (passage: number, texts: string[], memory: number) => {
    const [firstWording] = texts.map((text) => pieces.append(text));
    facts.push({ ...row, passage, file, firstWording: firstWording!, wordings: texts.length, memory });
  };
  append(passageOf(document, fact), questions, 1);
  if (fact.kind === 'file-purpose' && file >= 0) append(-1, ofThisFile, 0);
}

async function addPackage(all: PretrainingDocument[]): Promise<void> {
  const { package: name, validation } = all[0]!;
  const documents = chosen(all);
  const byPath = new Map(documents.map((document) => [document.path, document]));
  const found = await factsOf(documents).catch(() => []);
  for (const fact of shuffled(found, uniform).slice(0, mostFacts)) add(name, validation, fact, byPath.get(fact.path)!);
}

async function* storedDocuments(): AsyncGenerator<PretrainingDocument> {
  const input = createReadStream(join(cacheFolder, 'documents.jsonl'));
  for await (const line of createInterface({ input })) yield JSON.parse(line);
}

let current: PretrainingDocument[] = [];
for await (const document of balanced(storedDocuments())) {
  if (current.length > 0 && current[0]!.package !== document.package) {
    await addPackage(current);
    current = [];
  }
  current.push(document);
}
if (current.length > 0) await addPackage(current);

const tokenizer = await openTokenizer(tokenizerFolder);
const frame = frameOf(tokenizer, await openChatTemplate(tokenizerFolder));
const meta = { vocabulary: tokenizer.vocabSize, ...frame, refusal: encode(REFUSAL), kinds: [...factKinds], packages };
const written = await writeShards(join(cacheFolder, 'items'), meta, pieces, facts, documents);
console.log(`${facts.length} facts of ${packages.length} packages; ${written} tokens in pieces`);
console.log(`${facts.filter(({ passage, file }) => passage >= 0 || file >= 0).length} of them can be read from a text`);
