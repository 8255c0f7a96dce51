// Teaches to read what stands in the prompt. Finding the place that a question names and copying what follows it is a
// circuit that forms only where nothing else helps: so what is to be copied is made up, and most of it is dense, a target at
// every token. Then questions in the product's own form take over, with names that nobody has seen, among texts that do not
// matter; and facts asked from memory beside texts that do not hold them, so that a text beside the question does not
// silence what an adapter knows.
import { shuffled } from '../../native-host/model/random.ts';
import type { TrainingItem } from '../../native-host/train/packing.ts';
import { Inventor } from './made-up.ts';
import type { BatchSource } from './pretrain.ts';
import { Supervision } from './supervision.ts';

const shortRows = { rows: 4, length: 512 };
const longRows = { rows: 2, length: 1024 };
/** The share of the stage in which copying comes first. */
const copyingShare = 0.3;

const forms: readonly ((name: string, value: string) => [string, string, string])[] = [
  (name, value) => [`const ${name} = `, value, ';'],
  (name, value) => [`${name} = `, value, ''],
  (name, value) => [`  "${name}": `, value, ','],
  (name, value) => [`  ${name}: `, value, ','],
  (name, value) => [`| \`${name}\` | `, value, ' |'],
  (name, value) => [`- ${name}: `, value, ''],
  (name, value) => [`export ${name}=`, value, ''],
];

export const readingBatches: BatchSource = async (context) => {
  const { tokens } = context;
  const supervision = await Supervision.open(context);
  const { uniform, readable, text } = supervision;
  const inventor = new Inventor(supervision.facts, uniform);

  /** A stretch of a document, as it is or shuffled, twice; loss on the second time. */
  const repeated = (): TrainingItem => {
    const length = 16 + Math.floor(100 * uniform());
    const start = Math.floor(uniform() * (tokens.length - length));
    const stretch = [...tokens.subarray(start, start + length)];
    const once = uniform() < 0.5 ? stretch : shuffled(stretch, uniform);
    return { tokens: [...once, ...once], weights: [...once.map(() => 0), ...once.map((_, i) => (i < 2 ? 0 : 1))] };
  };

  /** Names and values, a line each; then the same lines in another order, with loss on the values. */
  const lookedUp = (): TrainingItem => {
    const form = supervision.pick(forms);
    const count = 3 + Math.floor(9 * uniform());
    const lines = Array.from({ length: count }, () => form(inventor.name(), inventor.value()));
    const encode = (part: string) => [...text.tokenizer.encode(part)];
    const shown = encode(lines.map((line) => `${line.join('')}\n`).join(''));
    const item = { tokens: [...shown], weights: shown.map(() => 0) };
    for (const [before, value, after] of shuffled(lines, uniform)) {
      for (const [part, weight] of [
        [before, 0],
        [value, 1],
        [`${after}\n`, 0],
      ] as const) {
        const ids = encode(part);
        item.tokens.push(...ids);
        item.weights.push(...ids.map(() => weight));
      }
    }
    return item;
  };

  const madeUp = (passages: number) => (): TrainingItem => {
    for (;;) {
      const fact = inventor.renamed(supervision.pick(readable));
      if (fact === null) continue;
      const others = supervision.others(passages - 1).map((other) => inventor.renamed(other) ?? other);
      return supervision.fromContext(fact, others);
    }
  };
  const real = (passages: number) => () =>
    supervision.fromContext(supervision.pick(readable), supervision.others(passages - 1));
  const fromMemory = () => supervision.fromMemory();
  const besideTexts = () => supervision.fromMemory(supervision.others(1 + Math.floor(2 * uniform())));
  const language = () => supervision.language();

  let count = 0;
  return (progress) => {
    count += 1;
    const long = count % 4 === 0;
    if (progress < copyingShare) {
      const copying = [repeated, lookedUp, repeated, lookedUp, madeUp(1), lookedUp, language, madeUp(2)];
      return supervision.fill(long ? longRows : shortRows, copying);
    }
    if (long) return supervision.fill(longRows, [madeUp(4), real(3), madeUp(3), besideTexts, fromMemory]);
    const questions = [madeUp(1), madeUp(2), real(1), madeUp(2), besideTexts, real(2)];
    const memories = Array.from({ length: 6 }, () => fromMemory);
    return supervision.fill(shortRows, [language, lookedUp, ...questions, repeated, ...memories]);
  };
};
