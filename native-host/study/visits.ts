/** What a training has visited: lessons, and documents that were gone through in whole. */
import type { Lesson } from '../train/material.ts';
import type { TokenCount } from '../train/measure.ts';
import type { Ledger, Visit } from './ledger.ts';

export class Visits {
  readonly byLesson = new Map<Lesson, Visit>();
  /** Segments of each document that are still to be visited. */
  private readonly left = new Map<string, number>();
  private seen = 0;

  constructor(
    readonly lessons: readonly Lesson[],
    readonly before: Ledger,
  ) {
    for (const { kind, path } of lessons) if (kind === 'segment') this.left.set(path, (this.left.get(path) ?? 0) + 1);
  }

  /** How many documents this training has visited all segments of. */
  get documentsSeen(): number {
    return this.seen;
  }

  /** `count`: how it went just before it was trained; null where that is not known any more. */
  note(lesson: Lesson, count: TokenCount | null): void {
    const past = this.byLesson.get(lesson);
    this.byLesson.set(lesson, { visits: (past?.visits ?? 0) + 1, last: count });
    if (past !== undefined || lesson.kind !== 'segment') return;
    const left = (this.left.get(lesson.path) ?? 0) - 1;
    this.left.set(lesson.path, left);
    if (left === 0) this.seen += 1;
  }
}
