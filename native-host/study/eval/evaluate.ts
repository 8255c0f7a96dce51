/** An evaluation: adapters trained for it alone, each arm asked the same questions, and what came of it. */

import { adapterLayout, initialAdapter } from '../../model/adapter-init.ts';
import type { AdapterKind } from '../../model/adapter-layout.ts';
import type { BaseModel } from '../../model/open-model.ts';
import type { Device } from '../../runtime/device.ts';
import { recipeForCorpus } from '../../train/corpus-recipe.ts';
import { exactAnswers } from '../../train/measure.ts';
import { kindFor, type Recipe, recipeFor, withTexts } from '../../train/recipe.ts';
import { type Method, methodOf } from '../method.ts';
import type { Adapter } from '../probe.ts';
import { lessonsOf, type Repository, readKnowledge } from '../repository.ts';
import { shownTexts } from '../shown-texts.ts';
import { answersOf, referenceNlls } from './answer-arm.ts';
import { type AdapterSource, type ArmName, armNames, arms } from './arms.ts';
import { bootstrapMean } from './bootstrap.ts';
import { comparisonsOf, type MeasuredArm } from './comparisons.ts';
import { type EvalMaterial, materialOf } from './eval-material.ts';
import { defaults, type EvalControl, type EvalRequest } from './eval-request.ts';
import type { EvalResult, TrainingResult } from './eval-result.ts';
import { withPeakMemory } from './peak-memory.ts';
import { scored, scoreOf, scoresByStratum } from './scores.ts';
import { trainAdapter } from './train-adapter.ts';
import { type Known, measureKnown } from './what-is-known.ts';

export interface EvalSubject {
  repository: Repository;
  /** Whose adapter is the wrong one. */
  other: Repository | null;
}

/** More is not put into a prompt, whatever the model's window: a row of that length is measured at once. */
const longestWindow = 2048;

/** Errors: Error where there is nothing to ask or an arm lacks its repository; the signal's reason where it aborts. */
export async function evaluate(
  device: Device,
  model: BaseModel,
  subject: EvalSubject,
  request: EvalRequest,
  control: EvalControl,
): Promise<EvalResult> {
  const wanted = request.arms ?? armNames.filter((name) => name !== 'wrong' || subject.other !== null);
  if (wanted.includes('wrong') && subject.other === null)
    throw new Error('the arm "wrong" needs another repository, whose adapter is put to these questions');
  const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings, kindFor(model));
  const window = Math.min(model.config.maxPositionEmbeddings, longestWindow);
  const material = await materialOf(model, subject.repository, recipe, window, request, control.signal);
  return new Evaluation(device, model, subject, wanted, material, request, control).run();
}

interface TrainedArm {
  adapter: Adapter | null;
  training: TrainingResult | null;
}

class Evaluation {
  private readonly seed: number;
  private readonly budget: Pick<EvalRequest, 'minutes' | 'epochs' | 'steps'>;
  private readonly measured: MeasuredArm[] = [];
  private readonly trainings: TrainingResult[] = [];

  constructor(
    private readonly device: Device,
    private readonly model: BaseModel,
    private readonly subject: EvalSubject,
    private readonly wanted: readonly ArmName[],
    private readonly material: EvalMaterial,
    private readonly request: EvalRequest,
    private readonly control: EvalControl,
  ) {
    const { minutes, epochs, steps } = request;
    this.seed = request.seed ?? defaults.seed;
    this.budget = {
      ...(epochs === undefined && steps === undefined ? { minutes: minutes ?? defaults.minutes } : {}),
      ...(minutes === undefined ? {} : { minutes }),
      ...(epochs === undefined ? {} : { epochs }),
      ...(steps === undefined ? {} : { steps }),
    };
  }

  async run(): Promise<EvalResult> {
    const { model, subject, request, material, seed } = this;
    const kinds = request.adapterKinds ?? [this.recipe().adapter.kind];
    const { byFolder: _, ...base } = await this.known('base', null, this.recipe());
    await this.measureArms('none', { adapter: null, training: null }, null, '');
    for (const kind of kinds) {
      const suffix = kinds.length > 1 ? ` (${kind})` : '';
      const sources = new Set(this.wanted.map((name) => arms[name].adapter));
      for (const source of sources) {
        if (source === 'none') continue;
        const made = await this.make(source, kind, suffix);
        await this.measureArms(source, made, kind, suffix);
      }
    }
    return {
      format: 1,
      folder: subject.repository.folder,
      adapterOf: subject.other?.folder ?? null,
      model: model.folder.split(/[\\/]/).at(-1)!,
      modelParameters: model.parameters,
      device: this.device.name,
      window: material.window,
      documents: subject.repository.documents.length,
      tokens: subject.repository.tokenCount,
      seed,
      budget: {
        minutes: this.budget.minutes ?? null,
        epochs: this.budget.epochs ?? null,
        steps: this.budget.steps ?? null,
      },
      base,
      arms: this.measured.map(({ result }) => result),
      trainings: this.trainings,
      comparisons: comparisonsOf(this.measured, seed),
      questions: material.questions,
    };
  }

  /** The adapter that a source stands for. */
  private async make(source: Exclude<AdapterSource, 'none'>, kind: AdapterKind, suffix: string): Promise<TrainedArm> {
    const { device, model, seed, subject, material } = this;
    const { signal, onProgress } = this.control;
    const recipe = this.recipe(kind);
    if (source === 'untrained') {
      const layout = adapterLayout(model.config, recipe.adapter);
      return { adapter: { layout, vector: initialAdapter(layout, seed) }, training: null };
    }
    const isOther = source === 'otherRepository';
    const taught = isOther ? subject.other! : material.planted;
    const known = isOther ? await readKnowledge(taught, recipe, signal) : material;
    const method = this.methodFor(source);
    const { documents, tokens } = taught;
    const { length: rowLength } = recipe.full.shape;
    const shown = method.has('distractors') ? shownTexts(model, documents, rowLength) : undefined;
    const all = await lessonsOf(model, taught, known, recipe, signal, undefined, shown);
    const isPart = source === 'segments' || source === 'questions';
    const lessons = all.filter(({ kind }) => !isPart || `${kind}s` === source);
    const isStudied = () => true;
    const name = `${isOther ? 'other repository' : source}${suffix}`;
    const asked = material.questions.filter(({ set }) => set === 'probe');
    const { result, peakBytes } = await withPeakMemory(() =>
      trainAdapter(
        device,
        model,
        lessons,
        { recipe, method, documents, tokens, shown, isStudied, cacheFolder: null },
        { ...this.budget, seed },
        {
          signal,
          onProgress: (done, loss) => onProgress({ stage: 'training', name, done, loss }),
          measureProbes: async (measurable) => {
            const answers = await exactAnswers(measurable, model, asked, recipe.full.shape, signal);
            return answers.filter(Boolean).length / asked.length;
          },
        },
      ),
    );
    const training: TrainingResult = {
      name,
      adapterKind: kind,
      lessons: isOther ? 'everything' : source,
      method: [...method],
      folder: taught.folder,
      peakBytes,
      ...result.training,
      ...(await this.known(name, result.adapter, recipe)),
    };
    this.trainings.push(training);
    return { adapter: result.adapter, training };
  }

  /** Asks every arm that answers with this adapter. */
  private async measureArms(
    source: AdapterSource,
    { adapter, training }: TrainedArm,
    adapterKind: AdapterKind | null,
    suffix: string,
  ): Promise<void> {
    const { device, model, seed, control } = this;
    const { contexts, questions, window } = this.material;
    const { signal } = control;
    for (const arm of this.wanted.filter((name) => arms[name].adapter === source)) {
      const name = `${arm}${suffix}`;
      const { context } = arms[arm];
      control.onProgress({ stage: 'answering', name, done: 0 });
      const { references = [] } = this.request;
      const { result, peakBytes } = await withPeakMemory(async () => ({
        ...(await answersOf(device, model, adapter, context, contexts, questions, signal)),
        nlls: await referenceNlls(device, model, adapter, context, contexts, references, window, signal),
      }));
      control.onProgress({ stage: 'answering', name, done: 1 });
      const { answers, nlls, promptTokens, answerSeconds } = result;
      const scores = questions.map((asked, i) => {
        asked.answers[name] = answers[i]!;
        return scored(asked.stratum, answers[i]!, asked.answer);
      });
      const probes = scores.filter((_, i) => questions[i]!.set === 'probe');
      const needles = scores.filter((_, i) => questions[i]!.set === 'needle');
      this.measured.push({
        exact: probes.map(({ exact }) => exact),
        nlls,
        result: {
          arm,
          adapterKind,
          name,
          probes: scoreOf(probes, seed),
          byStratum: scoresByStratum(probes, seed),
          needles: needles.length === 0 ? null : scoreOf(needles, seed),
          references: nlls.length === 0 ? null : { questions: nlls.length, nll: bootstrapMean(nlls, seed) },
          training: training?.name ?? null,
          promptTokens,
          answerSeconds,
          peakBytes,
        },
      });
    }
  }

  private async known(name: string, adapter: Adapter | null, recipe: Recipe): Promise<Known> {
    this.control.onProgress({ stage: 'measuring', name, done: 0 });
    const { device, model, subject, material, control } = this;
    return measureKnown(device, model, adapter, subject.repository, material.probes, recipe, control.signal);
  }

  private recipe(kind?: AdapterKind): Recipe {
    const { model, subject, request } = this;
    const asked = { kind: kindFor(model, kind), optimizer: request.optimizer };
    const { recipe } = recipeForCorpus(model, subject.repository.tokenCount, asked, null);
    const hasTexts = methodOf(request.method).has('distractors');
    return hasTexts ? withTexts(recipe, model.config.maxPositionEmbeddings) : recipe;
  }

  private methodFor(source: AdapterSource): Method {
    const method = methodOf(this.request.method);
    if (source === 'distilled') return new Set([...method, 'self-study', 'distillation']);
    const isPart = source === 'segments' || source === 'questions';
    return isPart ? new Set([...method].filter((name) => name !== 'self-study' && name !== 'distillation')) : method;
  }
}
