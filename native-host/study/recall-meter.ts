/**
 * How much of each document is predicted right, without measuring a large corpus whole each time: some documents are
 * measured, of the others a random sample is, and what was known of them before is corrected by what the sample shows.
 */
import { shuffled, uniformNumbers } from '../model/random.ts';
import type { ModelText } from '../train/items.ts';
import {
  type Measurable,
  measureItems,
  recallCount,
  recallItem,
  recallStarts,
  type Stop,
  shareRight,
  type TokenCount,
} from '../train/measure.ts';
import type { TrainingItem } from '../train/packing.ts';
import type { Recipe } from '../train/recipe.ts';
import type { Repository } from './repository.ts';

/** What was known of each document before it is measured again: the share of its tokens that is predicted right. */
export type PriorShares = ReadonlyMap<string, number>;

/** Tokens of samples that are predicted right, and how many the prior shares had promised. */
const noSample = { correct: 0, promised: 0 };

/** Training goes on between samples: each counts half as much as the one after it. */
const weightOfSampleBefore = 0.5;

export class RecallMeter {
  private readonly measured = new Map<string, { count: TokenCount; step: number }>();
  /** All that were taken since every document was measured. */
  private sample = noSample;
  private taken = 0;

  constructor(
    private readonly text: ModelText,
    private readonly repository: Pick<Repository, 'tokens'>,
    private readonly recipe: Recipe,
    private readonly seed: number,
  ) {}

  /**
   * Measures documents whole, one after another. `step`: of the training, which says what is newest. Returns the share
   * predicted right of those that were reached before a stop.
   */
  async measureWhole(model: Measurable, paths: readonly string[], step: number, stop: Stop): Promise<number> {
    const counts = await this.measure(model, this.segmentsOf(paths), stop);
    let reached = 0;
    for (const path of paths) {
      const count = counts.get(path) ?? { correct: 0, counted: 0, nll: 0 };
      if (count.counted !== this.countedIn(path)) continue;
      reached += 1;
      this.measured.set(path, { count, step });
    }
    // Then samples from before have nothing left to correct.
    if (reached === this.repository.tokens.size) this.sample = noSample;
    return shareRight(counts.values());
  }

  /** Whether nothing was trained since every document was measured. */
  isMeasuredAt(step: number): boolean {
    return [...this.repository.tokens.keys()].every((path) => this.measured.get(path)?.step === step);
  }

  /** Measures random segments of these documents, about so many tokens. Returns the share predicted right. */
  async measureSample(
    model: Measurable,
    paths: readonly string[],
    tokens: number,
    priors: PriorShares,
    stop: Stop,
  ): Promise<number> {
    const counts = await this.measure(model, this.sampleOf(paths, tokens, this.uniform()), stop);
    this.keepSample(counts, priors);
    return shareRight(counts.values());
  }

  /** The share predicted right in a sample that is the same each time: to compare models or epochs with. */
  async compare(model: Measurable, paths: readonly string[], tokens: number, stop: Stop): Promise<number> {
    const counts = await this.measure(model, this.sampleOf(paths, tokens, uniformNumbers(this.seed)), stop);
    return shareRight(counts.values());
  }

  /** What is known now: documents measured at `step` as they were, all others by their prior share, corrected. */
  counts(priors: PriorShares, step: number): Map<string, Pick<TokenCount, 'correct' | 'counted'>> {
    const counts = new Map<string, Pick<TokenCount, 'correct' | 'counted'>>();
    const factor = this.correction();
    for (const path of this.repository.tokens.keys()) {
      const measured = this.measured.get(path);
      const counted = this.countedIn(path);
      if (measured?.step === step) counts.set(path, measured.count);
      else counts.set(path, { correct: Math.min(counted, counted * this.prior(path, priors) * factor), counted });
    }
    return counts;
  }

  /** By how much the prior shares have to be multiplied to be right on average. */
  private correction(): number {
    const { correct, promised } = this.sample;
    return promised === 0 ? 1 : correct / promised;
  }

  /** What was measured in this training counts more than what is known from before or from training itself. */
  private prior(path: string, priors: PriorShares): number {
    const count = this.measured.get(path)?.count;
    return count !== undefined && count.counted > 0 ? count.correct / count.counted : (priors.get(path) ?? 0);
  }

  /** Documents of which nothing was known say nothing about how far what was known is off. */
  private keepSample(counts: ReadonlyMap<unknown, TokenCount>, priors: PriorShares): void {
    const sample = { ...noSample };
    for (const [path, { correct, counted }] of counts) {
      const prior = this.prior(path as string, priors);
      if (prior === 0) continue;
      sample.correct += correct;
      sample.promised += prior * counted;
    }
    if (sample.promised === 0) return;
    sample.correct += weightOfSampleBefore * this.sample.correct;
    sample.promised += weightOfSampleBefore * this.sample.promised;
    this.sample = sample;
  }

  private measure(model: Measurable, items: Iterable<TrainingItem>, stop: Stop): Promise<Map<unknown, TokenCount>> {
    return measureItems(model, items, this.recipe.full.shape, stop);
  }

  /** One after another, as they are asked for: a large corpus need not be in memory as items. */
  private *segmentsOf(paths: readonly string[]): Generator<TrainingItem> {
    const { segmentLength } = this.recipe;
    for (const path of paths) {
      const tokens = this.repository.tokens.get(path)!;
      for (const start of recallStarts(tokens.length, segmentLength)) {
        yield recallItem(this.text, path, tokens, start, segmentLength);
      }
    }
  }

  private *sampleOf(paths: readonly string[], tokens: number, uniform: () => number): Generator<TrainingItem> {
    const { segmentLength } = this.recipe;
    const places = paths.flatMap((path) =>
      recallStarts(this.repository.tokens.get(path)!.length, segmentLength).map((start) => ({ path, start })),
    );
    for (const { path, start } of shuffled(places, uniform).slice(0, Math.ceil(tokens / segmentLength))) {
      yield recallItem(this.text, path, this.repository.tokens.get(path)!, start, segmentLength);
    }
  }

  private countedIn(path: string): number {
    return recallCount(this.repository.tokens.get(path)!.length, this.recipe.segmentLength);
  }

  /** Each sample is another one. */
  private uniform(): () => number {
    this.taken += 1;
    return uniformNumbers(this.seed + 7919 * this.taken);
  }
}
