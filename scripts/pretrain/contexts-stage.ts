// Reading among many texts, as evidence and open files stand in a prompt: up to seven excerpts, most with made-up names, and
// a question about each of them, so that a long context is used more than once. What was learned before goes on beside it.
import type { TrainingItem } from '../../native-host/train/packing.ts';
import { Inventor } from './made-up.ts';
import type { PackageFact } from './package-facts.ts';
import type { BatchSource } from './pretrain.ts';
import { Supervision } from './supervision.ts';

const shortRows = { rows: 4, length: 512 };
const longRows = { rows: 2, length: 1024 };
const madeUpShare = 0.75;

/** What is asked among texts. */
export class ContextItems {
  readonly inventor: Inventor;

  constructor(readonly supervision: Supervision) {
    this.inventor = new Inventor(supervision.facts, supervision.uniform);
  }

  /** A fact with its excerpt, most with made-up names. */
  some(): PackageFact {
    const { supervision, inventor } = this;
    const fact = supervision.pick(supervision.readable);
    return (supervision.uniform() < madeUpShare ? inventor.renamed(fact) : null) ?? fact;
  }

  /** Makes so many excerpts and a question about each of them. */
  among(least: number, most: number): () => TrainingItem {
    const { supervision } = this;
    return () => {
      const count = least + Math.floor((most - least + 1) * supervision.uniform());
      const facts = Array.from({ length: count }, () => this.some());
      // Several excerpts of one file would leave open which of them a question means.
      return supervision.severalFromContext([...new Map(facts.map((fact) => [fact.path, fact])).values()]);
    };
  }

  /** What is remembered, asked beside texts that do not matter. */
  besideTexts(): TrainingItem {
    const { supervision } = this;
    return supervision.fromMemory(supervision.others(1 + Math.floor(3 * supervision.uniform())));
  }
}

export const contextBatches: BatchSource = async (context) => {
  const supervision = await Supervision.open(context);
  const items = new ContextItems(supervision);
  const among = (least: number, most: number) => items.among(least, most);
  const besideTexts = () => items.besideTexts();
  const fromMemory = () => supervision.fromMemory();
  const language = () => supervision.language();

  let count = 0;
  return () => {
    count += 1;
    if (count % 2 === 0) return supervision.fill(longRows, [among(3, 7), among(3, 5), besideTexts, among(2, 4)]);
    return supervision.fill(shortRows, [language, among(1, 2), fromMemory, among(2, 3), besideTexts, fromMemory]);
  };
};
