/** Trains one adapter for an evaluation, and measures on the way how much it knows. */
import { adapterLayout, initialAdapter } from '../../model/adapter-init.ts';
import type { BaseModel } from '../../model/open-model.ts';
import type { Device } from '../../runtime/device.ts';
import { type LiftBudget, type LiftControl, type LiftPosition, lift, startPosition } from '../../train/lift.ts';
import type { Lesson } from '../../train/material.ts';
import type { Measurable } from '../../train/measure.ts';
import type { Recipe } from '../../train/recipe.ts';
import { startState, Trainer } from '../../train/trainer.ts';
import { fullBudget } from '../absorption-plan.ts';
import { fullCurriculum } from '../curriculum.ts';
import type { Method } from '../method.ts';
import type { Adapter } from '../probe.ts';
import { Teaching, type TeachingMaterial } from '../teaching.ts';
import type { CurvePoint, TrainingResult } from './eval-result.ts';

export interface TrainingBudget {
  /** As `lift absorb` takes them; the recipe's own where both are missing. */
  minutes?: number;
  epochs?: number;
  steps?: number;
  seed: number;
}

export interface TrainingWatch {
  signal: AbortSignal;
  /** 0 to 1. */
  onProgress(done: number, loss: number): void;
  /** Share of the probes that are answered exactly; what it takes is no training time. */
  measureProbes(model: Measurable): Promise<number>;
}

export interface TrainedAdapter {
  adapter: Adapter;
  training: Pick<
    TrainingResult,
    'parameters' | 'steps' | 'trainedTokens' | 'seconds' | 'cpuSeconds' | 'curve' | 'losses'
  >;
}

/** Shares of the budget at which the probes are measured; they are measured at its end too. */
const measuredShares = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4];
const mostLosses = 200;

/** Errors: the signal's reason where it aborts; what the device gives. */
export async function trainAdapter(
  device: Device,
  model: BaseModel,
  lessons: readonly Lesson[],
  { method, ...taught }: Omit<TeachingMaterial, 'clock'> & { method: Method },
  budget: TrainingBudget,
  watch: TrainingWatch,
): Promise<TrainedAdapter> {
  const { seed } = budget;
  const { recipe } = taught;
  const { optimizer } = recipe;
  const layout = adapterLayout(model.config, recipe.adapter);
  const curve: CurvePoint[] = [];
  const losses: TrainingResult['losses'] = [];
  let measuringMs = 0;
  let measuringCpu = 0;
  const clock = () => performance.now() - measuringMs;
  let done = 0;
  let loss = Number.NaN;
  const opened = clock();
  const cpuBefore = cpuSeconds();
  const teaching = await Teaching.open(device, model, method, { ...taught, clock }, watch.signal);
  const from = { ...startPosition, seconds: (clock() - opened) / 1000 };
  const trainer = await Trainer.open(device, model, layout, startState(initialAdapter(layout, seed), optimizer), {
    optimizer,
  });
  const measure = async ({ seconds, trainedTokens }: LiftPosition) => {
    const started = performance.now();
    const cpuStarted = cpuSeconds();
    const exactMatch = await watch.measureProbes(trainer);
    curve.push({ seconds, steps: trainer.step, trainedTokens, exactMatch });
    measuringMs += performance.now() - started;
    measuringCpu += cpuSeconds() - cpuStarted;
  };
  try {
    await measure(startPosition);
    const curriculum = fullCurriculum(lessons, recipe, { byParts: budget.epochs === undefined });
    const allowed = budgetOf(recipe, budget);
    allowed.epochs += curriculum.epochsOfParts;
    const control: LiftControl = {
      signal: watch.signal,
      clock,
      whileRunning: () => Promise.resolve(),
      onProgress: (progress) => {
        ({ done, loss } = progress);
        watch.onProgress(done, loss);
      },
      onStep: async (now) => {
        await teaching.betweenSteps(now.seconds, watch.signal);
        losses.push({ seconds: now.seconds, step: trainer.step, loss });
        if (done >= (measuredShares[curve.length - 1] ?? Number.POSITIVE_INFINITY)) await measure(now);
      },
      onTrained: () => undefined,
      onPassed: () => undefined,
      // A budget that is asked for is spent, so nobody has to know whether another epoch would gain little.
      measureRecall: () => Promise.resolve(0),
    };
    const lessonsOfEpochs = teaching.curriculum(curriculum, null);
    const { position } = await lift(trainer, lessonsOfEpochs, { ...recipe.full, seed }, allowed, control, from);
    watch.signal.throwIfAborted();
    await measure(position);
    const { vector } = await trainer.state();
    const { seconds, trainedTokens } = position;
    const training = {
      parameters: layout.length,
      steps: trainer.step,
      trainedTokens,
      seconds,
      cpuSeconds: cpuSeconds() - cpuBefore - measuringCpu,
      curve,
      losses: thinned(losses),
    };
    return { adapter: { layout, vector }, training };
  } finally {
    await teaching.close();
    await trainer.close();
  }
}

function budgetOf(recipe: Recipe, { seed: _, steps, ...rest }: TrainingBudget): LiftBudget {
  if (steps === undefined) return fullBudget(recipe, rest);
  // Who asks for steps gets them, however long they take.
  return { ...fullBudget(recipe, { minutes: Number.POSITIVE_INFINITY, ...rest }), steps };
}

/** Of this process, all its threads together. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** At most so many, evenly spread, the last one among them. */
function thinned<T>(points: readonly T[]): T[] {
  const every = Math.max(1, Math.ceil(points.length / mostLosses));
  return points.filter((_, i) => (points.length - 1 - i) % every === 0);
}
