/** Absorbing a folder: from what is on disk to a new version of its adapter, doing no more than the changes ask for. */
import { changeFacts, snapshotOf, type TreeSnapshot } from '../corpus/changes.ts';
import { adapterLayout, initialAdapter } from '../model/adapter-init.ts';
import type { AdapterKind } from '../model/adapter-layout.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import { StoreError } from '../store/store-error.ts';
import {
  type LiftBudget,
  type LiftPosition,
  type LiftProgress,
  type LiftResult,
  lift,
  startPosition,
} from '../train/lift.ts';
import { type Lesson, questionLesson } from '../train/material.ts';
import { measureItems, recallItems, type TokenCount } from '../train/measure.ts';
import { type Recipe, recipeFor } from '../train/recipe.ts';
import { Trainer, type TrainerState } from '../train/trainer.ts';
import { fullCurriculum, refreshCurriculum } from './curriculum.ts';
import {
  emptyLedger,
  type Ledger,
  type LessonPlan,
  ledgerOf,
  nextLedger,
  planLessons,
  readLedger,
  removeUnnamedLedgers,
  shareKnown,
  type Visit,
  writeLedger,
} from './ledger.ts';
import { chosenFacts, lessonsOf, type Repository, readRepository, scanCacheFile } from './repository.ts';

export interface AbsorbRequest {
  epochs?: number;
  minutes?: number;
  seed?: number;
  adapterKind?: AdapterKind;
}

export interface AbsorbReport extends Partial<LiftProgress> {
  phase: 'scan' | 'questions' | 'train' | 'measure' | 'save';
  documents: number;
  tokens: number;
  steps: number;
  absorbed: number;
}

export interface AbsorbControl {
  signal: AbortSignal;
  /** Resolves at once unless paused. */
  whileRunning(): Promise<void>;
  onProgress(report: AbsorbReport): void;
}

export interface Absorbed {
  end: LiftResult['end'] | 'unchanged' | 'restored';
  repository: Repository;
  steps: number;
  trainedTokens: number;
  seconds: number;
  version: number | null;
  /** Share of the corpus's tokens that are predicted right. */
  absorbed: number;
}

/** At most this much work is lost by a kill, and the time that writing takes. */
const secondsBetweenCheckpoints = 15;
/** When more of the corpus than this has changed, it is absorbed anew. */
const consolidateShare = 0.15;

/**
 * Makes the adapter know the folder as it is now. Nothing changed: no step. A tree that an older version knows: that
 * version comes back. A few changes: a refresh with replay. Otherwise, or the first time: everything.
 * Errors: LockedError while another process trains this adapter; StoreError; whatever reading the folder gives.
 */
export async function absorb(
  device: Device,
  model: BaseModel,
  folder: string,
  adapter: AdapterFolder,
  request: AbsorbRequest,
  control: AbsorbControl,
): Promise<Absorbed> {
  control.onProgress({ phase: 'scan', documents: 0, tokens: 0, steps: 0, absorbed: 0 });
  const lock = await adapter.lock();
  try {
    const repository = await readRepository(folder, model.tokenizer, scanCacheFile(adapter.path), control.signal);
    return await new Absorption(device, model, repository, adapter, request, control).run();
  } finally {
    await lock.release();
  }
}

class Absorption {
  private readonly recipe: Recipe;
  private readonly seed: number;
  private readonly visited = new Map<Lesson, Visit>();
  private measured: ReadonlyMap<unknown, TokenCount> = new Map();
  private recall = 0;
  private snapshotOnce: Promise<TreeSnapshot> | null = null;
  private lastCheckpoint = performance.now();

  constructor(
    private readonly device: Device,
    private readonly model: BaseModel,
    private readonly repository: Repository,
    private readonly adapter: AdapterFolder,
    private readonly request: AbsorbRequest,
    private readonly control: AbsorbControl,
  ) {
    this.recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings, request.adapterKind);
    this.seed = request.seed ?? 1;
  }

  async run(): Promise<Absorbed> {
    const { repository, adapter } = this;
    const current = await adapter.loadVersion();
    const ledger = (await readLedger(adapter.path, current?.version.note.ledger)) ?? emptyLedger();
    const { kind } = this.recipe.adapter;
    const known = await adapter.findVersion(
      (note) => note.tree === repository.tree && note.complete === true && note.kind === kind,
    );
    if (known !== null) {
      const isCurrent = known.version === current?.version.version;
      if (!isCurrent) await adapter.makeCurrent(known.version);
      return this.result(
        isCurrent ? 'unchanged' : 'restored',
        startPosition,
        0,
        known.version,
        Number(known.note.absorbed),
      );
    }
    if (repository.documents.length === 0)
      return this.result('unchanged', startPosition, 0, current?.version.version ?? null, 0);

    this.report('questions');
    const facts = await chosenFacts(repository, this.recipe);
    const lessons = lessonsOf(this.model, repository, facts, this.recipe);
    const plan = planLessons(ledger, lessons);
    const freshShare = plan.fresh.length / lessons.length;
    const sameKind = current?.layout.kind === kind;
    const interrupted = await this.interrupted();
    if (current === null || !sameKind || interrupted !== null || freshShare > consolidateShare) {
      return this.absorbAll(lessons, ledger, interrupted);
    }
    const changes = changeFacts(ledger.snapshot, await this.snapshot());
    const told = changes.flatMap(
      (fact) => questionLesson(this.model, fact, this.recipe.answerWeight, this.recipe.refresh.shape.length) ?? [],
    );
    return this.refresh(lessons, { ...plan, fresh: [...plan.fresh, ...told] }, ledger, current.vector);
  }

  /** What is where in the repository now. */
  private snapshot(): Promise<TreeSnapshot> {
    this.snapshotOnce ??= snapshotOf(this.repository.documents);
    return this.snapshotOnce;
  }

  /** The checkpoint of an absorption of this very tree that was interrupted. Damaged checkpoints count as none. */
  private async interrupted(): Promise<{ state: TrainerState; position: LiftPosition } | null> {
    const checkpoint = await this.adapter.loadCheckpoint().catch((error: unknown) => {
      if (error instanceof StoreError) return null;
      throw error;
    });
    const saved = checkpoint?.state as { tree?: string; position?: LiftPosition } | undefined;
    if (checkpoint === null || saved?.tree !== this.repository.tree || saved.position === undefined) return null;
    if (checkpoint.layout.kind !== this.recipe.adapter.kind) return null;
    const { vector, m: first, v: second, step } = checkpoint;
    return { state: { vector, first, second, step }, position: saved.position };
  }

  /** Everything, from the start or from where an interrupted absorption stood. */
  private async absorbAll(
    lessons: readonly Lesson[],
    ledger: Ledger,
    interrupted: Awaited<ReturnType<Absorption['interrupted']>>,
  ): Promise<Absorbed> {
    const layout = adapterLayout(this.model.config, this.recipe.adapter);
    const state = interrupted?.state ?? newState(initialAdapter(layout, this.seed));
    const trainer = await Trainer.open(this.device, this.model, layout, state);
    const from = interrupted?.position ?? startPosition;
    const budget = this.budget(this.recipe.fullBudget);
    // What the interrupted part visited is no longer known lesson by lesson; an epoch of it visited everything.
    const before = interrupted === null ? emptyLedger() : from.epoch > 0 ? ledgerOf(lessons) : ledger;
    return this.train(trainer, lessons, before, async () => {
      const measure = () =>
        this.measureRecall(
          trainer,
          this.repository.documents.map(({ path }) => path),
        );
      const curriculum = fullCurriculum(lessons, this.recipe);
      return lift(
        trainer,
        curriculum,
        { ...this.recipe.full, seed: this.seed },
        budget,
        this.liftControl(trainer, measure, true),
        from,
      );
    });
  }

  /** The new lessons among known ones, from the current version on, until the new ones are known. */
  private async refresh(
    lessons: readonly Lesson[],
    plan: LessonPlan,
    ledger: Ledger,
    vector: Float32Array,
  ): Promise<Absorbed> {
    const layout = adapterLayout(this.model.config, this.recipe.adapter);
    const trainer = await Trainer.open(this.device, this.model, layout, newState(vector));
    const fresh = plan.fresh.map((lesson) => ({ ...lesson.item(0), source: 'fresh' }));
    const measure = async () => {
      const count = (await measureItems(trainer, fresh, this.recipe.refresh.shape, this.control.signal)).get('fresh');
      return count === undefined || count.counted === 0 ? 1 : count.correct / count.counted;
    };
    return this.train(trainer, lessons, ledger, async () => {
      if (plan.fresh.length === 0) return { end: 'saturated', position: startPosition };
      const settings = { ...this.recipe.refresh, seed: this.seed };
      const budget = this.budget(this.recipe.refreshBudget);
      return lift(trainer, refreshCurriculum(plan), settings, budget, this.liftControl(trainer, measure, false));
    });
  }

  /** Runs a training, then measures and saves what came out. */
  private async train(
    trainer: Trainer,
    lessons: readonly Lesson[],
    before: Ledger,
    run: () => Promise<LiftResult>,
  ): Promise<Absorbed> {
    const stepsBefore = trainer.step;
    try {
      const result = await run();
      const cancelled = result.end === 'cancelled';
      this.report('measure');
      const { documents } = this.repository;
      // What a stop leaves unmeasured keeps its last measurement.
      if (!cancelled)
        await this.measureRecall(
          trainer,
          documents.map(({ path }) => path),
        );
      // A stop does not wait for the symbols of a large repository; going on afterwards will.
      const snapshot = cancelled ? before.snapshot : await this.snapshot();
      const ledger = nextLedger(before, lessons, this.visited, documents, this.measured, snapshot);
      const absorbed = shareKnown(ledger, documents, (path) => this.repository.tokens.get(path)!.length);
      if (trainer.step === 0 && before.lessons.size === 0) return this.result(result.end, result.position, 0, null, 0);
      this.report('save', absorbed);
      if (cancelled) await this.checkpoint(trainer, result.position);
      const version = await this.saveVersion(trainer, ledger, absorbed, !cancelled);
      if (!cancelled) await this.adapter.removeCheckpoints();
      return this.result(result.end, result.position, trainer.step - stepsBefore, version, absorbed);
    } finally {
      await trainer.close();
    }
  }

  private async saveVersion(trainer: Trainer, ledger: Ledger, absorbed: number, complete: boolean): Promise<number> {
    const { vector } = await trainer.state();
    const name = await writeLedger(this.adapter.path, ledger);
    const { version } = await this.adapter.saveVersion(trainer.layout, vector, {
      tree: this.repository.tree,
      complete,
      kind: trainer.layout.kind,
      ledger: name,
      absorbed,
      documents: this.repository.documents.length,
      tokens: this.repository.tokenCount,
      folder: this.repository.folder,
    });
    const versions = await this.adapter.versions();
    await removeUnnamedLedgers(
      this.adapter.path,
      versions.map(({ note }) => note.ledger),
    );
    return version;
  }

  private liftControl(trainer: Trainer, measureRecall: () => Promise<number>, checkpoints: boolean) {
    const { control } = this;
    return {
      signal: control.signal,
      whileRunning: () => control.whileRunning(),
      onProgress: (progress: LiftProgress) =>
        this.report('train', progress.recall, { ...progress, steps: trainer.step }),
      onStep: async (position: LiftPosition) => {
        if (checkpoints && performance.now() - this.lastCheckpoint > secondsBetweenCheckpoints * 1000) {
          await this.checkpoint(trainer, position);
        }
      },
      onTrained: (lesson: Lesson, last: TokenCount) => {
        this.visited.set(lesson, { visits: (this.visited.get(lesson)?.visits ?? 0) + 1, last });
      },
      measureRecall,
    };
  }

  private async checkpoint(trainer: Trainer, position: LiftPosition): Promise<void> {
    const { vector, first, second, step } = await trainer.state();
    const state = { tree: this.repository.tree, position };
    await this.adapter.saveCheckpoint({ layout: trainer.layout, vector, m: first, v: second, step, state });
    this.lastCheckpoint = performance.now();
  }

  private async measureRecall(trainer: Trainer, paths: readonly string[]): Promise<number> {
    const items = paths.flatMap((path) =>
      recallItems(this.model, path, this.repository.tokens.get(path)!, this.recipe.segmentLength),
    );
    const counts = await measureItems(trainer, items, this.recipe.full.shape, this.control.signal);
    if (this.control.signal.aborted) return this.recall;
    this.measured = counts;
    let correct = 0;
    let counted = 0;
    for (const count of counts.values()) {
      correct += count.correct;
      counted += count.counted;
    }
    this.recall = counted === 0 ? 0 : correct / counted;
    return this.recall;
  }

  private budget(standard: LiftBudget): LiftBudget {
    const { epochs, minutes } = this.request;
    if (epochs !== undefined)
      return { epochs, minutes: minutes ?? Number.POSITIVE_INFINITY, smallestGain: -1, enough: 2 };
    if (minutes !== undefined) return { epochs: Number.POSITIVE_INFINITY, minutes, smallestGain: -1, enough: 2 };
    return standard;
  }

  private report(phase: AbsorbReport['phase'], absorbed = this.recall, more: Partial<AbsorbReport> = {}): void {
    const { documents, tokenCount } = this.repository;
    this.control.onProgress({ steps: 0, ...more, phase, documents: documents.length, tokens: tokenCount, absorbed });
  }

  private result(
    end: Absorbed['end'],
    position: LiftPosition,
    steps: number,
    version: number | null,
    absorbed: number,
  ): Absorbed {
    const { trainedTokens, seconds } = position;
    return { end, repository: this.repository, steps, trainedTokens, seconds, version, absorbed };
  }
}

function newState(vector: Float32Array): TrainerState {
  return { vector, first: new Float32Array(vector.length), second: new Float32Array(vector.length), step: 0 };
}
