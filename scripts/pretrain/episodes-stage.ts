// Episodes of LIFT: practice in being absorbed into. Each takes one package, learns some of its facts and documents as an
// adapter does, from zero and in few steps, and then asks in other wordings, with and without texts in the prompt. What the
// asking changes at the learned weights is added to the weights before learning: first-order meta-learning (Finn et al.,
// "Model-Agnostic Meta-Learning", arXiv 1703.03400), with a small share of what was learned itself, as in Reptile (Nichol et
// al., arXiv 1803.02999). Batches of the stage before go on beside it.

import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import { renderContext } from '../../native-host/generate/context-format.ts';
import { adapterLayout } from '../../native-host/model/adapter-init.ts';
import { shuffled } from '../../native-host/model/random.ts';
import { conversationItem, questionItem } from '../../native-host/train/items.ts';
import { type PackedBatch, pack, type TrainingItem } from '../../native-host/train/packing.ts';
import { recipeFor } from '../../native-host/train/recipe.ts';
import type { TrainerState } from '../../native-host/train/trainer.ts';
import { instructionBatches } from './instructions-stage.ts';
import { randomRow } from './language-stage.ts';
import { nanoConfig } from './nano.ts';
import type { PackageFact } from './package-facts.ts';
import type { BatchContext, Stage } from './pretrain.ts';
import { Supervision } from './supervision.ts';

const factsOfEpisode = 28;
const visitsOfFact = 7;
const learningSteps = 16;
const askingSteps = 4;
const otherSteps = 3;
/** Of the distance that learning went. */
const shareOfLearned = 0.05;
const fewestFacts = 40;
const askedShape = { rows: 4, length: 512 };

const recipe = recipeFor(4_000_000, nanoConfig.maxPositionEmbeddings);

/** What an adapter of the product changes, and nothing else. */
export const episodeLayout = adapterLayout(nanoConfig, recipe.adapter);

export const episodes: Stage = async (context, trainer) => {
  const practice = await Practice.open(context);
  const others = await instructionBatches(context);
  return async (progress, rate) => {
    const base = await trainer.state();
    const { learned, asked } = practice.episode();
    await trainer.restore({ ...emptyLike(base), vector: base.vector });
    let tokens = 0;
    for (const [i, batch] of learned.entries()) {
      await trainer.accumulate(batch, batch.totalWeight);
      await trainer.takeStep(recipe.full.learningRate * Math.min(1, (i + 1) / 4) * (1 - (0.9 * i) / learned.length));
      tokens += batch.ids.length;
    }
    const { vector: adapted } = await trainer.state();
    await trainer.restore({ ...base, vector: adapted });
    let loss = 0;
    for (const [i, batch] of asked.entries()) {
      const result = await trainer.accumulate(batch, batch.totalWeight);
      if (i === 0) loss = result.loss;
      await trainer.takeStep(rate);
      tokens += batch.ids.length;
    }
    const after = await trainer.state();
    const vector = base.vector.map(
      (value, i) => value + (after.vector[i]! - adapted[i]!) + shareOfLearned * (adapted[i]! - value),
    );
    await trainer.restore({ ...after, vector });
    for (let step = 0; step < otherSteps; step++) {
      const batch = others(progress);
      await trainer.accumulate(batch, batch.totalWeight);
      await trainer.takeStep(rate);
      tokens += batch.ids.length;
    }
    return { loss, tokens };
  };
};

function emptyLike({ vector }: TrainerState): TrainerState {
  const zeros = () => new Float32Array(vector.length);
  return { vector: zeros(), first: zeros(), second: zeros(), step: 0 };
}

class Practice {
  private constructor(
    private readonly supervision: Supervision,
    private readonly packages: readonly (readonly PackageFact[])[],
    private readonly segmentBeside: (fact: PackageFact) => TrainingItem | undefined,
  ) {}

  static async open(context: BatchContext): Promise<Practice> {
    const supervision = await Supervision.open(context);
    const byPackage = new Map<string, PackageFact[]>();
    for (const fact of supervision.facts) {
      const facts = byPackage.get(fact.package);
      if (facts === undefined) byPackage.set(fact.package, [fact]);
      else facts.push(fact);
    }
    const packages = [...byPackage.values()].filter(({ length }) => length >= fewestFacts);
    const { tokens, documents } = context;
    const places = new Map(documents.map((document) => [placeOf(document), document]));
    return new Practice(supervision, packages, (fact) => {
      const document = places.get(placeOf(fact));
      return document && randomRow(tokens, document, recipe.full.shape.length, supervision.uniform);
    });
  }

  /** Facts of one package: batches to learn from, and batches that ask in other wordings. */
  episode(): { learned: PackedBatch[]; asked: PackedBatch[] } {
    const { supervision } = this;
    const { uniform } = supervision;
    const facts = shuffled(supervision.pick(this.packages), uniform).slice(0, factsOfEpisode);
    const wordings = facts.map((fact) => {
      const all = shuffled(wordingsOf(fact), uniform).map(({ text }) => text);
      const half = Math.ceil(all.length / 2);
      return { fact, learned: all.slice(0, half), asked: all.slice(half) };
    });
    const { shape } = recipe.full;
    const questions = wordings.flatMap(({ fact, learned }) =>
      Array.from({ length: visitsOfFact }, () =>
        questionItem(supervision.text, supervision.pick(learned), fact.answer, recipe.answerWeight),
      ),
    );
    const segments = Array.from({ length: learningSteps * 2 }, () => this.segmentBeside(supervision.pick(facts)));
    const items = shuffled([...questions, ...segments.filter((item) => item !== undefined)], uniform);
    const learned = pack(
      items.filter(({ tokens }) => tokens.length <= shape.length),
      shape,
    ).slice(0, learningSteps);
    const askable = wordings.filter(({ asked }) => asked.length > 0);
    const ask = () => {
      const { fact, asked } = supervision.pick(askable);
      return this.asked(fact, supervision.pick(asked), facts);
    };
    return { learned, asked: Array.from({ length: askingSteps }, () => supervision.fill(askedShape, [ask])) };
  }

  /** Half alone, a quarter beside other texts of the package, a quarter beside these and the right one. */
  private asked(fact: PackageFact, question: string, facts: readonly PackageFact[]): TrainingItem {
    const { supervision } = this;
    const choice = supervision.uniform();
    const wrong = shuffled(
      facts.filter(({ excerpt, path }) => excerpt !== null && path !== fact.path),
      supervision.uniform,
    ).slice(0, 1 + Math.floor(2 * supervision.uniform()));
    const shown = choice < 0.5 ? [] : choice < 0.75 || fact.excerpt === null ? wrong : [...wrong, fact];
    const texts = shuffled(shown, supervision.uniform).map(({ path, excerpt }) => ({ path, text: excerpt! }));
    const content = texts.length === 0 ? question : renderContext(texts, question);
    return conversationItem(supervision.text, [{ role: 'user', content }], fact.answer, 1);
  }
}

function placeOf({ package: name, path }: { package: string; path: string }): string {
  return `${name}\0${path}`;
}
