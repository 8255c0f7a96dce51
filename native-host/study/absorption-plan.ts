/** What an absorption trains: everything, or what changed; from the start, or from where another one stopped. */
import { changeFacts } from '../corpus/changes.ts';
import { initialAdapter } from '../model/adapter-init.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { LoadedVersion } from '../store/version-file.ts';
import type { ModelText } from '../train/items.ts';
import {
  type Curriculum,
  type LiftBudget,
  type LiftPosition,
  type LiftSettings,
  startPosition,
} from '../train/lift.ts';
import { type Lesson, questionLesson } from '../train/material.ts';
import type { Recipe } from '../train/recipe.ts';
import type { TrainerState } from '../train/trainer.ts';
import type { AbsorbRequest } from './absorb.ts';
import { fullCurriculum, refreshCurriculum } from './curriculum.ts';
import type { Interrupted, Work } from './interrupted.ts';
import { dirtyPaths, emptyLedger, type Ledger, planLessons, unlearnedSpans, withKnown } from './ledger.ts';
import { methodOf } from './method.ts';
import type { Knowledge, Repository } from './repository.ts';
import type { EpochBegun } from './teaching.ts';

/** What is to be known, and what is. */
export interface Situation {
  text: ModelText;
  recipe: Recipe;
  layout: AdapterLayout;
  request: AbsorbRequest;
  repository: Repository;
  lessons: readonly Lesson[];
  snapshot: Knowledge['snapshot'];
  /** The current version, if its adapter is of this layout, and what it has learned. */
  current: LoadedVersion | null;
  ledger: Ledger;
  interrupted: Interrupted | null;
}

export interface AbsorptionPlan {
  work: Work;
  /** The current version knew another state of everything: this one must be better to take its place. */
  replaces: LoadedVersion | null;
  curriculum: Curriculum;
  settings: LiftSettings;
  budget: LiftBudget;
  state: TrainerState;
  from: LiftPosition;
  leavesOutKnown: boolean;
  byParts: boolean;
  /** The epoch that is gone on with; null where one begins. */
  begun: EpochBegun | null;
  /** What the state knows when the training begins. */
  before: Ledger;
  /** Lessons that the state has not learned, also of changes. */
  fresh: readonly Lesson[];
  /** The absorption that was not finished and goes on after this, from its checkpoint if there is one; null: none does. */
  rest: { from: Interrupted | null } | null;
}

/** When more of the corpus's tokens than this have changed, it is absorbed anew. */
const consolidateShare = 0.15;
/** Or when more of the questions than this have. */
const consolidateQuestionShare = 0.5;
/** Of what an unfinished absorption has learned; where more changed, there is nothing to keep by replaying it. */
const mostRefreshedShare = 0.5;
/** Or when refreshing has cost so much of the share that was predicted right after everything was absorbed. */
const forgottenShare = 0.05;

/** Null where only edits are asked for, and there are none or more than a refresh is for. */
export function planAbsorption(situation: Situation): AbsorptionPlan | null {
  const { current, ledger, interrupted, request } = situation;
  const { editsOnly = false } = request;
  const isUnfinished = current?.version.note.whole === false;
  if (current === null) return editsOnly ? null : everything(situation, emptyLedger(), null);
  if (isUnfinished) {
    return refreshOfLearned(situation, current) ?? (editsOnly ? null : everything(situation, ledger, null));
  }
  if (methodOf(request.method).has('consolidation') && asksForAll(situation, current)) {
    if (editsOnly) return null;
    const goesOn = interrupted?.work === 'full' ? interrupted : null;
    return everything({ ...situation, current: null, interrupted: goesOn }, emptyLedger(), current);
  }
  return refresh(situation, current);
}

function asksForAll({ repository, lessons, ledger }: Situation, { version: { note } }: LoadedVersion): boolean {
  const forgotten = Number(note.absorbedWhole ?? 0) - Number(note.absorbed ?? 0);
  if (forgotten > forgottenShare) return true;
  if (unlearnedTokens(ledger, repository) > consolidateShare * repository.tokenCount) return true;
  const questions = lessons.filter(({ kind }) => kind === 'question');
  const { fresh } = planLessons(ledger, questions, repository.tokens);
  return fresh.length > consolidateQuestionShare * questions.length;
}

function unlearnedTokens(ledger: Ledger, { tokens }: Repository): number {
  let unlearned = 0;
  for (const [path, ids] of tokens) {
    for (const { from, to } of unlearnedSpans(ledger, path, ids)) unlearned += to - from;
  }
  return unlearned;
}

/** About how many tokens an absorption has to learn, of everything where it is absorbed anew: what its time goes by. */
export function tokensToLearn(ledger: Ledger, repository: Repository): number {
  const unlearned = unlearnedTokens(ledger, repository);
  if (unlearned > consolidateShare * repository.tokenCount) return repository.tokenCount;
  // What vanished is told, too.
  return unlearned === 0 && dirtyPaths(ledger, repository.documents).length > 0 ? 1 : unlearned;
}

/**
 * Everything, from the start or from where an absorption ended early, also one of an earlier tree. `learned`: what an
 * unfinished version of it has learned.
 */
function everything(situation: Situation, learned: Ledger, replaces: LoadedVersion | null): AbsorptionPlan {
  const { recipe, layout, request, repository, lessons, current } = situation;
  const { tree } = repository;
  const interrupted = situation.interrupted?.work === 'full' ? situation.interrupted : null;
  const isSameTree = interrupted?.tree === tree;
  const seed = interrupted?.seed ?? request.seed ?? 1;
  const plan = planLessons(learned, lessons, repository.tokens);
  // The same batches again need the same lessons: those of this tree, and, where some were left out, of this ledger.
  const hasVersion = (current?.version.version ?? null) === (interrupted?.version ?? null);
  const goesOnInEpoch = isSameTree && (!interrupted.leavesOutKnown || hasVersion);
  const leavesOutKnown = goesOnInEpoch ? interrupted.leavesOutKnown : current !== null;
  // Who asks for passes gets passes.
  const byParts = interrupted?.byParts ?? request.epochs === undefined;
  const known = new Set(leavesOutKnown ? plan.known : []);
  const curriculum = fullCurriculum(lessons, recipe, { known, byParts });
  const budget = fullBudget(recipe, request);
  budget.epochs += curriculum.epochsOfParts;
  let from = interrupted?.position ?? startPosition;
  if (interrupted?.isSpent) {
    budget.epochs += Math.max(0, from.epoch - curriculum.epochsOfParts);
    from = { ...from, seconds: 0, trainedTokens: 0 };
  }
  if (!goesOnInEpoch) {
    // What is new has to be visited whole.
    const epoch = curriculum.roundsBegin(Math.min(from.epoch, budget.epochs - 1));
    from = { ...from, epoch, batch: 0, visited: isSameTree ? from.visited : 'nothing' };
  }
  const visited = isSameTree && from.visited === 'everything' ? lessons : [];
  return {
    work: 'full',
    replaces,
    curriculum,
    settings: { ...recipe.full, seed },
    budget,
    state: interrupted?.state ?? newState(current?.vector ?? initialAdapter(layout, seed)),
    from,
    leavesOutKnown,
    byParts,
    begun: goesOnInEpoch && from.batch > 0 ? { epoch: from.epoch, written: interrupted.written } : null,
    before: withKnown(learned, [...plan.known, ...visited]),
    fresh: plan.fresh,
    rest: null,
  };
}

/** The new lessons among known ones, from the current version on, until the new ones are known. */
function refresh(situation: Situation, current: LoadedVersion): AbsorptionPlan {
  const { text, recipe, request, repository, lessons, ledger, interrupted, snapshot } = situation;
  const { fresh, known } = planLessons(ledger, lessons, repository.tokens);
  const told = changeFacts(ledger.snapshot, snapshot).flatMap(
    (fact) => questionLesson(text, fact, recipe.answerWeight, recipe.refresh.shape.length) ?? [],
  );
  const isOfThis =
    interrupted?.work === 'refresh' &&
    interrupted.tree === repository.tree &&
    interrupted.version === current.version.version;
  const from = isOfThis ? interrupted.position : startPosition;
  const learned = from.epoch > 0 ? fresh : [];
  const all = [...fresh, ...told];
  return {
    work: 'refresh',
    replaces: null,
    curriculum: refreshCurriculum({ fresh: all, known }),
    settings: { ...recipe.refresh, seed: isOfThis ? interrupted.seed : (request.seed ?? 1) },
    budget: refreshBudget(recipe, request),
    state: isOfThis ? interrupted.state : newState(current.vector),
    from,
    leavesOutKnown: false,
    byParts: false,
    begun: isOfThis && from.batch > 0 ? { epoch: from.epoch, written: interrupted.written } : null,
    before: withKnown(ledger, [...known, ...learned]),
    fresh: all,
    rest: null,
  };
}

/**
 * Of documents that an unfinished absorption has learned and that changed since: they are refreshed before it goes on, which
 * takes seconds, and not when their turn comes. Null where there is none, or where they are most of what was learned.
 */
function refreshOfLearned(situation: Situation, current: LoadedVersion): AbsorptionPlan | null {
  const { repository, lessons, ledger, interrupted } = situation;
  const hashes = new Map(repository.documents.map(({ path, hash }) => [path, hash]));
  // Of each changed document the kinds of lessons that it was learned with: its questions may not have had their turn.
  const changed = new Set<string>();
  for (const [key, { path }] of ledger.lessons) {
    if (ledger.documents.get(path)?.hash !== hashes.get(path)) changed.add(`${key.split(' ', 1)[0]} ${path}`);
  }
  const known = new Set(planLessons(ledger, lessons, repository.tokens).known);
  const asked = lessons.filter((lesson) => known.has(lesson) || changed.has(`${lesson.kind} ${lesson.path}`));
  const fresh = asked.length - known.size;
  if (fresh === 0 || fresh > mostRefreshedShare * asked.length) return null;
  const plan = refresh({ ...situation, lessons: asked, interrupted: null }, current);
  return { ...plan, rest: { from: interrupted?.work === 'full' ? interrupted : null } };
}

/** What is asked for is what a full absorption takes. */
export function fullBudget(
  { fullBudget: usual }: Recipe,
  { epochs, minutes }: Pick<AbsorbRequest, 'epochs' | 'minutes'>,
): LiftBudget {
  if (epochs === undefined && minutes === undefined) return { ...usual };
  const most = Number.POSITIVE_INFINITY;
  return { epochs: epochs ?? most, minutes: minutes ?? most, smallestGain: -1, enough: 2 };
}

/** A refresh takes no more of what is asked for than it needs. */
function refreshBudget({ refreshBudget: usual }: Recipe, { epochs, minutes }: AbsorbRequest): LiftBudget {
  return {
    ...usual,
    epochs: Math.min(epochs ?? usual.epochs, usual.epochs),
    minutes: Math.min(minutes ?? usual.minutes, usual.minutes),
  };
}

export function newState(vector: Float32Array): TrainerState {
  return { vector, first: new Float32Array(vector.length), second: new Float32Array(vector.length), step: 0 };
}
