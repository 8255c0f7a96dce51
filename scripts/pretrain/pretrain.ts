// Trains the embedded base model with the project's own engine, every parameter of it:
//   node dist/pretrain/pretrain.js language  --minutes 25   next-token loss on packages' sources and docs
//   node dist/pretrain/pretrain.js questions --minutes 20   supervision on questions about many small repositories
//   node dist/pretrain/pretrain.js reading   --minutes 60   supervision on reading texts in the prompt
//   node dist/pretrain/pretrain.js contexts  --minutes 40   supervision on questions about one of many texts in the prompt
//   node dist/pretrain/pretrain.js instructions --minutes 30   the same, and to refuse, to explain and to summarise
//   node dist/pretrain/pretrain.js episodes  --minutes 42 --from <model>   practice in being absorbed into
//   node dist/pretrain/pretrain.js export [--to lift-nano]   writes models/lift-base
// A stage goes on from the state that the one before it left in .cache/pretrain, or from a model of models/ (--from).
import { copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { deltaName } from '../../native-host/model/adapter-graph.ts';
import { wholeModelLayout } from '../../native-host/model/adapter-init.ts';
import type { AdapterLayout } from '../../native-host/model/adapter-layout.ts';
import { expectedTensors } from '../../native-host/model/config.ts';
import { readSafetensors, readTensor, storedTensor, writeSafetensors } from '../../native-host/model/safetensors.ts';
import { openOnnxDevice } from '../../native-host/runtime/onnx/onnx-device.ts';
import type { PackedBatch } from '../../native-host/train/packing.ts';
import { startState, Trainer, type TrainerState } from '../../native-host/train/trainer.ts';
import { contextBatches } from './contexts-stage.ts';
import { type ShardDocument, tokenShards } from './corpus.ts';
import { episodeLayout, episodes } from './episodes-stage.ts';
import { instructionBatches } from './instructions-stage.ts';
import { languageBatches, validationBatches } from './language-stage.ts';
import { huggingFaceConfig, nanoConfig, writeInitialWeights } from './nano.ts';
import { questionBatches } from './question-stage.ts';
import { readingBatches } from './reading-stage.ts';

const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
const cacheFolder = join(projectFolder, '.cache', 'pretrain');
const initialFile = join(cacheFolder, 'initial.safetensors');
const stateFile = join(cacheFolder, 'state.safetensors');
const logFile = join(cacheFolder, 'log.jsonl');

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '20' },
    rate: { type: 'string' },
    seed: { type: 'string', default: '1' },
    /** A model of models/ to begin with, in place of the state. */
    from: { type: 'string' },
    /** Of `export`. */
    to: { type: 'string', default: 'lift-base' },
  },
});
const [stage] = positionals;
const minutes = Number(values.minutes);
const wholeLayout = wholeModelLayout(nanoConfig);
const stages = {
  language: { stage: ofBatches(languageBatches), rate: 2e-3, last: 0.15, layout: wholeLayout, fresh: true },
  questions: { stage: ofBatches(questionBatches), rate: 1e-3, last: 0.03, layout: wholeLayout },
  reading: { stage: ofBatches(readingBatches), rate: 1e-3, last: 0.03, layout: wholeLayout },
  contexts: { stage: ofBatches(contextBatches), rate: 7e-4, last: 0.03, layout: wholeLayout },
  instructions: { stage: ofBatches(instructionBatches), rate: 7e-4, last: 0.03, layout: wholeLayout },
  episodes: { stage: episodes, rate: 4e-4, last: 0.05, layout: episodeLayout, warmUp: 20 },
} satisfies Record<string, StagePlan>;
await mkdir(cacheFolder, { recursive: true });

if (stage === 'export') await exportModel();
else if (Object.hasOwn(stages, stage ?? '')) await train(stages[stage as keyof typeof stages]);
else throw new Error(`say which stage: ${Object.keys(stages).join(', ')} or export`);

export interface BatchContext {
  projectFolder: string;
  cacheFolder: string;
  tokens: Uint16Array;
  documents: ShardDocument[];
  seed: number;
}

/** A batch for a share of the stage's time (0 to 1). */
export type BatchSource = (context: BatchContext) => Promise<(progress: number) => PackedBatch>;

/** Advances training at a share of the stage's time (0 to 1) with a learning rate; gives a loss, and the tokens gone through. */
export type Stage = (
  context: BatchContext,
  trainer: Trainer,
) => Promise<(progress: number, rate: number) => Promise<{ loss: number; tokens: number }>>;

interface StagePlan {
  stage: Stage;
  /** The learning rate falls linearly to the share `last` of itself. */
  rate: number;
  last: number;
  layout: AdapterLayout;
  /** Whether it begins with random weights. */
  fresh?: boolean;
  /** Over so many rounds the learning rate rises; as many are between two lines of the log. */
  warmUp?: number;
}

function ofBatches(source: BatchSource): Stage {
  return async (context, trainer) => {
    const nextBatch = await source(context);
    return async (progress, rate) => {
      const batch = nextBatch(progress);
      const { loss } = await trainer.accumulate(batch, batch.totalWeight);
      await trainer.takeStep(rate);
      return { loss, tokens: batch.ids.length };
    };
  };
}

async function train({
  stage: kind,
  rate: usualRate,
  last,
  layout,
  fresh = false,
  warmUp = 100,
}: StagePlan): Promise<void> {
  const shards = await tokenShards(cacheFolder);
  if (shards === null) throw new Error('there are no tokens yet: run `node dist/pretrain/data.js` first');
  const seed = Number(values.seed);
  const rate = Number(values.rate ?? usualRate);
  if (fresh) await writeInitialWeights(initialFile, seed);
  else if (values.from !== undefined) await writeWeightsOf(values.from);
  const initial = await readSafetensors(initialFile);
  const weights = new Map([...initial.entries.keys()].map((name) => [name, storedTensor(initial, name)]));
  const device = openOnnxDevice('cpu', new URL('../worker.js', import.meta.url));
  const state = fresh || values.from !== undefined ? startState(new Float32Array(layout.length)) : await readState();
  const trainer = await Trainer.open(device, { config: nanoConfig, weights }, layout, state);
  const { tokens: all, index } = shards;
  const advance = await kind({ projectFolder, cacheFolder, tokens: all, documents: index.documents, seed }, trainer);
  const validation = validationBatches(all, index.documents);

  const started = Date.now();
  let trained = 0;
  let mean = Number.NaN;
  let saved = started;
  for (let round = 1; ; round++) {
    const progress = (Date.now() - started) / 60_000 / minutes;
    if (progress >= 1) break;
    const warm = Math.min(1, round / warmUp);
    const { loss, tokens } = await advance(progress, rate * warm * (1 - (1 - last) * progress));
    trained += tokens;
    mean = Number.isNaN(mean) ? loss : 0.98 * mean + 0.02 * loss;
    if (round % warmUp === 0) {
      const seconds = (Date.now() - started) / 1000;
      await log({
        round,
        loss: rounded(mean),
        tokens: trained,
        seconds: Math.round(seconds),
        tokensPerSecond: Math.round(trained / seconds),
      });
    }
    if (Date.now() - saved > 120_000) {
      await writeState(await trainer.state());
      saved = Date.now();
    }
  }
  await writeState(await trainer.state());
  const losses: number[] = [];
  for (const batch of validation) losses.push((await trainer.measure(batch)).loss);
  const validationLoss = rounded(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
  await log({ step: trainer.step, validationLoss, tokens: trained, minutes });
  await trainer.close();
  await device.close();
}

async function log(entry: Record<string, number>): Promise<void> {
  const line = JSON.stringify({ stage, ...entry });
  await writeFile(logFile, `${line}\n`, { flag: 'a' });
  console.log(line);
}

/** A model's weights, as float32, as those that training begins with. */
async function writeWeightsOf(name: string): Promise<void> {
  const file = await readSafetensors(join(projectFolder, 'models', name, 'model.safetensors'));
  const tensors = await Promise.all(
    [...expectedTensors(nanoConfig)].map(async ([tensor, shape]) => {
      return { name: tensor, shape, dtype: 'F32' as const, data: await readTensor(storedTensor(file, tensor)) };
    }),
  );
  await writeSafetensors(initialFile, tensors);
}

async function exportModel(): Promise<void> {
  const initial = await readSafetensors(initialFile);
  const { vector } = await readState();
  const layout = [wholeLayout, episodeLayout].find(({ length }) => length === vector.length)!;
  const tensors = await Promise.all(
    [...expectedTensors(nanoConfig)].map(async ([name, shape]) => {
      const data = await readTensor(storedTensor(initial, name));
      const { offset } = layout.entries.find((entry) => entry.name === deltaName(name)) ?? {};
      if (offset !== undefined) for (let i = 0; i < data.length; i++) data[i]! += vector[offset + i]!;
      return { name, shape, dtype: 'F16' as const, data };
    }),
  );
  const nanoFolder = join(projectFolder, 'models', 'lift-nano');
  const modelFolder = join(projectFolder, 'models', values.to);
  await mkdir(modelFolder, { recursive: true });
  if (modelFolder !== nanoFolder) {
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
      await copyFile(join(nanoFolder, file), join(modelFolder, file));
    }
  }
  await writeSafetensors(join(modelFolder, 'model.safetensors'), tensors, { format: 'pt' });
  await writeFile(join(modelFolder, 'config.json'), `${JSON.stringify(huggingFaceConfig, null, 2)}\n`);
  console.log(`wrote ${modelFolder}`);
}

async function readState(): Promise<TrainerState> {
  const file = await readSafetensors(stateFile);
  const read = (name: string) => readTensor(storedTensor(file, name));
  return {
    vector: await read('vector'),
    first: await read('first'),
    second: await read('second'),
    step: Number(file.metadata.step),
  };
}

async function writeState({ step, vector, first, second }: TrainerState): Promise<void> {
  const tensors = Object.entries({ vector, first, second: second! }).map(([name, data]) => ({
    name,
    shape: [data.length],
    dtype: 'F32' as const,
    data,
  }));
  await writeSafetensors(`${stateFile}.part`, tensors, { step: String(step) });
  await rename(`${stateFile}.part`, stateFile);
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
