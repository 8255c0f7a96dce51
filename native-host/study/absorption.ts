/** One absorption: what the changes ask for, the training of it, and what is saved of it. */
import type { Use } from '../corpus/importance.ts';
import { recentlyChanged } from '../corpus/recent-changes.ts';
import { adapterLayout } from '../model/adapter-init.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import type { LoadedVersion } from '../store/version-file.ts';
import { recipeForCorpus } from '../train/corpus-recipe.ts';
import { type LiftControl, type LiftPosition, type LiftProgress, lift, startPosition } from '../train/lift.ts';
import type { Lesson } from '../train/material.ts';
import { kindFor, type Recipe } from '../train/recipe.ts';
import { Trainer } from '../train/trainer.ts';
import type { AbsorbControl, Absorbed, AbsorbReport, AbsorbRequest } from './absorb.ts';
import { type AbsorptionPlan, newState, planAbsorption } from './absorption-plan.ts';
import { loadInterrupted, saveInterrupted } from './interrupted.ts';
import {
  emptyLedger,
  type Ledger,
  ledgerKey,
  nextLedger,
  readLedger,
  removeUnnamedLedgers,
  shareKnown,
  unlearnedPaths,
  writeLedger,
} from './ledger.ts';
import { type Knowledge, lessonsOf, type Repository, readKnowledge } from './repository.ts';
import { shareLearned } from './share-learned.ts';
import { TrainingRecall } from './training-recall.ts';
import { versionOfTree } from './version-of-tree.ts';
import { Visits } from './visits.ts';

const defaultSecondsBetweenCheckpoints = 15;
/** Share of a new segment's tokens that a refresh wants to be predicted right. */
const mostTokenShare = 0.95;

export class Absorption {
  private readonly recipe: Recipe;
  private readonly reason: string;
  private readonly layout: AdapterLayout;
  private lastCheckpoint = performance.now();
  /** Of the current version. */
  private ledger = emptyLedger();
  /** Whether an unfinished absorption goes on after what was run. */
  leavesRest = false;
  /** What is learned first. */
  private use: Omit<Use, 'ranks'> = { first: [], recent: [] };

  constructor(
    private readonly device: Device,
    private readonly model: BaseModel,
    private readonly repository: Repository,
    private readonly adapter: AdapterFolder,
    private readonly current: LoadedVersion | null,
    private readonly request: AbsorbRequest,
    private readonly control: AbsorbControl,
  ) {
    const { adapterKind, rank, epochs, minutes, share } = request;
    const asked = { kind: kindFor(model, adapterKind), rank, epochs, minutes, share };
    const { recipe, reason } = recipeForCorpus(model, repository.tokenCount, asked, current?.layout ?? null);
    const fitted = control.fitToMemory?.(recipe) ?? { recipe, cost: '' };
    this.recipe = fitted.recipe;
    this.reason = reason + fitted.cost;
    this.layout = adapterLayout(model.config, this.recipe.adapter);
  }

  async run(): Promise<Absorbed> {
    const { adapter, current, layout, recipe, request, repository, control } = this;
    this.ledger = (await readLedger(adapter.path, current?.version.note.ledger)) ?? emptyLedger();
    const known = await versionOfTree(adapter, repository.tree, layout.kind, current);
    if (known !== null) {
      const isCurrent = known.version === current?.version.version;
      if (!isCurrent) await adapter.makeCurrent(known.version);
      const end = isCurrent ? 'unchanged' : 'restored';
      return this.result(end, startPosition, 0, known.version, Number(known.note.absorbed), null);
    }
    this.report('questions');
    const interrupted = await loadInterrupted(adapter, layout);
    // What goes on within an epoch has to come in the same order.
    if (interrupted?.tree === repository.tree) this.use = interrupted.use;
    else this.use = { first: request.first ?? [], recent: await recentlyChanged(repository.folder, control.signal) };
    const knowledge = await readKnowledge(repository, recipe, control.signal);
    const lessons = await lessonsOf(this.model, repository, knowledge, recipe, control.signal, this.use);
    const { snapshot } = knowledge;
    if (lessons.length === 0) return this.unchanged('unchanged', startPosition, 0);
    const hasLayout = current?.layout.kind === layout.kind && current.layout.length === layout.length;
    const plan = planAbsorption({
      text: this.model,
      recipe,
      layout,
      request,
      repository,
      lessons,
      snapshot,
      current: hasLayout ? current : null,
      ledger: this.ledger,
      interrupted,
    });
    return plan === null ? this.unchanged('unchanged', startPosition, 0) : this.train(plan, lessons, snapshot);
  }

  /** Runs a training, then measures and saves what came out. */
  private async train(
    plan: AbsorptionPlan,
    lessons: readonly Lesson[],
    snapshot: Knowledge['snapshot'],
  ): Promise<Absorbed> {
    const { work, before } = plan;
    const { control, repository } = this;
    const { signal } = control;
    const trainer = await Trainer.open(this.device, this.model, this.layout, plan.state);
    try {
      const visits = new Visits(lessons, before);
      const recall = new TrainingRecall(this.model, repository, this.recipe, plan, visits, trainer, signal);
      const { end, position } = await lift(
        trainer,
        plan.curriculum,
        plan.settings,
        plan.budget,
        this.liftControl(plan, trainer, visits, recall),
        plan.from,
      );
      const steps = trainer.step - plan.state.step;
      const stopped = end === 'cancelled' || signal.aborted;
      if (steps === 0 && (stopped || before.lessons.size + visits.byLesson.size === 0)) {
        return this.unchanged(stopped ? 'cancelled' : end, position, 0);
      }
      if (!stopped) this.report('measure', recall.share);
      if (!stopped) await recall.measureAtEnd(end, position.seconds);
      else if (work === 'full') await recall.sampleAtStop();
      const ledger = nextLedger(before, {
        lessons,
        visited: visits.byLesson,
        documents: repository.documents,
        tokens: repository.tokens,
        counts: recall.counts(),
        snapshot,
      });
      const absorbed = this.shareKnown(ledger);
      this.report('save', absorbed);
      const isWhole = lessons.every((lesson) => ledger.lessons.has(ledgerKey(lesson)));
      const isComplete = !stopped && isWhole;
      if (stopped || (work === 'full' && !isComplete)) await this.checkpoint(plan, trainer, position, !stopped);
      else if (plan.rest !== null && !isComplete) await this.leaveRest(plan.rest, trainer);
      if (stopped) {
        // Until it is whole, a refresh leaves the version before as it is, and so does what knows less than that.
        const isBetter = work === 'full' && absorbed >= this.shareKnown(this.ledger);
        if (!isBetter) return this.unchanged('cancelled', position, steps);
      } else if (plan.replaces !== null && !(await recall.isBetterThan(plan.replaces, this.device))) {
        // What was trained stays, to be gone on with.
        if (isComplete) await this.checkpoint(plan, trainer, position, true);
        return this.unchanged(end, position, steps);
      }
      const version = await this.saveVersion(plan, trainer, ledger, absorbed, isComplete);
      if (isComplete || (work === 'refresh' && !stopped && !this.leavesRest)) await this.adapter.removeCheckpoints();
      return this.result(stopped ? 'cancelled' : end, position, steps, version, absorbed, ledger);
    } finally {
      await trainer.close();
    }
  }

  private async saveVersion(
    { work, rest }: AbsorptionPlan,
    trainer: Trainer,
    ledger: Ledger,
    absorbed: number,
    complete: boolean,
  ): Promise<number> {
    const { adapter, repository, layout } = this;
    const { vector } = await trainer.state();
    const past = this.current?.version.note;
    const isOfAll = work === 'full' || rest !== null;
    const { version } = await adapter.saveVersion(layout, vector, {
      tree: repository.tree,
      commit: repository.commit,
      complete,
      // A refresh goes on from what once was whole, and may be compared with it.
      whole: isOfAll ? complete : past?.whole,
      absorbedWhole: isOfAll ? absorbed : past?.absorbedWhole,
      kind: layout.kind,
      recipe: this.reason,
      ledger: await writeLedger(adapter.path, ledger),
      absorbed,
      documents: repository.documents.length,
      tokens: repository.tokenCount,
      folder: repository.folder,
    });
    const versions = await adapter.versions();
    const named = versions.map(({ note }) => note.ledger);
    await removeUnnamedLedgers(adapter.path, named);
    return version;
  }

  private liftControl(plan: AbsorptionPlan, trainer: Trainer, visits: Visits, recall: TrainingRecall): LiftControl {
    const { control } = this;
    const { signal, secondsBetweenCheckpoints = defaultSecondsBetweenCheckpoints } = control;
    // New text need not be known better than the rest is.
    const tokenShare = Math.min(mostTokenShare, Number(this.current?.version.note.absorbed ?? mostTokenShare));
    return {
      signal,
      clock: control.clock ?? (() => performance.now()),
      whileRunning: () => control.whileRunning(),
      onProgress: (progress: LiftProgress) => {
        const { step: steps } = trainer;
        this.report('train', recall.share, { ...progress, steps, documentsSeen: visits.documentsSeen });
      },
      onStep: async (position: LiftPosition) => {
        if (plan.work === 'full') await recall.sampleNowAndThen(control.secondsBetweenSamples);
        if (performance.now() - this.lastCheckpoint < secondsBetweenCheckpoints * 1000) return;
        await this.checkpoint(plan, trainer, position, false);
      },
      onTrained: (lesson, count) => visits.note(lesson, count),
      onPassed: (lesson) => visits.note(lesson, null),
      measureRecall: () =>
        plan.work === 'full'
          ? recall.measureAfterEpoch()
          : shareLearned(trainer, plan.fresh, tokenShare, plan.settings.shape, signal),
    };
  }

  /** What was not finished goes on from what was trained now. */
  private async leaveRest({ from }: NonNullable<AbsorptionPlan['rest']>, trainer: Trainer): Promise<void> {
    this.leavesRest = true;
    if (from === null) return;
    const { vector } = await trainer.state();
    const { version: _, ...position } = from;
    await saveInterrupted(this.adapter, this.layout, { ...position, state: newState(vector) });
  }

  private async checkpoint(
    { work, settings: { seed }, leavesOutKnown, byParts, rest }: AbsorptionPlan,
    trainer: Trainer,
    position: LiftPosition,
    isSpent: boolean,
  ): Promise<void> {
    // It would take the place of the one from which the rest goes on, which is worth more.
    if (rest !== null) return;
    const { tree } = this.repository;
    const state = await trainer.state();
    const how = { work, tree, position, seed, leavesOutKnown, byParts, isSpent, use: this.use };
    await saveInterrupted(this.adapter, this.layout, { ...how, state });
    this.lastCheckpoint = performance.now();
  }

  private shareKnown(ledger: Ledger): number {
    return shareKnown(ledger, this.repository.documents, (path) => this.repository.tokens.get(path)!.length);
  }

  private report(phase: AbsorbReport['phase'], absorbed = 0, more: Partial<AbsorbReport> = {}): void {
    const { documents, tokenCount } = this.repository;
    const corpus = { documents: documents.length, tokens: tokenCount };
    this.control.onProgress({ steps: 0, documentsSeen: 0, ...more, ...corpus, phase, absorbed });
  }

  /** The version that was current stays so. */
  private unchanged(end: Absorbed['end'], position: LiftPosition, steps: number): Absorbed {
    const version = this.current?.version.version ?? null;
    return this.result(end, position, steps, version, this.shareKnown(this.ledger), this.ledger);
  }

  private result(
    end: Absorbed['end'],
    position: LiftPosition,
    steps: number,
    version: number | null,
    absorbed: number,
    ledger: Ledger | null,
  ): Absorbed {
    const { repository } = this;
    const { trainedTokens, seconds } = position;
    const dirty = ledger === null ? 0 : unlearnedPaths(ledger, repository.documents).length;
    return { end, repository, steps, trainedTokens, seconds, version, absorbed, dirty, recipe: this.reason };
  }
}
