import type { Lesson } from '../train/material.ts';
import { type Measurable, measureItems } from '../train/measure.ts';
import type { BatchShape } from '../train/program.ts';

/** A question counts as learned when it is answered in each of these of its wordings. */
const askedWordings = [0, 0.25, 0.5, 0.75];
/**
 * Those of the lessons that are learned; a segment is when at least `tokenShare` of its tokens is predicted right. Counted by lesson and not by token: in a file of which one value changed, nearly
 * every token is known beforehand, and the value is what matters.
 */
export async function learnedOf(
  model: Measurable,
  lessons: readonly Lesson[],
  tokenShare: number,
  shape: BatchShape,
  signal: AbortSignal,
): Promise<Lesson[]> {
  const items = lessons.flatMap((lesson) =>
    (lesson.kind === 'question' ? askedWordings : [0]).map((choice) => ({
      ...lesson.item(choice, true),
      source: lesson,
    })),
  );
  const counts = await measureItems(model, items, shape, signal);
  return lessons.filter((lesson) => {
    const { correct, counted } = counts.get(lesson) ?? { correct: 0, counted: 1 };
    return correct >= (lesson.kind === 'question' ? 1 : tokenShare) * counted;
  });
}
