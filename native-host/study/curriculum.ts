/** Which lessons an epoch visits: all of them for a new adapter, the new ones among old ones for a refresh. */
import { shuffled } from '../model/random.ts';
import type { Curriculum } from '../train/lift.ts';
import type { Lesson } from '../train/material.ts';
import type { Recipe } from '../train/recipe.ts';
import type { LessonPlan } from './ledger.ts';

/**
 * Everything, each question in several wordings. The lessons come in order of importance, and so does the first epoch:
 * what is stopped early has seen what matters most. `known`: what the first epoch may leave out.
 */
export function fullCurriculum(
  lessons: readonly Lesson[],
  recipe: Recipe,
  known: ReadonlySet<Lesson> = new Set(),
): Curriculum {
  const all = { segments: ofKind(lessons, 'segment'), asked: asked(lessons, recipe.wordingsPerEpoch) };
  const unknown = lessons.filter((lesson) => !known.has(lesson));
  const first = { segments: ofKind(unknown, 'segment'), asked: asked(unknown, recipe.wordingsPerEpoch) };
  return {
    hasSegments: first.segments.length > 0,
    hasQuestions: all.asked.length > 0,
    epoch: (number, withQuestions) => {
      const { segments, asked } = number === 0 ? first : all;
      return { visits: withQuestions ? [...segments, ...asked] : segments, inOrder: number === 0 };
    },
  };
}

const replayedPerFresh = 2;
const wordingsOfFresh = 4;

/** New lessons, each epoch with twice as many others that are known, so that nothing else is forgotten. */
export function refreshCurriculum({ fresh, known }: LessonPlan): Curriculum {
  const visits = [...ofKind(fresh, 'segment'), ...asked(fresh, wordingsOfFresh)];
  return {
    hasSegments: visits.some(({ kind }) => kind === 'segment'),
    hasQuestions: visits.some(({ kind }) => kind === 'question'),
    epoch: (_, __, uniform) => {
      const replayed = shuffled(known, uniform).slice(0, replayedPerFresh * visits.length);
      return { visits: [...visits, ...replayed], inOrder: false };
    },
  };
}

function ofKind(lessons: readonly Lesson[], wanted: Lesson['kind']): Lesson[] {
  return lessons.filter(({ kind }) => kind === wanted);
}

function asked(lessons: readonly Lesson[], wordings: number): Lesson[] {
  return ofKind(lessons, 'question').flatMap((question) => Array.from({ length: wordings }, () => question));
}
