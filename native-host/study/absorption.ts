/** One absorption: what the changes ask for, the training of it, and what is saved of it. */
import { join } from 'node:path';
import type { Use } from '../corpus/importance.ts';
import { recentlyChanged } from '../corpus/recent-changes.ts';
import { adapterLayout } from '../model/adapter-init.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import type { AdapterVersion } from '../store/manifest.ts';
import type { LoadedVersion } from '../store/version-file.ts';
import { recipeForCorpus } from '../train/corpus-recipe.ts';
import { type LiftControl, type LiftPosition, type LiftProgress, lift, startPosition } from '../train/lift.ts';
import type { Lesson, ShownTexts } from '../train/material.ts';
import { kindFor, type Recipe, withTexts } from '../train/recipe.ts';
import { Trainer } from '../train/trainer.ts';
import type { AbsorbControl, Absorbed, AbsorbReport, AbsorbRequest } from './absorb.ts';
import { type AbsorptionPlan, planAbsorption } from './absorption-plan.ts';
import { Checkpoints } from './checkpoints.ts';
import { asksForConsolidation, isConsolidationDue, unlearnedTokens } from './consolidation.ts';
import { loadInterrupted } from './interrupted.ts';
import { learnedOf } from './learned.ts';
import { emptyLedger, type Ledger, ledgerKey, nextLedger, readLedger, shareKnown, unlearnedPaths } from './ledger.ts';
import { type Method, methodOf } from './method.ts';
import { type Knowledge, lessonsOf, type Repository, readKnowledge } from './repository.ts';
import { saveVersion } from './save-version.ts';
import { shownTexts } from './shown-texts.ts';
import { Teaching } from './teaching.ts';
import { TrainingRecall } from './training-recall.ts';
import { versionOfTree } from './version-of-tree.ts';
import { Visits } from './visits.ts';

/** Share of a new segment's tokens that a refresh wants to be predicted right. */
const mostTokenShare = 0.95;

export class Absorption {
  private readonly recipe: Recipe;
  private readonly method: Method;
  private readonly reason: string;
  private readonly layout: AdapterLayout;
  private readonly clock: () => number;
  /** Of the current version. */
  private ledger = emptyLedger();
  /** Whether there is more to learn of what was asked for than was run. */
  isToGoOn = false;
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
    this.clock = control.clock ?? (() => performance.now());
    this.method = methodOf(request.method);
    const wanted = this.method.has('distractors') ? withTexts(recipe, model.config.maxPositionEmbeddings) : recipe;
    const fitted = control.fitToMemory?.(wanted) ?? { recipe: wanted, cost: '' };
    this.recipe = fitted.recipe;
    this.reason = reason + fitted.cost;
    this.layout = adapterLayout(model.config, this.recipe.adapter);
  }

  async run(): Promise<Absorbed> {
    const { adapter, current, layout, recipe, request, repository, control } = this;
    this.ledger = (await readLedger(adapter.path, current?.version.note.ledger)) ?? emptyLedger();
    const known = await versionOfTree(adapter, repository.tree, layout.kind, current);
    const isCurrent = known !== null && known.version === current?.version.version;
    const isDue = isCurrent && asksForConsolidation(request, known.note);
    if (known !== null && !isDue) {
      if (!isCurrent) await adapter.makeCurrent(known.version);
      const end = isCurrent ? 'unchanged' : 'restored';
      return this.result(end, startPosition, 0, known.version, Number(known.note.absorbed), null);
    }
    this.report('questions');
    const interrupted = await loadInterrupted(adapter, layout, recipe.optimizer);
    // What goes on within an epoch has to come in the same order.
    if (interrupted?.tree === repository.tree) this.use = interrupted.use;
    else this.use = { first: request.first ?? [], recent: await recentlyChanged(repository.folder, control.signal) };
    const knowledge = await readKnowledge(repository, recipe, control.signal);
    const { length: rowLength } = recipe.full.shape;
    const shows = this.method.has('distractors');
    const shown = shows ? shownTexts(this.model, repository.documents, rowLength) : undefined;
    const lessons = await lessonsOf(this.model, repository, knowledge, recipe, control.signal, this.use, shown);
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
    if (plan === null) return this.unchanged('unchanged', startPosition, 0);
    return this.train(plan, lessons, snapshot, shown);
  }

  /** Runs a training, then measures and saves what came out. */
  private async train(
    plan: AbsorptionPlan,
    lessons: readonly Lesson[],
    snapshot: Knowledge['snapshot'],
    shown: ShownTexts | undefined,
  ): Promise<Absorbed> {
    const { work, before } = plan;
    const { control, repository, recipe } = this;
    const { signal } = control;
    const { documents, tokens } = repository;
    // A refresh is short: it studies what changed.
    const changed = new Set(plan.fresh.map(({ path }) => path));
    const material = {
      recipe,
      documents,
      tokens,
      isStudied: (path: string) => work !== 'refresh' || changed.has(path),
      shown,
      cacheFolder: join(this.adapter.path, 'self-study'),
      clock: this.clock,
    };
    const teaching = await Teaching.open(this.device, this.model, this.method, material, signal);
    const { optimizer } = plan;
    const opened = Trainer.open(this.device, this.model, this.layout, plan.state, { optimizer });
    const trainer = await opened.catch(async (error) => {
      await teaching.close();
      throw error;
    });
    try {
      const visits = new Visits(lessons, before);
      const recall = new TrainingRecall(this.model, repository, this.recipe, plan, visits, trainer, signal);
      const checkpoints = new Checkpoints(this.adapter, this.layout, plan, trainer, repository.tree, this.use);
      const { end, position } = await lift(
        trainer,
        teaching.curriculum(plan.curriculum, plan.begun),
        plan.settings,
        plan.budget,
        this.liftControl(plan, trainer, visits, recall, teaching, checkpoints),
        plan.from,
      );
      const steps = trainer.step - plan.state.step;
      const stopped = end === 'cancelled' || signal.aborted;
      if (steps === 0 && (stopped || before.lessons.size + visits.byLesson.size === 0)) {
        return this.unchanged(stopped ? 'cancelled' : end, position, 0);
      }
      if (!stopped) this.report('measure', recall.share);
      if (!stopped) await recall.measureAtEnd(end, position.seconds);
      else if (work !== 'refresh') await recall.sampleAtStop();
      const ledger = nextLedger(before, {
        lessons,
        visited: visits.byLesson,
        documents,
        tokens,
        counts: recall.counts(),
        snapshot,
      });
      const absorbed = this.shareKnown(ledger);
      this.report('save', absorbed);
      const isWhole = lessons.every((lesson) => ledger.lessons.has(ledgerKey(lesson)));
      const isComplete = !stopped && isWhole;
      if (stopped || (work !== 'refresh' && !isComplete)) await checkpoints.save(position, !stopped, teaching.written);
      else if (!isComplete) await checkpoints.leaveRest();
      // Until it is whole, a refresh leaves the version before as it is, and so does what knows less than that.
      const isLess = work !== 'full' || absorbed < this.shareKnown(this.ledger);
      if (stopped && isLess) return this.unchanged('cancelled', position, steps);
      const { current: past } = this;
      const isWorse = work === 'anew' && !stopped && !(await recall.isBetterThan(past!, this.device));
      if (isWorse && (end !== 'saturated' || signal.aborted)) {
        // What was trained stays, to be gone on with.
        await checkpoints.save(position, !signal.aborted, teaching.written);
        return this.unchanged(end, position, steps);
      }
      // More of what was trained anew would gain little: the version before is as good as it gets.
      const known = isWorse ? this.ledger : ledger;
      const vector = isWorse ? past!.vector : (await trainer.state()).vector;
      const version = await this.save(plan, vector, known, isComplete);
      const visited = plan.fresh.some((lesson) => visits.byLesson.has(lesson));
      const isRefreshed = work === 'refresh' && !stopped;
      const isRestToGoOn = plan.rest === null ? visited : !this.request.editsOnly;
      this.isToGoOn = isRefreshed && (isComplete ? asksForConsolidation(this.request, version.note) : isRestToGoOn);
      const isLeft = plan.rest === null ? plan.keepsCheckpoint && isConsolidationDue(version.note) : !isComplete;
      if ((isComplete || isRefreshed) && !isLeft) await this.adapter.removeCheckpoints();
      return this.result(stopped ? 'cancelled' : end, position, steps, version.version, this.shareKnown(known), known);
    } finally {
      await teaching.close();
      await trainer.close();
    }
  }

  private liftControl(
    plan: AbsorptionPlan,
    trainer: Trainer,
    visits: Visits,
    recall: TrainingRecall,
    teaching: Teaching,
    checkpoints: Checkpoints,
  ): LiftControl {
    const { control } = this;
    const { signal } = control;
    // New text need not be known better than the rest is.
    const tokenShare = Math.min(mostTokenShare, Number(this.current?.version.note.absorbed ?? mostTokenShare));
    return {
      signal,
      clock: this.clock,
      whileRunning: () => control.whileRunning(),
      onProgress: (progress: LiftProgress) => {
        const { step: steps } = trainer;
        this.report('train', recall.share, { ...progress, steps, documentsSeen: visits.documentsSeen });
      },
      onStep: async (position: LiftPosition) => {
        await teaching.betweenSteps(position.seconds, signal);
        if (plan.work !== 'refresh') await recall.sampleNowAndThen(control.secondsBetweenSamples);
        if (!checkpoints.isDue(control.secondsBetweenCheckpoints)) return;
        await checkpoints.save(position, false, teaching.written);
      },
      onTrained: (lesson, count) => visits.note(lesson, count),
      onPassed: (lesson) => visits.note(lesson, null),
      measureRecall: async () => {
        if (plan.work !== 'refresh') return recall.measureAfterEpoch();
        const { fresh, learned } = plan;
        const found = await learnedOf(trainer, fresh, tokenShare, plan.settings.shape, signal);
        learned.clear();
        for (const lesson of found) learned.add(lesson);
        return fresh.length === 0 ? 1 : learned.size / fresh.length;
      },
    };
  }

  private save(
    { work, rest }: AbsorptionPlan,
    vector: Float32Array,
    ledger: Ledger,
    complete: boolean,
  ): Promise<AdapterVersion> {
    const { layout, repository, reason, method, current: past } = this;
    const isOfAll = work !== 'refresh' || rest !== null;
    const learned = isOfAll ? 0 : unlearnedTokens(this.ledger, repository) - unlearnedTokens(ledger, repository);
    const absorbed = this.shareKnown(ledger);
    const how = { repository, ledger, absorbed, learned, complete, reason, method, past };
    return saveVersion(this.adapter, { layout, vector, isOfAll, ...how });
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
