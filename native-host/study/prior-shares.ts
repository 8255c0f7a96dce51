/** What is known of each document's recall when nothing was measured after training: what training itself saw. */
import type { Lesson } from '../train/material.ts';
import type { Ledger, Visit } from './ledger.ts';
import type { PriorShares } from './recall-meter.ts';

/**
 * For each document the share of its tokens that is predicted right, as far as that is known: each segment counts as it
 * went just before it was last trained; one that was not visited as its document was last measured; one that `fresh`
 * holds, whose text is new, as unknown until it is visited. Segments that an earlier sitting trained, of which no count
 * is left, go as the visited ones do on average.
 */
export function priorShares(
  before: Ledger,
  lessons: readonly Lesson[],
  fresh: ReadonlySet<Lesson>,
  visited: ReadonlyMap<Lesson, Visit>,
): PriorShares {
  const usual = meanShare(visited.values());
  const sums = new Map<string, { correct: number; counted: number }>();
  for (const lesson of lessons) {
    if (lesson.kind !== 'segment') continue;
    const sum = sums.get(lesson.path) ?? { correct: 0, counted: 0 };
    sums.set(lesson.path, sum);
    const visit = visited.get(lesson);
    const past = before.documents.get(lesson.path);
    const pastShare = past !== undefined && past.counted > 0 ? past.correct / past.counted : 0;
    let share = fresh.has(lesson) ? 0 : pastShare;
    if (visit !== undefined) share = shareOf(visit) ?? (pastShare > 0 ? pastShare : usual);
    sum.correct += share * lesson.size;
    sum.counted += lesson.size;
  }
  return new Map([...sums].map(([path, { correct, counted }]) => [path, counted === 0 ? 0 : correct / counted]));
}

function shareOf({ last }: Visit): number | null {
  return last === null || last.counted === 0 ? null : last.correct / last.counted;
}

function meanShare(visits: Iterable<Visit>): number {
  let correct = 0;
  let counted = 0;
  for (const { last } of visits) {
    correct += last?.correct ?? 0;
    counted += last?.counted ?? 0;
  }
  return counted === 0 ? 0 : correct / counted;
}
