/** What an adapter knows of a repository, beside what the base knows without it. */

import type { Fact } from '../corpus/questions/fact.ts';
import { wordingsOf } from '../corpus/questions/wordings.ts';
import { Decoder } from '../generate/decode.ts';
import { sampler } from '../generate/sampler.ts';
import { surestAnswer } from '../generate/surest.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import { frozenWeights } from '../model/coded-weights.ts';
import type { BaseModel } from '../model/open-model.ts';
import { shuffled, uniformNumbers } from '../model/random.ts';
import { type Device, float32 } from '../runtime/device.ts';
import { encodeConversation } from '../train/items.ts';
import { exactAnswers, type Measurable, measureItems, recallItems, shareRight } from '../train/measure.ts';
import { batchInputs, type PackedBatch, type TrainingItem } from '../train/packing.ts';
import { type BatchShape, lossProgram } from '../train/program.ts';
import { type Recipe, recipeFor } from '../train/recipe.ts';
import { chosenFacts, type Repository } from './repository.ts';

export interface Adapter {
  layout: AdapterLayout;
  vector: Float32Array;
}

export interface ProbeQuestion {
  fact: Fact;
  /** A wording that this repository's training uses, and one that it never does. */
  trained: string;
  heldBack: string;
}

/** A fixed choice of facts for a repository, each with one wording of both kinds. */
export function probesOf(facts: readonly Fact[], most: number): ProbeQuestion[] {
  const uniform = uniformNumbers(2026);
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(uniform() * items.length)];
  const probes: ProbeQuestion[] = [];
  for (const fact of shuffled(facts, uniform)) {
    if (probes.length >= most) break;
    const wordings = wordingsOf(fact);
    const trained = pick(wordings.filter(({ heldBack }) => !heldBack));
    const heldBack = pick(wordings.filter((wording) => wording.heldBack));
    if (trained && heldBack) probes.push({ fact, trained: trained.text, heldBack: heldBack.text });
  }
  return probes;
}

export interface ArmScore {
  /** Share of the corpus's tokens predicted right, as `absorbed` counts them. */
  nextTokenAccuracy: number;
  /** For each probe: answered exactly in the wording of that kind. */
  trained: boolean[];
  heldBack: boolean[];
}

/** Measures one adapter, or the base with null. Errors: the signal's reason where it aborts. */
export async function scoreArm(
  device: Device,
  model: BaseModel,
  adapter: Adapter | null,
  repository: Repository,
  probes: readonly ProbeQuestion[],
  recipe: Recipe,
  signal: AbortSignal,
): Promise<ArmScore> {
  const { shape } = recipe.full;
  const measurable = await openMeasurable(device, model, adapter, shape);
  try {
    const items = recallItemsOf(model, repository, recipe.segmentLength);
    const nextTokenAccuracy = shareRight((await measureItems(measurable, items, shape, signal)).values());
    const exact = (kind: 'trained' | 'heldBack') => {
      const questions = probes.map((probe) => ({ question: probe[kind], answer: probe.fact.answer }));
      return exactAnswers(measurable, model, questions, shape, signal);
    };
    const score = { nextTokenAccuracy, trained: await exact('trained'), heldBack: await exact('heldBack') };
    // What was measured in part is no score.
    signal.throwIfAborted();
    return score;
  } finally {
    await measurable.close();
  }
}

/** One document after another, as they are asked for: a large corpus need not be in memory as items. */
export function* recallItemsOf(
  model: BaseModel,
  { documents, tokens }: Pick<Repository, 'documents' | 'tokens'>,
  segmentLength: number,
): Generator<TrainingItem> {
  for (const { path } of documents) yield* recallItems(model, path, tokens.get(path)!, segmentLength);
}

/** An adapter, or the base with null, to measure batches of that shape with. */
export async function openMeasurable(
  device: Device,
  model: BaseModel,
  adapter: Adapter | null,
  shape: BatchShape,
): Promise<Measurable & { close(): Promise<void> }> {
  const program = lossProgram(model.config, adapter?.layout ?? null, shape);
  const executable = await device.compile(program, frozenWeights(model));
  const parameters = adapter === null ? null : await device.upload(float32(adapter.vector));
  return {
    async measure(batch: PackedBatch) {
      const inputs = { ...batchInputs(batch, 1), ...(parameters === null ? {} : { parameters }) };
      const { host } = await executable.run(inputs);
      return {
        loss: host.loss!.data[0]! / Math.max(batch.totalWeight, 1e-9),
        perToken: host.perToken!.data as Float32Array,
        correct: host.correct!.data as Float32Array,
      };
    },
    async close() {
      if (parameters !== null) await device.release([parameters]);
      await executable.release();
    },
  };
}

/** Greedy answers to questions, without any text in context. Errors: the signal's reason where it aborts. */
export async function greedyAnswers(
  device: Device,
  model: BaseModel,
  adapter: Adapter | null,
  questions: readonly string[],
  maxTokens: number,
  signal: AbortSignal,
): Promise<string[]> {
  const decoder = await Decoder.open(device, model, adapter);
  const answers: string[] = [];
  try {
    for (const question of questions) {
      const prompt = encodeConversation(model, [{ role: 'user', content: question }], true);
      answers.push(await greedyAnswer(decoder, model, [prompt], maxTokens, signal));
    }
  } finally {
    await decoder.close();
  }
  return answers;
}

/** The greedy answer to one of these prompts, the surest. Each ends where the answer begins. Errors: the signal's reason where it aborts. */
export async function greedyAnswer(
  decoder: Decoder,
  model: BaseModel,
  prompts: readonly (readonly number[])[],
  maxTokens: number,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const sample = sampler({ temperature: 0 });
  const options = { maxTokens, sample, stopTokens: model.endTokens, signal };
  const { generated } = await surestAnswer(decoder, prompts, options);
  // What was answered in part is no answer.
  signal.throwIfAborted();
  return model.tokenizer.decode(generated.tokens).trim();
}

/** Overlap of words, as in SQuAD: harmonic mean of precision and recall over the words of both texts. */
export function tokenF1(answer: string, wanted: string): number {
  const words = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
  const left = words(answer);
  const right = words(wanted);
  if (left.length === 0 || right.length === 0) return left.length === right.length ? 1 : 0;
  const counts = new Map<string, number>();
  for (const word of right) counts.set(word, (counts.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of left) {
    const count = counts.get(word) ?? 0;
    if (count > 0) shared += 1;
    counts.set(word, count - 1);
  }
  return shared === 0 ? 0 : (2 * shared) / (left.length + right.length);
}

export interface RepositoryScore {
  nextTokenAccuracy: number;
  baseNextTokenAccuracy: number;
  exactMatch: number;
  baseExactMatch: number;
  trainedExactMatch: number;
  baseTrainedExactMatch: number;
  tokenF1: number;
  baseTokenF1: number;
  probes: number;
  byStratum: Record<string, { probes: number; exactMatch: number; baseExactMatch: number; trainedExactMatch: number }>;
}

export const longestAnswerTokens = 48;

/** An adapter and the base side by side, on the same probes. */
export async function probeRepository(
  device: Device,
  model: BaseModel,
  adapter: Adapter,
  repository: Repository,
  most: number,
  signal: AbortSignal,
): Promise<RepositoryScore> {
  const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings, adapter.layout.kind);
  const probes = probesOf(await chosenFacts(repository, recipe, signal), most);
  const adapted = await scoreArm(device, model, adapter, repository, probes, recipe, signal);
  const base = await scoreArm(device, model, null, repository, probes, recipe, signal);
  const f1 = async (arm: Adapter | null, exact: readonly boolean[]) => {
    // An exact answer has an F1 of 1; only the others have to be generated.
    const missed = probes.filter((_, i) => !exact[i]);
    const questions = missed.map(({ heldBack }) => heldBack);
    const answers = await greedyAnswers(device, model, arm, questions, longestAnswerTokens, signal);
    const ofMissed = answers.reduce((total, answer, i) => total + tokenF1(answer, missed[i]!.fact.answer), 0);
    return probes.length === 0 ? 0 : (ofMissed + probes.length - missed.length) / probes.length;
  };
  const strata = [...new Set(probes.map(({ fact }) => fact.stratum))].sort();
  return {
    nextTokenAccuracy: adapted.nextTokenAccuracy,
    baseNextTokenAccuracy: base.nextTokenAccuracy,
    exactMatch: share(adapted.heldBack),
    baseExactMatch: share(base.heldBack),
    trainedExactMatch: share(adapted.trained),
    baseTrainedExactMatch: share(base.trained),
    tokenF1: await f1(adapter, adapted.heldBack),
    baseTokenF1: await f1(null, base.heldBack),
    probes: probes.length,
    byStratum: Object.fromEntries(
      strata.map((stratum) => {
        const of = (flags: readonly boolean[]) => flags.filter((_, i) => probes[i]!.fact.stratum === stratum);
        const score = {
          probes: of(adapted.heldBack).length,
          exactMatch: share(of(adapted.heldBack)),
          baseExactMatch: share(of(base.heldBack)),
          trainedExactMatch: share(of(adapted.trained)),
        };
        return [stratum, score];
      }),
    ),
  };
}

/** Answers of the base and of an adapter to the first probes: the first half in trained wordings, the rest in new ones. */
export async function shownAnswers(
  device: Device,
  model: BaseModel,
  adapter: Adapter,
  repository: Repository,
  count: number,
  signal: AbortSignal,
) {
  const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings, adapter.layout.kind);
  const probes = probesOf(await chosenFacts(repository, recipe, signal), count).map(
    ({ fact, trained, heldBack }, i) => ({
      question: i < count / 2 ? trained : heldBack,
      wording: i < count / 2 ? ('trained wording' as const) : ('new wording' as const),
      answer: fact.answer,
    }),
  );
  const questions = probes.map(({ question }) => question);
  const base = await greedyAnswers(device, model, null, questions, longestAnswerTokens, signal);
  const adapted = await greedyAnswers(device, model, adapter, questions, longestAnswerTokens, signal);
  return probes.map((probe, i) => ({ ...probe, base: base[i] ?? '', adapted: adapted[i] ?? '' }));
}

function share(flags: readonly boolean[]): number {
  return flags.length === 0 ? 0 : flags.filter(Boolean).length / flags.length;
}
