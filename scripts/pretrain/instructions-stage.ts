// What a user asks for beside facts: to say that the texts do not tell, to explain a function, to summarise a file. Half of it
// is facts from memory and from texts, as in the stages before, and more of them from memory, so that a question is known in
// whatever words it comes.

import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import { shuffled } from '../../native-host/model/random.ts';
import type { TrainingItem } from '../../native-host/train/packing.ts';
import { ContextItems } from './contexts-stage.ts';
import type { BatchSource } from './pretrain.ts';
import { Supervision, textOf } from './supervision.ts';

/** What is answered where no text tells, and nothing is remembered. */
export const REFUSAL = 'The texts shown here do not say.';

/** Asked about the only text. */
export const ofThisFile = [
  'What is this file for?',
  'Summarise this file.',
  'Explain this file in a sentence.',
  'What does the open file do?',
];

export const ofThisCode = [
  'Explain {name}.',
  'What does {name} do?',
  'Explain {name} in a sentence.',
  'What is {name} for?',
  'Summarise {name}.',
  'Describe what {name} does.',
];

const shortRows = { rows: 4, length: 512 };
const longRows = { rows: 2, length: 1024 };

export const instructionBatches: BatchSource = async (context) => {
  const supervision = await Supervision.open(context);
  const { uniform } = supervision;
  const items = new ContextItems(supervision);
  const among = (least: number, most: number) => items.among(least, most);
  /** About names that nobody has ever seen, beside other texts. What is remembered is no reason to refuse. */
  const refused = (): TrainingItem => {
    for (;;) {
      const asked = items.inventor.renamed(supervision.pick(supervision.readable));
      if (asked === null) continue;
      const shown = Array.from({ length: 1 + Math.floor(3 * uniform()) }, () => textOf(items.some()));
      return supervision.answered(shown, supervision.pick(wordingsOf(asked)).text, REFUSAL);
    }
  };
  const explained = (): TrainingItem => {
    const { path, name, text, answer } = supervision.pick(supervision.explained);
    const question = supervision.pick(name === '' ? ofThisFile : ofThisCode).replace('{name}', () => name);
    const others = name === '' ? [] : supervision.others(Math.floor(2 * uniform())).map(textOf);
    return supervision.answered(shuffled([{ path, text }, ...others], uniform), question, answer);
  };
  const besideTexts = () => items.besideTexts();
  const fromMemory = () => supervision.fromMemory();
  const language = () => supervision.language();

  const memories = Array.from({ length: 4 }, () => fromMemory);
  let count = 0;
  return () => {
    count += 1;
    if (count % 3 === 0) return supervision.fill(longRows, [among(3, 6), refused, besideTexts, explained, among(2, 4)]);
    return supervision.fill(shortRows, [
      language,
      among(1, 2),
      ...memories,
      refused,
      besideTexts,
      ...memories,
      explained,
    ]);
  };
};
