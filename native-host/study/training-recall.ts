/** What is measured around a training, and when: after each epoch, now and then within one, and at its end. */
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import type { LoadedVersion } from '../store/version-file.ts';
import type { LiftResult } from '../train/lift.ts';
import type { Lesson } from '../train/material.ts';
import { type Stop, shareRight } from '../train/measure.ts';
import type { Recipe } from '../train/recipe.ts';
import type { Trainer } from '../train/trainer.ts';
import type { AbsorptionPlan } from './absorption-plan.ts';
import { priorShares } from './prior-shares.ts';
import { openMeasurable } from './probe.ts';
import { type PriorShares, RecallMeter } from './recall-meter.ts';
import type { Repository } from './repository.ts';
import type { Visits } from './visits.ts';

/** A corpus of up to so many tokens is measured whole each time; of a larger one so many tokens are. */
const wholeTokens = 60_000;
/** After a refresh so many tokens of what it did not touch. */
const untouchedTokens = 30_000;
/** Within an epoch so many, at most once in so many seconds, and for at most this share of the time. */
const sampleTokens = 12_000;
const defaultSecondsBetweenSamples = 20;
const sampleShare = 0.04;
/** Seconds. */
const shortestSample = 0.4;
/** The last measurement may take what is left of the budget, or this share of it. */
const measuringShare = 0.25;

export class TrainingRecall {
  /** Of the corpus, as far as it is known. */
  share: number;
  private readonly meter: RecallMeter;
  private readonly paths: readonly string[];
  private readonly fresh: ReadonlySet<Lesson>;
  private lastMeasured = performance.now();

  constructor(
    private readonly model: BaseModel,
    private readonly repository: Repository,
    private readonly recipe: Recipe,
    private readonly plan: AbsorptionPlan,
    private readonly visits: Visits,
    private readonly trainer: Trainer,
    private readonly signal: AbortSignal,
  ) {
    this.paths = repository.documents.map(({ path }) => path);
    this.fresh = new Set(plan.fresh);
    this.meter = new RecallMeter(model, repository, recipe, plan.settings.seed);
    this.share = shareRight(this.counts().values());
  }

  /** How much of each document is predicted right now. */
  counts() {
    return this.meter.counts(this.priors(), this.trainer.step);
  }

  /** For when an epoch takes long: what training itself saw just before each step is corrected by a sample. */
  async sampleNowAndThen(seconds = defaultSecondsBetweenSamples): Promise<void> {
    const passed = (performance.now() - this.lastMeasured) / 1000;
    if (passed < seconds) return;
    await this.sample(this.stopAfter(Math.max(shortestSample, sampleShare * passed)));
    this.lastMeasured = performance.now();
    this.share = shareRight(this.counts().values());
  }

  /** For when training was stopped: a short look at what it has come to. */
  async sampleAtStop(): Promise<void> {
    await this.sample(timeLimit(shortestSample));
  }

  /** The share of the corpus that is predicted right, of a large one by a sample that is the same after each epoch. */
  async measureAfterEpoch(): Promise<number> {
    this.share = this.isSmall
      ? await this.meter.measureWhole(this.trainer, this.paths, this.trainer.step, this.signal)
      : await this.meter.compare(this.trainer, this.paths, wholeTokens, this.signal);
    this.lastMeasured = performance.now();
    return this.share;
  }

  /**
   * Measures what was trained: after everything was absorbed within its budget the whole corpus, otherwise, where that is
   * large, what changed and a sample of the rest. `seconds`: of the budget that are spent.
   */
  async measureAtEnd(end: LiftResult['end'], seconds: number): Promise<void> {
    const { trainer, meter, paths, plan } = this;
    const { step } = trainer;
    const budget = 60 * plan.budget.minutes;
    const stop = this.stopAfter(Math.max(budget - seconds, measuringShare * budget));
    if (meter.isMeasuredAt(step)) return;
    const changed = new Set(plan.fresh.map(({ path }) => path));
    const known = this.knownPaths(this.priors());
    const untouched = known.filter((path) => !changed.has(path));
    const isRefresh = plan.work === 'refresh';
    if (this.isSmall || (isRefresh && this.tokensIn(untouched) <= untouchedTokens)) {
      await meter.measureWhole(trainer, paths, step, stop);
      return;
    }
    const sampled = isRefresh ? untouched : known;
    const size = isRefresh ? untouchedTokens : wholeTokens;
    await meter.measureSample(trainer, sampled, size, this.priors(), stop);
    const isInTime = end === 'saturated' || seconds < budget;
    if (isRefresh)
      await meter.measureWhole(
        trainer,
        paths.filter((path) => changed.has(path)),
        step,
        stop,
      );
    else if (isInTime) await meter.measureWhole(trainer, paths, step, stop);
  }

  /** Whether what was trained predicts at least as much of the corpus right as a version does. */
  async isBetterThan(version: LoadedVersion, device: Device): Promise<boolean> {
    const { meter, paths, signal } = this;
    const now = await meter.compare(this.trainer, paths, wholeTokens, signal);
    const measurable = await openMeasurable(device, this.model, version, this.recipe.full.shape);
    try {
      const before = await meter.compare(measurable, paths, wholeTokens, signal);
      return !signal.aborted && now >= before;
    } finally {
      await measurable.close();
    }
  }

  private async sample(stop: Stop): Promise<void> {
    const priors = this.priors();
    await this.meter.measureSample(this.trainer, this.knownPaths(priors), sampleTokens, priors, stop);
  }

  private get isSmall(): boolean {
    return this.repository.tokenCount <= wholeTokens;
  }

  private priors(): PriorShares {
    const { before, lessons, byLesson } = this.visits;
    return priorShares(before, lessons, this.fresh, byLesson);
  }

  private knownPaths(priors: PriorShares): string[] {
    return this.paths.filter((path) => (priors.get(path) ?? 0) > 0);
  }

  private tokensIn(paths: readonly string[]): number {
    return paths.reduce((total, path) => total + this.repository.tokens.get(path)!.length, 0);
  }

  private stopAfter(seconds: number): Stop {
    const limit = timeLimit(seconds);
    const { signal } = this;
    return {
      get aborted() {
        return signal.aborted || limit.aborted;
      },
    };
  }
}

function timeLimit(seconds: number): Stop {
  const end = performance.now() + 1000 * seconds;
  return {
    get aborted() {
      return performance.now() > end;
    },
  };
}
