/** A LoRA step, an absorption, a refresh, reading in context and decoding, on a card with random weights. */
import { programFlops } from '../../native-host/bench/flops.ts';
import { Decoder } from '../../native-host/generate/decode.ts';
import { decodeProgram } from '../../native-host/generate/program.ts';
import { sampler } from '../../native-host/generate/sampler.ts';
import { adapterLayout, initialAdapter } from '../../native-host/model/adapter-init.ts';
import { uniformNumbers } from '../../native-host/model/random.ts';
import type { CudaDevice } from '../../native-host/runtime/cuda/cuda-device.ts';
import { type Device, int32, type RunResult } from '../../native-host/runtime/device.ts';
import { pack, type TrainingItem } from '../../native-host/train/packing.ts';
import { type BatchShape, gradientProgram } from '../../native-host/train/program.ts';
import { startState, Trainer } from '../../native-host/train/trainer.ts';
import type { RandomModel } from './models.ts';

export const loraRank = 16;
const learningRate = 1e-4;
/** A prompt goes through in pieces of this many tokens. */
const prefillTokens = 2048;

export interface StepResult {
  /** On the card's clock: gradient and update. */
  seconds: number;
  /** By the clock on the wall. */
  wallSeconds: number;
  flops: number;
  tokens: number;
  /** Bytes of the card's memory that the device holds during a step. */
  bytes: number;
  loss: number;
}

/** The best of several steps over full rows. */
export async function trainingStep(
  device: CudaDevice,
  model: RandomModel,
  shape: BatchShape,
  { steps, recompute }: { steps: number; recompute: boolean },
): Promise<StepResult> {
  const { watched, seconds } = watchRuns(device);
  const trainer = await openTrainer(watched, model, recompute);
  const tokens = shape.rows * shape.length;
  const items = Array.from({ length: shape.rows }, (_, i) => randomItem(model, shape.length, i));
  const [batch] = pack(items, shape);
  let best = Number.POSITIVE_INFINITY;
  let bestWall = Number.POSITIVE_INFINITY;
  let loss = Number.NaN;
  for (let i = 0; i < steps; i++) {
    const started = performance.now();
    const before = seconds();
    loss = (await trainer.accumulate(batch!, batch!.totalWeight)).loss;
    await trainer.takeStep(learningRate);
    best = Math.min(best, seconds() - before);
    bestWall = Math.min(bestWall, (performance.now() - started) / 1000);
  }
  const { used } = await device.memory();
  const flops = programFlops(gradientProgram(model.config, trainer.layout, shape)).total;
  await trainer.close();
  return { seconds: best, wallSeconds: bestWall, flops, tokens, bytes: used, loss };
}

export interface TokenCounts {
  /** Tokens of each segment and of each question with its answer, what frames them included. */
  segments: readonly number[];
  questions: readonly { tokens: number; answer: number }[];
}

export interface AbsorptionResult {
  /** From the items to the first token of an answer by the adapter that came of them. */
  seconds: number;
  trainingSeconds: number;
  firstTokenSeconds: number;
  trainedTokens: number;
  steps: number;
  bytes: number;
}

/** One epoch over the items in batches of the shape, an optimizer step each; then the first token of an answer. */
export async function absorption(
  device: CudaDevice,
  model: RandomModel,
  counts: TokenCounts,
  shape: BatchShape,
): Promise<AbsorptionResult> {
  // The model is resident and its programs are compiled, as in a host that has been used before.
  const trainer = await openTrainer(device, model);
  const warm = pack([randomItem(model, shape.length, 0)], shape)[0]!;
  for (let i = 0; i < 3; i++) await trainer.accumulate(warm, warm.totalWeight);
  await trainer.takeStep(0);
  const base = await Decoder.open(device, model, null);
  await base.generate(randomTokens(model, 64, 1), oneToken);
  await base.close();

  const started = performance.now();
  const items = [
    ...counts.segments.map((length, i) => randomItem(model, length, i)),
    ...counts.questions.map(({ tokens, answer }, i) => randomItem(model, tokens, i, answer)),
  ].sort((left, right) => right.tokens.length - left.tokens.length);
  let trainedTokens = 0;
  let steps = 0;
  for (const batch of pack(items, shape)) {
    await trainer.accumulate(batch, batch.totalWeight);
    await trainer.takeStep(learningRate);
    trainedTokens += batch.placed.reduce((sum, { item }) => sum + item.tokens.length, 0);
    steps += 1;
  }
  const trained = performance.now();
  const { vector } = await trainer.state();
  const decoder = await Decoder.open(device, model, { layout: trainer.layout, vector });
  await decoder.generate(randomTokens(model, 64, 2), oneToken);
  const ended = performance.now();
  const { used } = await device.memory();
  await decoder.close();
  await trainer.close();
  return {
    seconds: (ended - started) / 1000,
    trainingSeconds: (trained - started) / 1000,
    firstTokenSeconds: (ended - trained) / 1000,
    ...{ trainedTokens, steps, bytes: used },
  };
}

/** Time and memory until the first token of an answer when the text itself is in the prompt. */
export async function readingInContext(
  device: CudaDevice,
  model: RandomModel,
  tokens: number,
): Promise<{ seconds: number; bytes: number }> {
  const program = decodeProgram(model.config, null, tokens + 1);
  const executable = await device.compile(program, { weights: model.weights, caches: program.caches });
  const read = async (ids: readonly number[]) => {
    const cache = await executable.createCache();
    for (let start = 0; start < ids.length; start += prefillTokens) {
      const part = ids.slice(start, start + prefillTokens);
      const positions = int32(Int32Array.from(part, (_, i) => start + i));
      await executable.run({ ids: int32(Int32Array.from(part)), positions }, { priority: 'answer', cache });
    }
    const { used } = await device.memory();
    await device.releaseCache(cache);
    return used;
  };
  await read(randomTokens(model, 2 * prefillTokens, 3));
  const started = performance.now();
  const bytes = await read(randomTokens(model, tokens, 4));
  const seconds = (performance.now() - started) / 1000;
  await executable.release();
  return { seconds, bytes };
}

export interface DecodingResult {
  /** By the clock on the wall, and of the card alone. */
  tokensPerSecond: number;
  deviceTokensPerSecond: number;
  /** Bytes that a token reads at the least: every weight once. */
  weightBytes: number;
}

export async function decoding(device: CudaDevice, model: RandomModel, newTokens: number): Promise<DecodingResult> {
  const { watched, seconds, runs } = watchRuns(device);
  const layout = adapterLayout(model.config, { kind: 'lora', rank: loraRank, alpha: 2 * loraRank });
  const decoder = await Decoder.open(watched, model, { layout, vector: initialAdapter(layout, 1) });
  const options = { maxTokens: newTokens, sample: sampler({ temperature: 0 }), stopTokens: new Set<number>() };
  await decoder.generate(randomTokens(model, 64, 5), { ...options, maxTokens: 8 });
  const [before, runsBefore] = [seconds(), runs()];
  const { tokensPerSecond } = await decoder.generate(randomTokens(model, 64, 6), options);
  const deviceTokensPerSecond = (runs() - runsBefore) / (seconds() - before);
  await decoder.close();
  const { vocabSize, hiddenSize, tieWordEmbeddings } = model.config;
  // Of an input embedding that is not the output's, one row is read.
  const read = model.parameters - (tieWordEmbeddings ? 0 : vocabSize * hiddenSize);
  return { tokensPerSecond, deviceTokensPerSecond, weightBytes: 2 * read };
}

/** Milliseconds from asking to the first token of each answer, while training goes on. */
export async function answersBesideTraining(
  device: CudaDevice,
  model: RandomModel,
  shape: BatchShape,
  questions: number,
): Promise<{ firstTokenMs: number[]; steps: number }> {
  const trainer = await openTrainer(device, model);
  const batch = pack(
    Array.from({ length: shape.rows }, (_, i) => randomItem(model, shape.length, i)),
    shape,
  )[0]!;
  const decoder = await Decoder.open(device, model, null);
  await decoder.generate(randomTokens(model, 64, 7), oneToken);
  for (let i = 0; i < 3; i++) await trainer.accumulate(batch, batch.totalWeight);
  let steps = 0;
  let isOver = false;
  const training = (async () => {
    while (!isOver) {
      await trainer.accumulate(batch, batch.totalWeight);
      steps += 1;
    }
  })();
  const firstTokenMs: number[] = [];
  for (let i = 0; i < questions; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200 + 37 * i));
    firstTokenMs.push((await decoder.generate(randomTokens(model, 100, 8 + i), oneToken)).firstTokenMs);
  }
  isOver = true;
  await training;
  await decoder.close();
  await trainer.close();
  return { firstTokenMs, steps };
}

const oneToken = { maxTokens: 1, sample: sampler({ temperature: 0 }), stopTokens: new Set<number>() };

function openTrainer(device: Device, model: RandomModel, recompute?: boolean): Promise<Trainer> {
  const layout = adapterLayout(model.config, { kind: 'lora', rank: loraRank, alpha: 2 * loraRank });
  const state = startState(initialAdapter(layout, 1));
  return Trainer.open(device, model, layout, state, recompute === undefined ? {} : { recompute });
}

function randomTokens(model: RandomModel, count: number, seed: number): number[] {
  const uniform = uniformNumbers(seed);
  return Array.from({ length: count }, () => Math.floor(uniform() * model.config.vocabSize));
}

/** `answer`: only so many tokens at the end carry loss. */
function randomItem(model: RandomModel, length: number, seed: number, answer = length): TrainingItem {
  const tokens = randomTokens(model, length, seed);
  return { tokens, weights: tokens.map((_, i) => (i >= length - answer ? 1 : 0)), source: seed };
}

/** The device, with the seconds and the number of all runs on its own clock. */
function watchRuns(device: CudaDevice): { watched: Device; seconds: () => number; runs: () => number } {
  let total = 0;
  let count = 0;
  const noted = (result: RunResult): RunResult => {
    total += result.seconds;
    count += 1;
    return result;
  };
  const watched: Device = {
    name: device.name,
    compile: async (...given) => {
      const executable = await device.compile(...given);
      return {
        run: async (...inputs) => noted(await executable.run(...inputs)),
        createCache: () => executable.createCache(),
        release: () => executable.release(),
      };
    },
    upload: (tensor) => device.upload(tensor),
    view: (tensor, offset, shape) => device.view(tensor, offset, shape),
    download: (tensor) => device.download(tensor),
    release: (tensors) => device.release(tensors),
    truncate: (cache, length) => device.truncate(cache, length),
    releaseCache: (cache) => device.releaseCache(cache),
    close: () => device.close(),
  };
  return { watched, seconds: () => total, runs: () => count };
}
