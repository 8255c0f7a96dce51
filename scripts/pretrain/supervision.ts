// What the stages on questions practise: facts of many small packages, asked from memory and from texts in context.
import { join } from 'node:path';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import { type ContextText, renderContext } from '../../native-host/generate/context-format.ts';
import { type ChatMessage, openChatTemplate } from '../../native-host/model/chat-template.ts';
import { shuffled, uniformNumbers } from '../../native-host/model/random.ts';
import { openTokenizer } from '../../native-host/model/tokenizer.ts';
import { conversationItem, type ModelText, questionItem } from '../../native-host/train/items.ts';
import { type PackedBatch, pack, type TrainingItem } from '../../native-host/train/packing.ts';
import type { BatchShape } from '../../native-host/train/program.ts';
import type { Explained } from './explained.ts';
import { rowStream } from './language-stage.ts';
import { nanoConfig } from './nano.ts';
import { type PackageFact, readRows } from './package-facts.ts';
import type { BatchContext } from './pretrain.ts';

const activeFacts = 600;
const visitsOfFact = 12;
const languageWeight = 0.2;

export class Supervision {
  /** Facts whose excerpt shows the answer. */
  readonly readable: readonly PackageFact[];
  private readonly pool: { fact: PackageFact; visits: number }[];
  private nextFact = activeFacts;

  private constructor(
    readonly text: ModelText,
    readonly facts: readonly PackageFact[],
    readonly explained: readonly Explained[],
    readonly uniform: () => number,
    private readonly rows: Generator<TrainingItem>,
  ) {
    this.readable = facts.filter(({ excerpt }) => excerpt !== null);
    this.pool = facts.slice(0, activeFacts).map((fact) => ({ fact, visits: 0 }));
  }

  static async open({ projectFolder, cacheFolder, tokens, documents, seed }: BatchContext): Promise<Supervision> {
    const folder = join(projectFolder, 'models', 'lift-nano');
    const text = {
      tokenizer: await openTokenizer(folder),
      chatTemplate: await openChatTemplate(folder),
      endTokens: new Set(nanoConfig.eosTokenIds),
    };
    const uniform = uniformNumbers(seed);
    const facts = await readRows<PackageFact>(cacheFolder, 'facts');
    const explained = await readRows<Explained>(cacheFolder, 'explained');
    const training = documents.filter(({ validation }) => !validation);
    return new Supervision(text, shuffled(facts, uniform), explained, uniform, rowStream(tokens, training, 256, seed));
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.uniform() * items.length)]!;
  }

  /** Facts come back a dozen times in other wordings and then make room for others. */
  fromMemory(context: readonly PackageFact[] = []): TrainingItem {
    const index = Math.floor(this.uniform() * this.pool.length);
    const entry = this.pool[index]!;
    entry.visits += 1;
    if (entry.visits >= visitsOfFact) {
      this.pool[index] = { fact: this.facts[this.nextFact++ % this.facts.length]!, visits: 0 };
    }
    return this.asked(entry.fact, context);
  }

  /** A fact whose excerpt stands among those of others. */
  fromContext(fact: PackageFact, others: readonly PackageFact[]): TrainingItem {
    const distracting = others.filter(({ path }) => path !== fact.path);
    return this.asked(fact, shuffled([fact, ...distracting], this.uniform));
  }

  /** Excerpts in any order, and a question about each of them, one after another: as many answers as there are texts. */
  severalFromContext(facts: readonly PackageFact[]): TrainingItem {
    const texts = shuffled(facts, this.uniform).map(textOf);
    const messages: ChatMessage[] = [];
    const item = { tokens: [] as number[], weights: [] as number[] };
    shuffled(facts, this.uniform).forEach((fact, turn) => {
      const asked = this.pick(wordingsOf(fact)).text;
      messages.push({ role: 'user', content: turn === 0 ? renderContext(texts, asked) : asked });
      const answered = conversationItem(this.text, messages, fact.answer, 1);
      const before = item.weights.length;
      // What follows an end token in the template belongs to the next turn.
      item.tokens = [...answered.tokens];
      item.weights = answered.weights.map((weight, i) => (i < before ? item.weights[i]! : weight));
      messages.push({ role: 'assistant', content: fact.answer });
    });
    return item;
  }

  others(count: number): PackageFact[] {
    return Array.from({ length: count }, () => this.pick(this.readable));
  }

  language(): TrainingItem {
    const item = this.rows.next().value as TrainingItem;
    return { tokens: item.tokens, weights: item.weights.map((weight) => weight * languageWeight) };
  }

  /** A batch of what the makers give in turn, as much as there is room for. */
  fill(shape: BatchShape, makers: readonly (() => TrainingItem)[]): PackedBatch {
    const items: TrainingItem[] = [];
    let room = shape.rows * shape.length;
    for (let i = 0; room > 200; i++) {
      const item = makers[i % makers.length]!();
      if (item.tokens.length > shape.length) continue;
      items.push(item);
      room -= item.tokens.length;
    }
    return pack(items, shape)[0]!;
  }

  private asked(fact: PackageFact, shown: readonly PackageFact[]): TrainingItem {
    return this.answered(shown.map(textOf), this.pick(wordingsOf(fact)).text, fact.answer);
  }

  answered(texts: readonly ContextText[], question: string, answer: string): TrainingItem {
    return questionItem(this.text, renderContext(texts, question), answer, 1);
  }
}

/** The excerpt of a readable fact. */
export function textOf({ path, excerpt }: PackageFact): ContextText {
  return { path, text: excerpt! };
}
