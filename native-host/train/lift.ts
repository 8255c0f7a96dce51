/**
 * LIFT itself: the corpus is fine-tuned into an adapter, segments first and then segments and questions together, with
 * one optimizer. Sources: Mao et al., "LIFT: Improving Long Context Understanding Through Long Input Fine-Tuning".
 */
import { shuffled, uniformNumbers } from '../model/random.ts';
import type { Lesson } from './material.ts';
import { type PackedBatch, pack } from './packing.ts';
import type { BatchShape } from './program.ts';
import type { Trainer } from './trainer.ts';

export interface LiftSettings {
  shape: BatchShape;
  /** Batches whose gradients make one optimizer step. */
  batchesPerStep: number;
  learningRate: number;
  /** The learning rate falls linearly to this share of itself. */
  lastRate: number;
  /** Share of the budget that is spent on segments alone. */
  segmentShare: number;
  /** How often each question is asked in an epoch of the second stage, in other wordings. */
  wordingsPerEpoch: number;
  seed: number;
}

export interface LiftBudget {
  /** Passes over the segments. */
  epochs: number;
  /** Whatever comes first. */
  minutes: number;
  /** Ends early when an epoch raises the measured share of tokens predicted right by less than this. */
  smallestGain: number;
}

/** Where an interrupted absorption goes on. */
export interface LiftPosition {
  epoch: number;
  /** Batches of that epoch that are done. */
  batch: number;
  /** Whether this epoch is of the second stage. */
  withQuestions: boolean;
  /** Of training, all sessions together. */
  seconds: number;
  trainedTokens: number;
  /** The last measurement. */
  recall: number;
}

export interface LiftProgress {
  stage: 'segments' | 'questions' | 'measuring';
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
  /** Resolves at once, or when a pause ends. */
  whileRunning(): Promise<void>;
  onProgress(progress: LiftProgress): void;
  /** Called between steps; may save. */
  onStep(position: LiftPosition): Promise<void>;
  /** What a batch's items cost, for the ledger. */
  onTrained(lesson: Lesson, loss: number): void;
  /** Share of the corpus's tokens that are predicted right now; asked after each epoch. */
  measureRecall(): Promise<number>;
}

export interface LiftResult {
  end: 'budget' | 'saturated' | 'cancelled';
  position: LiftPosition;
}

export const startPosition: LiftPosition = {
  epoch: 0,
  batch: 0,
  withQuestions: false,
  seconds: 0,
  trainedTokens: 0,
  recall: 0,
};

/** Trains until the budget is spent, another epoch gains too little, or the signal aborts. */
export async function lift(
  trainer: Trainer,
  lessons: readonly Lesson[],
  settings: LiftSettings,
  budget: LiftBudget,
  control: LiftControl,
  from: LiftPosition = startPosition,
): Promise<LiftResult> {
  const position = { ...from };
  const segments = lessons.filter(({ kind }) => kind === 'segment');
  let loss = Number.NaN;
  for (; position.epoch < budget.epochs; position.epoch += 1, position.batch = 0) {
    if (position.batch === 0) {
      const firstStage = shareDone(position, 1, budget) < settings.segmentShare && segments.length > 0;
      position.withQuestions = !firstStage && segments.length < lessons.length;
    }
    const batches = epochBatches(position.withQuestions ? lessons : segments, settings, position.epoch);
    while (position.batch < batches.length) {
      await control.whileRunning();
      if (control.signal.aborted) return { end: 'cancelled', position };
      const done = shareDone(position, batches.length, budget);
      if (done >= 1) return { end: 'budget', position };
      const group = batches.slice(position.batch, position.batch + settings.batchesPerStep);
      const started = performance.now();
      const stepLoss = await takeStep(trainer, group, learningRate(settings, done, trainer.step), control);
      const seconds = (performance.now() - started) / 1000;
      loss = Number.isNaN(loss) ? stepLoss : 0.95 * loss + 0.05 * stepLoss;
      position.batch += group.length;
      position.seconds += seconds;
      position.trainedTokens += sum(group, ({ trainedTokens }) => trainedTokens);
      control.onProgress({
        stage: position.withQuestions ? 'questions' : 'segments',
        epoch: position.epoch,
        step: trainer.step,
        loss,
        tokensPerSecond: sum(group, ({ ids }) => ids.length) / seconds,
        done,
        secondsLeft: done > 0 ? (position.seconds * (1 - done)) / done : Number.NaN,
        recall: position.recall,
      });
      await control.onStep({ ...position });
    }
    const before = position.recall;
    position.recall = await control.measureRecall();
    const settled = position.withQuestions || segments.length === lessons.length;
    if (settled && position.epoch > 0 && position.recall - before < budget.smallestGain) {
      return { end: 'saturated', position };
    }
  }
  return { end: 'budget', position };
}

/** The batches of an epoch: the same for the same lessons, settings and number. */
function epochBatches(lessons: readonly Lesson[], settings: LiftSettings, epoch: number): PackedBatch[] {
  const uniform = uniformNumbers(settings.seed * 100_003 + epoch);
  const visits = lessons.flatMap((lesson) =>
    Array.from({ length: lesson.kind === 'question' ? settings.wordingsPerEpoch : 1 }, () => lesson),
  );
  const items = shuffled(visits, uniform).map((lesson) => ({ ...lesson.item(uniform()), source: lesson }));
  return pack(items, settings.shape);
}

/** Share of the budget that is spent, by epochs or by time, whichever is more. */
function shareDone({ epoch, batch, seconds }: LiftPosition, batches: number, { epochs, minutes }: LiftBudget): number {
  return Math.max((epoch + batch / batches) / epochs, seconds / 60 / minutes);
}

/** Warm-up over twenty steps, then a linear fall to `lastRate`. */
function learningRate({ learningRate: peak, lastRate }: LiftSettings, done: number, step: number): number {
  return peak * Math.min(1, (step + 1) / 20) * (1 - (1 - lastRate) * done);
}

/** Returns the step's mean loss. */
async function takeStep(
  trainer: Trainer,
  group: readonly PackedBatch[],
  rate: number,
  control: LiftControl,
): Promise<number> {
  const totalWeight = sum(group, (batch) => batch.totalWeight);
  let loss = 0;
  for (const batch of group) {
    const result = await trainer.accumulate(batch, totalWeight);
    loss += result.loss * (batch.totalWeight / totalWeight);
    for (const { item, start } of batch.placed) {
      control.onTrained(item.source as Lesson, meanLoss(result.perToken, batch.weights, start, item.tokens.length));
    }
  }
  await trainer.takeStep(rate);
  return loss;
}

function meanLoss(perToken: Float32Array, weights: Float32Array, start: number, length: number): number {
  let total = 0;
  let count = 0;
  for (let i = start; i < start + length; i++) {
    if (weights[i] === 0) continue;
    total += perToken[i]!;
    count += 1;
  }
  return total / Math.max(1, count);
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
