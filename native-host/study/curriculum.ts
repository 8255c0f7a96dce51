/** Which lessons an epoch visits: all of them for a new adapter, the new ones among old ones for a refresh. */
import { shuffled } from '../model/random.ts';
import type { Curriculum } from '../train/lift.ts';
import type { Lesson } from '../train/material.ts';
import type { Recipe } from '../train/recipe.ts';
import type { LessonPlan } from './ledger.ts';

export interface FullCurriculum extends Curriculum {
  /** How many epochs come before the first that is of everything. */
  epochsOfParts: number;
  /** Where the epochs began that together visit all of what this one goes through. */
  roundsBegin(number: number): number;
}

export interface FullOptions {
  /** What the first epochs may leave out, those that together visit everything or a first part of it. */
  known?: ReadonlySet<Lesson>;
  /** Whether each epoch visits a part of the segments, and a large corpus is gone through by its most important part first. */
  byParts?: boolean;
}

/**
 * Everything, each question in several wordings. The lessons come in order of importance, and so does the first epoch.
 * One pass teaches little: of a large corpus the most important part is gone through several times, then a part twice
 * as large that holds it, and so on to the whole. Whenever that is stopped, what matters most is known well.
 * Segments overlap, each token being in two or three of them: of each document an early epoch visits every third, the next
 * one others, and each is nearly all of the text. What that saves goes to questions, which are known first; later epochs
 * visit all segments and ask less.
 */
export function fullCurriculum(
  lessons: readonly Lesson[],
  recipe: Recipe,
  { known = new Set(), byParts = false }: FullOptions = {},
): FullCurriculum {
  const parts = byParts ? partsOf(lessons) : [];
  const epochsOfParts = parts.length * epochsOfPart;
  const rounds = byParts ? roundsOver(recipe) : 1;
  const earlyEpochs = byParts ? epochsOfParts + earlyEpochsOf(recipe) : 0;
  const isInRound = roundsOf(ofKind(lessons, 'segment'), rounds);
  const roundsBegin = (number: number) => {
    if (number < epochsOfParts) return number - (number % epochsOfPart);
    return number < earlyEpochs ? epochsOfParts : number;
  };
  const visitsOf = (number: number): Lesson[] => {
    const part = parts[Math.floor(number / epochsOfPart)];
    let visited = part === undefined ? lessons : lessons.filter(({ path }) => part.has(path));
    if (number < rounds) visited = visited.filter((lesson) => !known.has(lesson));
    const round = (number - roundsBegin(number)) % rounds;
    const isEarly = number < earlyEpochs;
    const segments = ofKind(visited, 'segment').filter((segment) => !isEarly || isInRound(segment, round));
    const wordings = isEarly ? recipe.wordingsInEarlyEpochs : recipe.wordingsPerEpoch;
    return [...segments, ...asked(visited, wordings)];
  };
  return {
    epochsOfParts,
    roundsBegin,
    epoch: (number) => ({
      visits: visitsOf(number),
      inOrder: number === 0,
      isWhole: number >= epochsOfParts + rounds - 1,
    }),
  };
}

const tokensOfFirstPart = 64_000;
/** How often the early epochs go through everything. */
const timesInRounds = 2;

/** How many epochs visit a part of the segments, and ask more. */
export function earlyEpochsOf(recipe: Recipe): number {
  return timesInRounds * roundsOver(recipe);
}

/** In how many segments a token is. */
export function roundsOver({ segmentLength, stride }: Pick<Recipe, 'segmentLength' | 'stride'>): number {
  return Math.round(segmentLength / stride);
}

/** Which of several rounds visit a segment: each round some of every document, all rounds everything. */
function roundsOf(segments: readonly Lesson[], rounds: number): (segment: Lesson, round: number) => boolean {
  const counts = new Map<string, number>();
  const places = new Map<Lesson, number>();
  for (const segment of segments) {
    const place = counts.get(segment.path) ?? 0;
    places.set(segment, place);
    counts.set(segment.path, place + 1);
  }
  return (segment, round) => {
    const most = Math.min(rounds, counts.get(segment.path)!);
    return places.get(segment)! % most === round % most;
  };
}

/** As many as visit all segments. */
const epochsOfPart = 3;

/** The documents of each part but the last, which is everything. */
function partsOf(lessons: readonly Lesson[]): ReadonlySet<string>[] {
  const ends = new Map<string, number>();
  for (const { kind, path, start, size } of lessons) if (kind === 'segment') ends.set(path, start + size);
  const total = [...ends.values()].reduce((sum, end) => sum + end, 0);
  const parts: ReadonlySet<string>[] = [];
  for (let room = tokensOfFirstPart; 2 * room <= total; room *= 2) {
    let tokens = 0;
    const part = new Set<string>();
    for (const [path, end] of ends) {
      if (tokens >= room) break;
      part.add(path);
      tokens += end;
    }
    parts.push(part);
  }
  return parts;
}

const replayedPerFresh = 2;
const wordingsOfFresh = 4;

/** Where more of all lessons than this are new, a refresh goes through their segments in rounds, as other training does. */
const largeRefreshShare = 0.1;

export function isLargeRefresh({ fresh, known }: LessonPlan): boolean {
  return fresh.length > largeRefreshShare * (fresh.length + known.length);
}

/**
 * New lessons, each epoch with twice as many others that are known, so that nothing else is forgotten. What was found to be
 * learned counts among these from the next epoch on: the last thing that is hard does not cost another pass over all that is
 * new. `rounds`: how many epochs together visit all new segments; `learned`: as it is when an epoch begins.
 */
export function refreshCurriculum(
  { fresh, known }: LessonPlan,
  rounds = 1,
  learned: ReadonlySet<Lesson> = new Set(),
): Curriculum {
  const isInRound = roundsOf(ofKind(fresh, 'segment'), rounds);
  return {
    epoch: (number, uniform) => {
      const left = fresh.filter((lesson) => !learned.has(lesson));
      const segments = ofKind(left, 'segment');
      const inRound = segments.filter((segment) => isInRound(segment, number % rounds));
      const questions = asked(left, wordingsOfFresh);
      const isWhole = number >= rounds - 1;
      const visits = [...(isWhole && inRound.length === 0 ? segments : inRound), ...questions];
      const others = shuffled([...known, ...learned], uniform);
      return { visits: [...visits, ...others.slice(0, replayedPerFresh * visits.length)], inOrder: false, isWhole };
    },
  };
}

function ofKind(lessons: readonly Lesson[], wanted: Lesson['kind']): Lesson[] {
  return lessons.filter(({ kind }) => kind === wanted);
}

/** Pass by pass, so that a question comes again when others have come between: adjacent ones teach far less. */
function asked(lessons: readonly Lesson[], wordings: number): Lesson[] {
  const questions = ofKind(lessons, 'question');
  return Array.from({ length: wordings }, () => questions).flat();
}
