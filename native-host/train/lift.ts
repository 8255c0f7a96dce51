/**
 * LIFT itself: the corpus is fine-tuned into an adapter, segments first and then segments and questions together, with
 * one optimizer. Sources: Mao et al., "LIFT: Improving Long Context Understanding Through Long Input Fine-Tuning".
 */
import { shuffled, uniformNumbers } from '../model/random.ts';
import type { Lesson } from './material.ts';
import { countTokens, type TokenCount } from './measure.ts';
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
  seed: number;
}

/**
 * What is visited in an epoch, a lesson several times if it is asked in several wordings. The order matters where it
 * says so: an epoch in order goes through the lessons as they come, any other shuffles them.
 */
export interface Curriculum {
  /** Whether there are questions to go on to. */
  hasQuestions: boolean;
  hasSegments: boolean;
  epoch(number: number, withQuestions: boolean, uniform: () => number): { visits: readonly Lesson[]; inOrder: boolean };
}

export interface LiftBudget {
  /** Passes over the segments. */
  epochs: number;
  /** Whatever comes first. */
  minutes: number;
  /** Ends early when an epoch raises the measured share of tokens predicted right by less than this. */
  smallestGain: number;
  /** Ends early when the measured share has reached this. */
  enough: number;
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
  /** How a lesson went, just before it was trained: Σ −log p and right predictions of the tokens that carry loss. */
  onTrained(lesson: Lesson, count: TokenCount): void;
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
  curriculum: Curriculum,
  settings: LiftSettings,
  budget: LiftBudget,
  control: LiftControl,
  from: LiftPosition = startPosition,
): Promise<LiftResult> {
  const position = { ...from };
  let loss = Number.NaN;
  for (; position.epoch < budget.epochs; position.epoch += 1, position.batch = 0) {
    if (position.batch === 0) {
      const firstStage = shareDone(position, 1, budget) < settings.segmentShare && curriculum.hasSegments;
      position.withQuestions = !firstStage && curriculum.hasQuestions;
    }
    const batches = epochBatches(curriculum, settings, position);
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
    const settled = position.withQuestions || !curriculum.hasQuestions;
    const gainedLittle = position.epoch > 0 && position.recall - before < budget.smallestGain;
    if (settled && (gainedLittle || position.recall >= budget.enough)) return { end: 'saturated', position };
  }
  return { end: 'budget', position };
}

/** The batches of an epoch: the same for the same curriculum, settings and number. */
function epochBatches(
  curriculum: Curriculum,
  settings: LiftSettings,
  { epoch, withQuestions }: LiftPosition,
): PackedBatch[] {
  const uniform = uniformNumbers(settings.seed * 100_003 + epoch);
  const { visits, inOrder } = curriculum.epoch(epoch, withQuestions, uniform);
  const ordered = inOrder ? visits : shuffled(visits, uniform);
  return pack(
    ordered.map((lesson) => ({ ...lesson.item(uniform()), source: lesson })),
    settings.shape,
  );
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
      control.onTrained(item.source as Lesson, countTokens(result, batch, start, item.tokens.length));
    }
  }
  await trainer.takeStep(rate);
  return loss;
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
