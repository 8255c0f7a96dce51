/** What an absorption trains: everything, or what changed; from the start, or from where another one stopped. */
import { toldFacts } from '../corpus/changes.ts';
import type { OptimizerSettings } from '../graph/ops/optimizer.ts';
import { initialAdapter } from '../model/adapter-init.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { LoadedVersion } from '../store/version-file.ts';
import { refreshMinutes } from '../train/corpus-recipe.ts';
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
import { startState, type TrainerState } from '../train/trainer.ts';
import type { AbsorbRequest } from './absorb.ts';
import { asksForConsolidation, mostRefreshedShare, unlearnedTokens } from './consolidation.ts';
import { fullCurriculum, isLargeRefresh, refreshCurriculum, roundsOver } from './curriculum.ts';
import type { Interrupted, Work } from './interrupted.ts';
import { emptyLedger, type Ledger, learnedOfKind, planLessons, withKnown } from './ledger.ts';
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
  /** What was trained anew must be better than the current version to take its place. */
  work: Work;
  curriculum: Curriculum;
  optimizer: OptimizerSettings;
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
  /** Of a refresh, those of `fresh` that were learned when that was last measured: its curriculum leaves them out. */
  learned: Set<Lesson>;
  /** The absorption that was not finished and goes on after this, from its checkpoint if there is one; null: none does. */
  rest: { from: Interrupted | null } | null;
  /** Whether the checkpoint that there is belongs to what goes on after this. */
  keepsCheckpoint: boolean;
}

/** What replays much of what is known may learn faster than what replays little. */
const fasterInLarge = 2;

/** Null where only edits are asked for, and there are none or more than a refresh is for. */
export function planAbsorption(situation: Situation): AbsorptionPlan | null {
  const { current, ledger, lessons, interrupted, repository, request } = situation;
  const { editsOnly = false } = request;
  if (current === null) return editsOnly ? null : everything(situation, emptyLedger());
  if (current.version.note.whole === false)
    return refreshOfLearned(situation, current) ?? (editsOnly ? null : everything(situation, ledger));
  const { note } = current.version;
  const goingOn = (work: Work) => ({ ...situation, interrupted: interrupted?.work === work ? interrupted : null });
  const isKnown = note.complete === true && note.tree === repository.tree;
  if (isKnown && asksForConsolidation(request, note))
    return { ...everything({ ...goingOn('anew'), current: null }, emptyLedger()), work: 'anew' };
  const { fresh } = planLessons(ledger, lessons, repository.tokens);
  const isMost = fresh.length > mostRefreshedShare * lessons.length;
  if (!isMost) return refresh(situation, current);
  return editsOnly ? null : everything(goingOn('full'), ledger);
}

/**
 * Everything, from the start or from where an absorption ended early, also one of an earlier tree. `learned`: what the
 * current version has learned of it.
 */
function everything(situation: Situation, learned: Ledger): AbsorptionPlan {
  const { recipe, layout, request, repository, lessons, current } = situation;
  const { tree } = repository;
  const interrupted = situation.interrupted?.work === 'refresh' ? null : situation.interrupted;
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
    curriculum,
    optimizer: recipe.optimizer,
    settings: { ...recipe.full, seed },
    budget,
    state: interrupted?.state ?? startState(current?.vector ?? initialAdapter(layout, seed), recipe.optimizer),
    from,
    leavesOutKnown,
    byParts,
    begun: goesOnInEpoch && from.batch > 0 ? { epoch: from.epoch, written: interrupted.written } : null,
    before: withKnown(learned, [...plan.known, ...visited]),
    fresh: plan.fresh,
    learned: new Set(),
    rest: null,
    keepsCheckpoint: false,
  };
}

/** The new lessons among known ones, from the current version on, until the new ones are known. */
function refresh(situation: Situation, current: LoadedVersion): AbsorptionPlan {
  const { text, recipe, request, repository, lessons, ledger, interrupted, snapshot } = situation;
  const { fresh, known } = planLessons(ledger, lessons, repository.tokens);
  const holding = new Set(lessons.map(({ key }) => key));
  const told = toldFacts(ledger.snapshot, snapshot, learnedOfKind(ledger, 'question'), holding).flatMap(
    (fact) => questionLesson(text, fact, recipe.answerWeight, recipe.refresh.shape.length) ?? [],
  );
  const isOfThis =
    interrupted?.work === 'refresh' &&
    interrupted.tree === repository.tree &&
    interrupted.version === current.version.version;
  let from = isOfThis ? interrupted.position : startPosition;
  const wasVisited = from.visited === 'everything';
  // An epoch after the first depends on what had been learned: it begins again, with everything.
  if (wasVisited) from = { ...from, batch: 0 };
  const learned = new Set<Lesson>();
  const all = [...fresh, ...told];
  const isLarge = isLargeRefresh({ fresh, known });
  const learningRate = recipe.refresh.learningRate * (isLarge ? fasterInLarge : 1);
  const rounds = isLarge ? roundsOver(recipe) : 1;
  const budget = refreshBudget(recipe, request, unlearnedTokens(ledger, repository));
  budget.epochs *= rounds;
  return {
    work: 'refresh',
    curriculum: refreshCurriculum({ fresh: all, known }, rounds, learned),
    optimizer: recipe.refreshOptimizer,
    settings: { ...recipe.refresh, learningRate, seed: isOfThis ? interrupted.seed : (request.seed ?? 1) },
    budget,
    state: isOfThis ? interrupted.state : startState(current.vector, recipe.refreshOptimizer),
    from,
    leavesOutKnown: false,
    byParts: false,
    begun: isOfThis && from.batch > 0 ? { epoch: from.epoch, written: interrupted.written } : null,
    before: withKnown(ledger, [...known, ...(wasVisited ? fresh : [])]),
    fresh: all,
    learned,
    rest: null,
    keepsCheckpoint: interrupted?.work === 'anew',
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
  return { ...plan, rest: { from: interrupted?.work === 'refresh' ? null : interrupted }, keepsCheckpoint: true };
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

/** A refresh takes no more of what is asked for than it needs. `tokens`: that are new. */
function refreshBudget(recipe: Recipe, { epochs, minutes }: AbsorbRequest, tokens: number): LiftBudget {
  const { refreshBudget: usual } = recipe;
  return {
    ...usual,
    epochs: Math.min(epochs ?? usual.epochs, usual.epochs),
    minutes: Math.min(minutes ?? Number.POSITIVE_INFINITY, refreshMinutes(recipe, tokens)),
  };
}
