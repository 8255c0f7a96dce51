/** One absorption: what the changes ask for, the training of it, and what is saved of it. */
import { changeFacts, snapshotOf, type TreeSnapshot } from '../corpus/changes.ts';
import { adapterLayout, initialAdapter } from '../model/adapter-init.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import { StoreError } from '../store/store-error.ts';
import type { LoadedVersion } from '../store/version-file.ts';
import {
  type Curriculum,
  type LiftBudget,
  type LiftPosition,
  type LiftProgress,
  type LiftSettings,
  lift,
  startPosition,
} from '../train/lift.ts';
import { type Lesson, questionLesson } from '../train/material.ts';
import { measureItems, recallItems, type TokenCount } from '../train/measure.ts';
import type { TrainingItem } from '../train/packing.ts';
import { type Recipe, recipeFor } from '../train/recipe.ts';
import { Trainer, type TrainerState } from '../train/trainer.ts';
import type { AbsorbControl, Absorbed, AbsorbReport, AbsorbRequest } from './absorb.ts';
import { fullCurriculum, refreshCurriculum } from './curriculum.ts';
import { DocumentsSeen } from './documents-seen.ts';
import { type Interrupted, loadInterrupted, saveInterrupted, type Work } from './interrupted.ts';
import {
  emptyLedger,
  type Ledger,
  type LessonPlan,
  ledgerKey,
  ledgerOf,
  nextLedger,
  planLessons,
  readLedger,
  removeUnnamedLedgers,
  shareKnown,
  type Visit,
  writeLedger,
} from './ledger.ts';
import { chosenFacts, lessonsOf, type Repository } from './repository.ts';
import { shareLearned } from './share-learned.ts';

const defaultSecondsBetweenCheckpoints = 15;
/** When more of the corpus than this has changed, it is absorbed anew. */
const consolidateShare = 0.15;

interface Training {
  work: Work;
  lessons: readonly Lesson[];
  curriculum: Curriculum;
  settings: Omit<LiftSettings, 'seed'>;
  budget: LiftBudget;
  state: TrainerState;
  from: LiftPosition;
  /** What the state knows when the training begins. */
  before: Ledger;
  /** Asked after each epoch: when this is high enough, the training ends. */
  measure(trainer: Trainer): Promise<number>;
}

/** Share of a new segment's tokens that a refresh wants to be predicted right. */
const mostTokenShare = 0.95;

export class Absorption {
  private readonly recipe: Recipe;
  private readonly layout: AdapterLayout;
  private readonly seed: number;
  private readonly paths: readonly string[];
  private readonly visited = new Map<Lesson, Visit>();
  private seen = new DocumentsSeen([], []);
  private measured: ReadonlyMap<unknown, TokenCount> = new Map();
  private measuredAtStep = -1;
  private recall = 0;
  private snapshotOnce: Promise<TreeSnapshot> | null = null;
  private lastCheckpoint = performance.now();
  private current: LoadedVersion | null = null;
  /** Of the current version. */
  private ledger = emptyLedger();

  constructor(
    private readonly device: Device,
    private readonly model: BaseModel,
    private readonly repository: Repository,
    private readonly adapter: AdapterFolder,
    private readonly request: AbsorbRequest,
    private readonly control: AbsorbControl,
  ) {
    this.recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings, request.adapterKind, request.rank);
    this.layout = adapterLayout(model.config, this.recipe.adapter);
    this.seed = request.seed ?? 1;
    this.paths = repository.documents.map(({ path }) => path);
  }

  async run(): Promise<Absorbed> {
    const { adapter, layout } = this;
    this.current = await adapter.loadVersion();
    const { current } = this;
    this.ledger = (await readLedger(adapter.path, current?.version.note.ledger)) ?? emptyLedger();
    const known = await this.versionOfThisTree();
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
    this.report('questions');
    const facts = await chosenFacts(this.repository, this.recipe, this.control.signal);
    const lessons = lessonsOf(this.model, this.repository, facts, this.recipe);
    if (lessons.length === 0) return this.unchanged('unchanged', startPosition, 0);
    const plan = planLessons(this.ledger, lessons);
    const interrupted = await loadInterrupted(adapter, layout.kind);
    const sameLayout = current?.layout.kind === layout.kind && current.layout.length === layout.length;
    const unfinished = interrupted?.work === 'full' && current?.version.note.complete !== true;
    if (current === null || !sameLayout || unfinished || plan.fresh.length > consolidateShare * lessons.length) {
      return this.train(this.everything(lessons, interrupted?.work === 'full' ? interrupted : null));
    }
    return this.train(await this.refresh(lessons, plan, current, interrupted));
  }

  /** A complete and intact version of exactly what the folder holds now. */
  private async versionOfThisTree() {
    const { tree } = this.repository;
    const version = await this.adapter.findVersion(
      (note) => note.tree === tree && note.complete === true && note.kind === this.layout.kind,
    );
    if (version === null || version.version === this.current?.version.version) return version;
    const loaded = await this.adapter.loadVersion(version.version).catch((error: unknown) => {
      if (error instanceof StoreError) return null;
      throw error;
    });
    return loaded?.version ?? null;
  }

  /** Everything, from the start or from where an interrupted absorption stood, also one of an earlier tree. */
  private everything(lessons: readonly Lesson[], interrupted: Interrupted | null): Training {
    const budget = this.budget('full');
    const sameTree = interrupted?.tree === this.repository.tree;
    let from = interrupted?.position ?? startPosition;
    // The first epoch comes before others that visit what has changed; of a later one nothing may be left out.
    if (!sameTree && from.epoch > 0) from = { ...from, epoch: Math.min(from.epoch, budget.epochs - 1), batch: 0 };
    // A stopped absorption left a version with a ledger. After a kill, what the epoch visited is not known.
    const stopped = interrupted !== null && this.current?.version.note.complete === false;
    const before = stopped ? this.ledger : emptyLedger();
    return {
      work: 'full',
      lessons,
      curriculum: fullCurriculum(lessons, this.recipe),
      settings: this.recipe.full,
      budget,
      state: interrupted?.state ?? newState(initialAdapter(this.layout, this.seed)),
      from,
      before: sameTree && from.epoch > 0 ? { ...before, lessons: ledgerOf(lessons).lessons } : before,
      measure: (trainer) => this.measureRecall(trainer),
    };
  }

  /** The new lessons among known ones, from the current version on, until the new ones are known. */
  private async refresh(
    lessons: readonly Lesson[],
    { fresh, known }: LessonPlan,
    current: LoadedVersion,
    interrupted: Interrupted | null,
  ): Promise<Training> {
    const { answerWeight, refresh: settings } = this.recipe;
    const { shape } = settings;
    const told = changeFacts(this.ledger.snapshot, await this.snapshot()).flatMap(
      (fact) => questionLesson(this.model, fact, answerWeight, shape.length) ?? [],
    );
    const plan = { fresh: [...fresh, ...told], known };
    // New text need not be known better than the rest is.
    const tokenShare = Math.min(mostTokenShare, Number(current.version.note.absorbed ?? mostTokenShare));
    const isOfThis =
      interrupted?.work === 'refresh' &&
      interrupted.tree === this.repository.tree &&
      interrupted.version === current.version.version;
    const from = isOfThis ? interrupted.position : startPosition;
    const learned = from.epoch > 0 ? ledgerOf(fresh).lessons : [];
    return {
      work: 'refresh',
      lessons,
      curriculum: refreshCurriculum(plan),
      settings,
      budget: this.budget('refresh'),
      state: isOfThis ? interrupted.state : newState(current.vector),
      from,
      before: { ...this.ledger, lessons: new Map([...this.ledger.lessons, ...learned]) },
      measure: (trainer) => shareLearned(trainer, plan.fresh, tokenShare, shape, this.control.signal),
    };
  }

  /** Runs a training, then measures and saves what came out. */
  private async train(training: Training): Promise<Absorbed> {
    const { work, lessons, curriculum, settings, budget, state, from, before } = training;
    const { adapter, repository, control } = this;
    const { documents } = repository;
    this.seen = new DocumentsSeen(this.paths, planLessons(before, lessons).fresh);
    const trainer = await Trainer.open(this.device, this.model, this.layout, state);
    try {
      const liftControl = {
        ...this.liftControl(trainer, work),
        measureRecall: () => training.measure(trainer),
      };
      const { end, position } = await lift(
        trainer,
        curriculum,
        { ...settings, seed: this.seed },
        budget,
        liftControl,
        from,
      );
      const steps = trainer.step - state.step;
      const stopped = end === 'cancelled' || control.signal.aborted;
      if (steps === 0 && (stopped || before.lessons.size === 0)) {
        return this.unchanged(stopped ? 'cancelled' : end, position, 0);
      }
      this.report('measure');
      // What a stop leaves unmeasured keeps its last measurement.
      if (!stopped && this.measuredAtStep !== trainer.step) await this.measureRecall(trainer);
      // A stop does not wait for the symbols of a large repository; going on afterwards will.
      const snapshot = stopped ? before.snapshot : await this.snapshot();
      const ledger = nextLedger(before, lessons, this.visited, documents, this.measured, snapshot);
      const absorbed = this.shareKnown(ledger);
      this.report('save', absorbed);
      if (stopped) {
        await this.checkpoint(trainer, work, position);
        // Until it is whole, a refresh leaves the version before as it is, and so does what knows less than that.
        const isBetter = work === 'full' && absorbed >= this.shareKnown(this.ledger);
        if (!isBetter) return this.unchanged('cancelled', position, steps);
      }
      const complete =
        !stopped && (work === 'full' || lessons.every((lesson) => ledger.lessons.has(ledgerKey(lesson))));
      const version = await this.saveVersion(trainer, ledger, absorbed, complete);
      if (!stopped) await adapter.removeCheckpoints();
      return this.result(stopped ? 'cancelled' : end, position, steps, version, absorbed);
    } finally {
      await trainer.close();
    }
  }

  private async saveVersion(trainer: Trainer, ledger: Ledger, absorbed: number, complete: boolean): Promise<number> {
    const { adapter, repository, layout } = this;
    const { vector } = await trainer.state();
    const name = await writeLedger(adapter.path, ledger);
    const { version } = await adapter.saveVersion(layout, vector, {
      tree: repository.tree,
      complete,
      kind: layout.kind,
      ledger: name,
      absorbed,
      documents: repository.documents.length,
      tokens: repository.tokenCount,
      folder: repository.folder,
    });
    const versions = await adapter.versions();
    await removeUnnamedLedgers(
      adapter.path,
      versions.map(({ note }) => note.ledger),
    );
    return version;
  }

  private liftControl(trainer: Trainer, work: Work) {
    const { control } = this;
    return {
      signal: control.signal,
      whileRunning: () => control.whileRunning(),
      onProgress: (progress: LiftProgress) =>
        this.report('train', progress.recall, { ...progress, steps: trainer.step }),
      onStep: async (position: LiftPosition) => {
        const { secondsBetweenCheckpoints = defaultSecondsBetweenCheckpoints } = control;
        if (performance.now() - this.lastCheckpoint >= secondsBetweenCheckpoints * 1000) {
          await this.checkpoint(trainer, work, position);
        }
      },
      onTrained: (lesson: Lesson, last: TokenCount) => {
        this.seen.note(lesson);
        this.visited.set(lesson, { visits: (this.visited.get(lesson)?.visits ?? 0) + 1, last });
      },
    };
  }

  private async checkpoint(trainer: Trainer, work: Work, position: LiftPosition): Promise<void> {
    const { tree } = this.repository;
    await saveInterrupted(this.adapter, this.layout, { work, tree, position, state: await trainer.state() });
    this.lastCheckpoint = performance.now();
  }

  /** What is where in the repository now. */
  private snapshot(): Promise<TreeSnapshot> {
    this.snapshotOnce ??= snapshotOf(this.repository.documents);
    return this.snapshotOnce;
  }

  private async measureRecall(trainer: Trainer): Promise<number> {
    const counts = await measureItems(trainer, this.recallItems(), this.recipe.full.shape, this.control.signal);
    if (this.control.signal.aborted) return this.recall;
    this.measured = counts;
    this.measuredAtStep = trainer.step;
    let correct = 0;
    let counted = 0;
    for (const count of counts.values()) {
      correct += count.correct;
      counted += count.counted;
    }
    this.recall = counted === 0 ? 0 : correct / counted;
    return this.recall;
  }

  /** One document after another, as they are asked for: a large corpus need not be in memory as items. */
  private *recallItems(): Generator<TrainingItem> {
    const { tokens } = this.repository;
    for (const path of this.paths) yield* recallItems(this.model, path, tokens.get(path)!, this.recipe.segmentLength);
  }

  /** What is asked for is what a full absorption takes; a refresh takes no more of it than it needs. */
  private budget(work: Work): LiftBudget {
    const { epochs, minutes } = this.request;
    const { fullBudget, refreshBudget } = this.recipe;
    if (work === 'refresh') {
      const { epochs: most, minutes: longest } = refreshBudget;
      return {
        ...refreshBudget,
        epochs: Math.min(epochs ?? most, most),
        minutes: Math.min(minutes ?? longest, longest),
      };
    }
    if (epochs !== undefined)
      return { epochs, minutes: minutes ?? Number.POSITIVE_INFINITY, smallestGain: -1, enough: 2 };
    if (minutes !== undefined) return { epochs: Number.POSITIVE_INFINITY, minutes, smallestGain: -1, enough: 2 };
    return fullBudget;
  }

  private shareKnown(ledger: Ledger): number {
    return shareKnown(ledger, this.repository.documents, (path) => this.repository.tokens.get(path)!.length);
  }

  private report(phase: AbsorbReport['phase'], absorbed = this.recall, more: Partial<AbsorbReport> = {}): void {
    const { documents, tokenCount } = this.repository;
    const { count: documentsSeen } = this.seen;
    const corpus = { documents: documents.length, tokens: tokenCount, documentsSeen };
    this.control.onProgress({ steps: 0, ...more, ...corpus, phase, absorbed });
  }

  /** The version that was current stays so. */
  private unchanged(end: Absorbed['end'], position: LiftPosition, steps: number): Absorbed {
    const version = this.current?.version.version ?? null;
    return this.result(end, position, steps, version, this.shareKnown(this.ledger));
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
