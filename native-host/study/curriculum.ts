/** Which lessons an epoch visits: all of them for a new adapter, the new ones among old ones for a refresh. */
import { shuffled } from '../model/random.ts';
import type { Curriculum } from '../train/lift.ts';
import type { Lesson } from '../train/material.ts';
import type { Recipe } from '../train/recipe.ts';
import type { LessonPlan } from './ledger.ts';

/**
 * Everything, each question in several wordings. The lessons come in order of importance, and so does the first epoch:
 * what is stopped early has seen what matters most.
 */
export function fullCurriculum(lessons: readonly Lesson[], recipe: Recipe): Curriculum {
  const segments = lessons.filter(({ kind }) => kind === 'segment');
  const questions = lessons.filter(({ kind }) => kind === 'question');
  const asked = questions.flatMap((question) => Array.from({ length: recipe.wordingsPerEpoch }, () => question));
  return {
    hasSegments: segments.length > 0,
    hasQuestions: questions.length > 0,
    epoch: (number, withQuestions) => ({
      visits: withQuestions ? [...segments, ...asked] : segments,
      inOrder: number === 0,
    }),
  };
}

const replayedPerFresh = 2;
const wordingsOfFresh = 4;

/** New lessons, each epoch with twice as many others that are known, so that nothing else is forgotten. */
export function refreshCurriculum({ fresh, known }: LessonPlan): Curriculum {
  const visits = fresh.flatMap((lesson) =>
    Array.from({ length: lesson.kind === 'question' ? wordingsOfFresh : 1 }, () => lesson),
  );
  return {
    hasSegments: visits.some(({ kind }) => kind === 'segment'),
    hasQuestions: visits.some(({ kind }) => kind === 'question'),
    epoch: (_, __, uniform) => {
      const replayed = shuffled(known, uniform).slice(0, replayedPerFresh * visits.length);
      return { visits: [...visits, ...replayed], inOrder: false };
    },
  };
}
