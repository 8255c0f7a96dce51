/**
 * LIFT itself: the corpus is fine-tuned into an adapter, segments and questions together, with one optimizer. Source: Mao et
 * al., "LIFT: Improving Long Context Understanding Through Long Input Fine-Tuning", which has a stage of segments alone before.
 */
import { setImmediate } from 'node:timers/promises';
import { shuffled, uniformNumbers } from '../model/random.ts';
import type { Lesson } from './material.ts';
import { countTokens, type TokenCount } from './measure.ts';
import { type PackedBatch, packed } from './packing.ts';
import type { BatchShape } from './program.ts';
import type { Trainer } from './trainer.ts';

export interface LiftSettings {
  shape: BatchShape;
  /** Batches whose gradients make one optimizer step. */
  batchesPerStep: number;
  learningRate: number;
  /** Over so many steps the learning rate rises. */
  warmUpSteps: number;
  /** The learning rate falls to this share of itself. */
  lastRate: number;
  /**
   * Over what it falls. Over the budget: linearly. Over each epoch: with the square of what is done of it, from the start again in the next; for a
   * training that ends after whichever epoch has taught enough, and would otherwise stop at a high rate, which costs what was known before.
   */
  annealing: 'budget' | 'epoch';
  seed: number;
}

/** What is visited in an epoch, a lesson several times if it is asked in several wordings. */
export interface EpochVisits {
  visits: readonly Lesson[];
  /** Whether to go through them as they come; otherwise they are shuffled. */
  inOrder: boolean;
  /** Whether nothing is left out: only such an epoch can be the last one. */
  isWhole: boolean;
}

export interface Curriculum {
  epoch(number: number, uniform: () => number): EpochVisits;
}

export interface LiftBudget {
  /** Passes over the segments. */
  epochs: number;
  /** Whatever comes first. */
  minutes: number;
  /** Of the optimizer, since the adapter was empty; the same on every machine. None where missing. */
  steps?: number;
  /** Ends early when an epoch raises the measured share of tokens predicted right by less than this. */
  smallestGain: number;
  /** Ends early when the measured share has reached this. */
  enough: number;
  /** Ends early when the measured share has reached `share` and so many epochs in a row came to no more than the best before. */
  patience?: { share: number; epochs: number };
}

/** Where an interrupted absorption goes on. */
export interface LiftPosition {
  epoch: number;
  /** Batches of that epoch that are done. */
  batch: number;
  /** What an epoch that was gone through to its end has visited. */
  visited: 'nothing' | 'everything';
  /** Of training, measuring and saving, all sittings together. */
  seconds: number;
  trainedTokens: number;
  /** The last measurement. */
  recall: number;
}

export interface LiftProgress {
  epoch: number;
  step: number;
  /** Running mean of the loss. */
  loss: number;
  tokensPerSecond: number;
  /** 0 to 1. */
  done: number;
  secondsLeft: number;
  recall: number;
}

export interface LiftControl {
  signal: AbortSignal;
  /** In milliseconds: what the budget's minutes are counted with. */
  clock(): number;
  /** Resolves at once, or when a pause ends. */
  whileRunning(): Promise<void>;
  onProgress(progress: LiftProgress): void;
  /** Called between steps; may save and measure. Its time counts. */
  onStep(position: LiftPosition): Promise<void>;
  /** How a lesson went, just before it was trained: Σ −log p and right predictions of the tokens that carry loss. */
  onTrained(lesson: Lesson, count: TokenCount): void;
  /** A lesson of an epoch that is gone on with: it was trained before. */
  onPassed(lesson: Lesson): void;
  /** Share of the corpus's tokens that are predicted right now; asked after each whole epoch. */
  measureRecall(): Promise<number>;
}

export interface LiftResult {
  end: 'budget' | 'saturated' | 'cancelled';
  position: LiftPosition;
}

export const startPosition: LiftPosition = {
  epoch: 0,
  batch: 0,
  visited: 'nothing',
  seconds: 0,
  trainedTokens: 0,
  recall: 0,
};

/** Trains until the budget is spent, another epoch gains too little, or the signal aborts. */
export async function lift(
  trainer: Trainer,
  curriculum: Curriculum,
  settings: LiftSettings,
  budget: LiftBudget,
  control: LiftControl,
  from: LiftPosition = startPosition,
): Promise<LiftResult> {
  const position = { ...from };
  const { patience = { share: Number.POSITIVE_INFINITY, epochs: 0 } } = budget;
  let best = position.recall;
  let epochsSinceBest = 0;
  let loss = Number.NaN;
  for (; position.epoch < budget.epochs; position.epoch += 1, position.batch = 0) {
    const epoch = await epochFrom(curriculum, settings, position, control);
    if (epoch.isEmpty && epoch.isWhole) return { end: 'saturated', position };
    while (epoch.share < 1) {
      await control.whileRunning();
      if (control.signal.aborted) return { end: 'cancelled', position };
      const doneOfEpoch = epoch.share;
      const done = shareDone(position, doneOfEpoch, trainer.step, budget);
      if (done >= 1) return { end: 'budget', position };
      const group = epoch.next(settings.batchesPerStep);
      const started = control.clock();
      const rate = learningRate(settings, done, doneOfEpoch, trainer.step);
      const stepLoss = await takeStep(trainer, group, rate, control);
      if (stepLoss === null) return { end: 'cancelled', position };
      const seconds = secondsSince(started, control);
      loss = Number.isNaN(loss) ? stepLoss : 0.95 * loss + 0.05 * stepLoss;
      position.batch += group.length;
      position.seconds += seconds;
      position.trainedTokens += sum(group, ({ trainedTokens }) => trainedTokens);
      control.onProgress({
        epoch: position.epoch,
        step: trainer.step,
        loss,
        tokensPerSecond: sum(group, ({ ids }) => ids.length) / seconds,
        done,
        secondsLeft: done > 0 ? (position.seconds * (1 - done)) / done : Number.NaN,
        recall: position.recall,
      });
      const stepped = control.clock();
      await control.onStep({ ...position });
      position.seconds += secondsSince(stepped, control);
    }
    if (!epoch.isWhole) {
      await control.onStep({ ...position, epoch: position.epoch + 1, batch: 0 });
      continue;
    }
    position.visited = 'everything';
    const before = position.recall;
    const started = control.clock();
    position.recall = await control.measureRecall();
    position.seconds += secondsSince(started, control);
    // What was measured in part says nothing: going on measures again.
    if (control.signal.aborted) return { end: 'cancelled', position };
    await control.onStep({ ...position, epoch: position.epoch + 1, batch: 0 });
    const gainedLittle = position.epoch > 0 && position.recall - before < budget.smallestGain;
    epochsSinceBest = position.recall > best ? 0 : epochsSinceBest + 1;
    best = Math.max(best, position.recall);
    const isStuck = position.recall >= patience.share && epochsSinceBest >= patience.epochs;
    if (gainedLittle || isStuck || position.recall >= budget.enough) return { end: 'saturated', position };
  }
  return { end: 'budget', position };
}

interface Epoch {
  /** Whether there is nothing to visit in it. */
  isEmpty: boolean;
  isWhole: boolean;
  /** Of its visits that are in batches that were taken, 0 to 1. */
  readonly share: number;
  /** The next batches, at most so many. */
  next(count: number): PackedBatch[];
}

// Of batches that are made only to be passed over.
const batchesBetweenPauses = 50;

/**
 * An epoch from a position on. Its batches are made when they are asked for, and are the same for the same curriculum,
 * settings and number, so that an interrupted one is gone on with.
 */
async function epochFrom(
  curriculum: Curriculum,
  settings: LiftSettings,
  { epoch, batch }: LiftPosition,
  { onPassed }: LiftControl,
): Promise<Epoch> {
  const uniform = uniformNumbers(settings.seed * 100_003 + epoch);
  const { visits, inOrder, isWhole } = curriculum.epoch(epoch, uniform);
  const ordered = inOrder ? visits : shuffled(visits, uniform);
  const batches = packed(
    map(ordered, (lesson) => ({ ...lesson.item(uniform()), source: lesson })),
    settings.shape,
  );
  let taken = 0;
  const next = (count: number): PackedBatch[] => {
    const group: PackedBatch[] = [];
    while (group.length < count) {
      const { value } = batches.next();
      if (!value) break;
      taken += value.placed.length;
      group.push(value);
    }
    return group;
  };
  for (let passed = 0; passed < batch && taken < ordered.length; passed += 1) {
    for (const { placed } of next(1)) for (const { item } of placed) onPassed(item.source as Lesson);
    if (passed % batchesBetweenPauses === 0) await setImmediate();
  }
  return {
    isEmpty: ordered.length === 0,
    isWhole,
    get share() {
      return ordered.length === 0 ? 1 : taken / ordered.length;
    },
    next,
  };
}

function* map<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item);
}

/** Share of the budget that is spent, by epochs, time or steps, whichever is most. */
function shareDone(
  { epoch, seconds }: LiftPosition,
  ofEpoch: number,
  step: number,
  { epochs, minutes, steps = Number.POSITIVE_INFINITY }: LiftBudget,
): number {
  return Math.max((epoch + ofEpoch) / epochs, seconds / 60 / minutes, step / steps);
}

/** Warm-up, and the fall to `lastRate`. */
function learningRate(settings: LiftSettings, done: number, doneOfEpoch: number, step: number): number {
  const { learningRate: peak, warmUpSteps, lastRate, annealing } = settings;
  const fallen = annealing === 'epoch' ? Math.max(done, doneOfEpoch ** 2) : done;
  return peak * Math.min(1, (step + 1) / warmUpSteps) * (1 - (1 - lastRate) * fallen);
}

/** Returns the step's mean loss; null where it was cancelled, and then no step was taken. */
async function takeStep(
  trainer: Trainer,
  group: readonly PackedBatch[],
  rate: number,
  control: LiftControl,
): Promise<number | null> {
  const totalWeight = sum(group, (batch) => batch.totalWeight);
  let loss = 0;
  const trained: { lesson: Lesson; count: TokenCount }[] = [];
  for (const batch of group) {
    if (control.signal.aborted) return null;
    const result = await trainer.accumulate(batch, totalWeight);
    loss += result.loss * (batch.totalWeight / totalWeight);
    for (const { item, start } of batch.placed) {
      const count = countTokens(result, batch, start, item.tokens.length);
      trained.push({ lesson: item.source as Lesson, count });
    }
  }
  await trainer.takeStep(rate);
  for (const { lesson, count } of trained) control.onTrained(lesson, count);
  return loss;
}

function secondsSince(started: number, control: LiftControl): number {
  return (control.clock() - started) / 1000;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
