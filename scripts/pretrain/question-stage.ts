// Supervision on questions: from a text in context, and from memory. What a user's repository will ask of the model is
// practised on many small ones: facts are learned in some wordings and asked in others, a few hundred at a time, with
// the documents that they come from.
import type { BatchSource } from './pretrain.ts';
import { Supervision } from './supervision.ts';

const shortRows = { rows: 4, length: 512 };
const longRows = { rows: 2, length: 1024 };

export const questionBatches: BatchSource = async (context) => {
  const supervision = await Supervision.open(context);
  const language = () => supervision.language();
  const fromMemory = () => supervision.fromMemory();
  const fromContext = (passages: number) => () => {
    const fact = supervision.pick(supervision.readable);
    return supervision.fromContext(fact, supervision.others(passages - 1));
  };
  const memories = Array.from({ length: 12 }, () => fromMemory);
  let count = 0;
  return () => {
    count += 1;
    if (count % 6 === 0) return supervision.fill(longRows, [fromContext(3), fromContext(2), fromMemory]);
    return supervision.fill(shortRows, [language, fromContext(1), ...memories, fromContext(2)]);
  };
};
