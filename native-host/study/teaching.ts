/** What a method adds to a training: anchors, and self-study that is written in its pauses. */
import type { Document } from '../corpus/documents.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import type { Curriculum } from '../train/lift.ts';
import type { Lesson, ShownTexts } from '../train/material.ts';
import type { Recipe } from '../train/recipe.ts';
import { anchorLessons, withAnchors } from './anchors/anchors.ts';
import type { Method } from './method.ts';
import { StudyCache } from './self-study/cache.ts';
import { passagesOf, SelfStudy } from './self-study/self-study.ts';

export interface TeachingMaterial {
  documents: readonly Document[];
  /** Of each document, by path. */
  tokens: ReadonlyMap<string, Uint32Array>;
  recipe: Recipe;
  /** As questions are asked; nothing but the question without it. */
  shown?: ShownTexts | undefined;
  /** Where what the base writes is kept; null: nowhere. */
  cacheFolder: string | null;
  /** Of which documents the base writes, by path. */
  isStudied(path: string): boolean;
  /** In milliseconds. */
  clock(): number;
}

/** Where an epoch began that is gone on with, and how much was written by then. */
export interface EpochBegun {
  epoch: number;
  written: number;
}

/** Of the training's time so much is for writing, until all is written. */
const writingShare = 0.25;

export class Teaching {
  /** Lessons of self-study that the epoch under way has. */
  private inEpoch = 0;
  private writingSeconds = 0;
  /** Of earlier sittings. */
  private secondsBefore: number | null = null;

  private constructor(
    private readonly anchors: readonly Lesson[],
    private readonly study: SelfStudy | null,
    private readonly clock: () => number,
  ) {}

  /** Asks the base about anchors, and reads what it wrote before. Errors: the signal's reason where it aborts. */
  static async open(
    device: Device,
    model: BaseModel,
    method: Method,
    material: TeachingMaterial,
    signal: AbortSignal,
  ): Promise<Teaching> {
    const { recipe, clock } = material;
    const { length } = recipe.full.shape;
    const anchors = method.has('anchors') ? await anchorLessons(device, model, length, signal) : [];
    const study = method.has('self-study') ? await openStudy(device, model, method, material) : null;
    return new Teaching(anchors, study, clock);
  }

  /** How much self-study the epoch under way has: what going on with it has to be told. */
  get written(): number {
    return this.inEpoch;
  }

  /** The same curriculum with what is taught beside it. `begun`: the epoch that an interrupted training goes on with. */
  curriculum(plain: Curriculum, begun: EpochBegun | null): Curriculum {
    return withAnchors(this.withStudy(plain, begun), this.anchors);
  }

  /**
   * To be called between steps, after so many seconds of all sittings: the base writes until it had its share of the time.
   * What the signal cuts off is not kept.
   */
  async betweenSteps(seconds: number, signal: AbortSignal): Promise<void> {
    const { study, clock } = this;
    this.secondsBefore ??= seconds;
    const allowed = writingShare * (seconds - this.secondsBefore);
    while (study !== null && !study.isWritten && this.writingSeconds < allowed && !signal.aborted) {
      const started = clock();
      await study.writeNext(signal).catch((error: unknown) => {
        if (!signal.aborted || error !== signal.reason) throw error;
      });
      this.writingSeconds += (clock() - started) / 1000;
    }
  }

  async close(): Promise<void> {
    await this.study?.close();
  }

  private withStudy(plain: Curriculum, begun: EpochBegun | null): Curriculum {
    const { study } = this;
    if (study === null) return plain;
    const epoch: Curriculum['epoch'] = (number, uniform) => {
      const { visits, ...how } = plain.epoch(number, uniform);
      // What is written from now on is for the next epoch: this one can be gone on with as it began.
      this.inEpoch = begun?.epoch === number ? begun.written : study.lessons.length;
      const added = visits.length > 0 ? study.lessons.slice(0, this.inEpoch) : [];
      return { visits: [...visits, ...added], ...how };
    };
    return { epoch };
  }
}

async function openStudy(
  device: Device,
  model: BaseModel,
  method: Method,
  { documents, tokens, recipe, shown, isStudied, cacheFolder }: TeachingMaterial,
): Promise<SelfStudy> {
  const passages = passagesOf(documents, tokens, model.tokenizer, recipe.segmentLength);
  const cache = new StudyCache(cacheFolder, model.key);
  await cache.keepOnly(passages.map(({ hash }) => hash));
  const { length: rowLength } = recipe.full.shape;
  const form = { distills: method.has('distillation'), weight: recipe.answerWeight, rowLength, shown };
  const studied = passages.filter(({ path }) => isStudied(path));
  return SelfStudy.open(device, model, studied, cache, form);
}
