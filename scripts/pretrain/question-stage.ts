// Supervision on questions: from a text in context, and from memory. What a user's repository will ask of the model is
// practised on many small ones: facts are learned in some wordings and asked in others, a few hundred at a time, with
// the documents that they come from.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import { renderContext } from '../../native-host/generate/context-format.ts';
import { openChatTemplate } from '../../native-host/model/chat-template.ts';
import { shuffled, uniformNumbers } from '../../native-host/model/random.ts';
import { openTokenizer } from '../../native-host/model/tokenizer.ts';
import { questionItem } from '../../native-host/train/items.ts';
import { type PackedBatch, pack, type TrainingItem } from '../../native-host/train/packing.ts';
import type { PackageFact } from './facts.ts';
import { rowStream } from './language-stage.ts';
import { nanoConfig } from './nano.ts';
import type { BatchSource } from './pretrain.ts';

const activeFacts = 600;
const visitsOfFact = 12;
const languageWeight = 0.2;
const shortRows = { rows: 4, length: 512 };
const longRows = { rows: 2, length: 1024 };

export const questionBatches: BatchSource = async ({ projectFolder, cacheFolder, tokens, documents, seed }) => {
  const folder = join(projectFolder, 'models', 'lift-nano');
  const text = {
    tokenizer: await openTokenizer(folder),
    chatTemplate: await openChatTemplate(folder),
    endTokens: new Set(nanoConfig.eosTokenIds),
  };
  const uniform = uniformNumbers(seed);
  const lines = (await readFile(join(cacheFolder, 'facts.jsonl'), 'utf8')).trimEnd().split('\n');
  const facts = shuffled(
    lines.map((line) => JSON.parse(line) as PackageFact),
    uniform,
  );
  const readable = facts.filter(({ excerpt }) => excerpt !== null);
  const rows = rowStream(
    tokens,
    documents.filter(({ validation }) => !validation),
    256,
    seed,
  );
  const pick = <T>(items: readonly T[]): T => items[Math.floor(uniform() * items.length)]!;

  const pool = facts.slice(0, activeFacts).map((fact) => ({ fact, visits: 0 }));
  let nextFact = activeFacts;
  const fromMemory = (): TrainingItem => {
    const index = Math.floor(uniform() * pool.length);
    const entry = pool[index]!;
    entry.visits += 1;
    if (entry.visits >= visitsOfFact) pool[index] = { fact: facts[nextFact++ % facts.length]!, visits: 0 };
    return questionItem(text, pick(wordingsOf(entry.fact)).text, entry.fact.answer, 1);
  };

  const fromContext = (passages: number): TrainingItem => {
    const fact = pick(readable);
    const others = Array.from({ length: passages - 1 }, () => pick(readable)).filter(({ path }) => path !== fact.path);
    const shown = shuffled([fact, ...others], uniform).map(({ path, excerpt }) => ({ path, text: excerpt! }));
    return questionItem(text, renderContext(shown, pick(wordingsOf(fact)).text), fact.answer, 1);
  };

  const language = (): TrainingItem => {
    const item = rows.next().value as TrainingItem;
    return { tokens: item.tokens, weights: item.weights.map((weight) => weight * languageWeight) };
  };

  const fill = (shape: typeof shortRows, make: readonly (() => TrainingItem)[]): PackedBatch => {
    const items: TrainingItem[] = [];
    let room = shape.rows * shape.length;
    for (let i = 0; room > 200; i++) {
      const item = make[i % make.length]!();
      if (item.tokens.length > shape.length) continue;
      items.push(item);
      room -= item.tokens.length;
    }
    return pack(items, shape)[0]!;
  };

  const memories = Array.from({ length: 12 }, () => fromMemory);
  let count = 0;
  return () => {
    count += 1;
    if (count % 6 === 0) return fill(longRows, [() => fromContext(3), () => fromContext(2), fromMemory]);
    return fill(shortRows, [language, () => fromContext(1), ...memories, () => fromContext(2)]);
  };
};
