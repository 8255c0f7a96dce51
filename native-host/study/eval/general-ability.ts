/** What an adapter leaves of a model's ability: how likely it finds code, prose and answers that are not the repository's. */
import { type ModelText, questionItem } from '../../train/items.ts';
import { addCounts, type Measurable, measureItems, recallItems } from '../../train/measure.ts';
import type { TrainingItem } from '../../train/packing.ts';
import type { Recipe } from '../../train/recipe.ts';
import { generalChat, generalCode, generalProse } from './general-texts.ts';

/** Mean −log p a token, in nats. */
export interface GeneralAbility {
  code: number;
  prose: number;
  chat: number;
}

export async function measureGeneralAbility(
  model: Measurable,
  text: ModelText,
  { segmentLength, full: { shape } }: Pick<Recipe, 'segmentLength' | 'full'>,
  signal: AbortSignal,
): Promise<GeneralAbility> {
  const segments = (path: string, content: string) =>
    recallItems(text, path, Uint32Array.from(text.tokenizer.encode(content)), segmentLength);
  const mean = async (items: readonly TrainingItem[]) => {
    const counts = await measureItems(model, items, shape, signal);
    signal.throwIfAborted();
    const { nll, counted } = [...counts.values()].reduce(addCounts, { nll: 0, counted: 0, correct: 0 });
    return nll / counted;
  };
  return {
    code: await mean(segments('theatre/box-office.ts', generalCode)),
    prose: await mean(segments('docs/bees.md', generalProse)),
    chat: await mean(generalChat.map(({ question, answer }) => questionItem(text, question, answer, 1))),
  };
}
