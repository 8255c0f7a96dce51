/** What an adapter, or the base, knows of a repository, and what it keeps of its general ability. */
import type { BaseModel } from '../../model/open-model.ts';
import type { Device } from '../../runtime/device.ts';
import { exactAnswers, measureItems, shareRight } from '../../train/measure.ts';
import type { Recipe } from '../../train/recipe.ts';
import { type Adapter, openMeasurable, type ProbeQuestion, recallItemsOf } from '../probe.ts';
import type { Repository } from '../repository.ts';
import type { TrainingResult } from './eval-result.ts';
import { measureGeneralAbility } from './general-ability.ts';
import { unseenWordingsOf } from './unseen-wordings.ts';

export type Known = Pick<
  TrainingResult,
  'nextTokenAccuracy' | 'trainedWordings' | 'unseenWordings' | 'byFolder' | 'general'
>;

/** Errors: the signal's reason where it aborts; what the device gives. */
export async function measureKnown(
  device: Device,
  model: BaseModel,
  adapter: Adapter | null,
  repository: Repository,
  probes: readonly ProbeQuestion[],
  recipe: Recipe,
  signal: AbortSignal,
): Promise<Known> {
  const { shape } = recipe.full;
  const measurable = await openMeasurable(device, model, adapter, shape);
  try {
    const items = recallItemsOf(model, repository, recipe.segmentLength);
    const counts = await measureItems(measurable, items, shape, signal);
    signal.throwIfAborted();
    const folders = new Map<string, { tokens: number; correct: number; counted: number }>();
    for (const { path } of repository.documents) {
      const slash = path.indexOf('/');
      const name = slash < 0 ? '' : path.slice(0, slash);
      const folder = folders.get(name) ?? { tokens: 0, correct: 0, counted: 0 };
      folders.set(name, folder);
      folder.tokens += repository.tokens.get(path)!.length;
      const { correct = 0, counted = 0 } = counts.get(path) ?? {};
      folder.correct += correct;
      folder.counted += counted;
    }
    const shareExact = async (wordingOf: (probe: ProbeQuestion, index: number) => string) => {
      const asked = probes.map((probe, i) => ({ question: wordingOf(probe, i), answer: probe.fact.answer }));
      const answered = await exactAnswers(measurable, model, asked, shape, signal);
      return answered.filter(Boolean).length / Math.max(1, asked.length);
    };
    const trainedWordings = await shareExact(({ trained }) => trained);
    const unseenWordings = await shareExact(({ fact }, i) => unseenWordingsOf(fact)![i % 2]!);
    const general = await measureGeneralAbility(measurable, model, recipe, signal);
    const byFolder = [...folders].map(([path, { tokens, correct, counted }]) => ({
      path,
      tokens,
      absorbed: counted === 0 ? 0 : correct / counted,
    }));
    byFolder.sort((a, b) => b.tokens - a.tokens);
    return { nextTokenAccuracy: shareRight(counts.values()), trainedWordings, unseenWordings, byFolder, general };
  } finally {
    await measurable.close();
  }
}
