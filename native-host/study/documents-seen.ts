/** Counts the documents of which a training has seen every segment that was new to it. */
import type { Lesson } from '../train/material.ts';

export class DocumentsSeen {
  /** Segments not seen yet, by path. */
  private readonly unseen = new Map<string, Set<Lesson>>();
  private readonly documents: number;

  /** `fresh`: what is new to the training; a document without any counts as seen. */
  constructor(paths: readonly string[], fresh: readonly Lesson[]) {
    const known = new Set(paths);
    this.documents = known.size;
    for (const lesson of fresh) {
      if (lesson.kind !== 'segment' || !known.has(lesson.path)) continue;
      const lessons = this.unseen.get(lesson.path);
      if (lessons === undefined) this.unseen.set(lesson.path, new Set([lesson]));
      else lessons.add(lesson);
    }
  }

  get count(): number {
    return this.documents - this.unseen.size;
  }

  /** A lesson was trained. */
  note(lesson: Lesson): void {
    const lessons = this.unseen.get(lesson.path);
    if (lessons?.delete(lesson) && lessons.size === 0) this.unseen.delete(lesson.path);
  }
}
