// `node dist/bench-weight-forms.js [--shapes 135m,0.5b]`: what frozen matrices in 8 and 4 bits save and cost, written to
// bench/RESULTS.md. Loss: the embedded model on this repository's own sources, before and after training an adapter on them.
// Speed and memory: random weights in the shapes of real models, each in a process of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { peakMegabytes } from '../native-host/bench/bench-row.ts';
import { openBenchModel, randomTokens } from '../native-host/bench/shapes.ts';
import { Decoder } from '../native-host/generate/decode.ts';
import { sampler } from '../native-host/generate/sampler.ts';
import { embeddedModelFolder } from '../native-host/locations.ts';
import { adapterLayout, initialAdapter } from '../native-host/model/adapter-init.ts';
import { codedWeights, type FrozenWeights } from '../native-host/model/coded-weights.ts';
import { openBaseModel } from '../native-host/model/open-model.ts';
import { asFloat32 } from '../native-host/model/weight-cache.ts';
import { type WeightForm, weightForms } from '../native-host/runtime/fitting.ts';
import { openOnnxDevice } from '../native-host/runtime/onnx/onnx-device.ts';
import { pack } from '../native-host/train/packing.ts';
import { startState, type TrainableModel, Trainer } from '../native-host/train/trainer.ts';
import { figure, lastLine, run } from './command.ts';
import { sourceBatches } from './cuda/loss-curve.ts';
import { writeSection } from './results.ts';

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: '135m,0.5b' },
    /** shape:form, of the process that measures one. */
    one: { type: 'string' },
  },
});
const workerFile = new URL('worker.js', import.meta.url);
const inRoot = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const lossSteps = 80;
const measuredBatches = 8;
const trainedShape = { rows: 2, length: 256 };

interface Measured {
  stepSeconds: number;
  tokensPerSecond: number;
  megabytes: number;
}

if (options.one !== undefined) {
  const [shape, form] = options.one.split(':') as [string, WeightForm];
  console.log(JSON.stringify(await speedOf(shape, form)));
} else {
  const lines = [
    `Command: \`node dist/bench-weight-forms.js --shapes ${options.shapes}\`.`,
    '',
    ...(await lossTable()),
    '',
    ...(await speedTable()),
  ];
  await writeSection('weight forms', lines);
}

/** Mean loss on held-out batches, of the base and with an adapter. */
async function lossTable(): Promise<string[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lift-forms-'));
  const device = openOnnxDevice('cpu', workerFile);
  const cells: string[] = [];
  for (const form of weightForms) {
    const cache = { folder, form: form === 'float32' ? ('F32' as const) : form };
    const model = await openBaseModel(embeddedModelFolder(), cache);
    const batches = sourceBatches(model, inRoot('native-host'), lossSteps);
    const trainer = await openTrainer(device, model);
    const loss = async () => {
      let sum = 0;
      for (const batch of batches.slice(0, measuredBatches)) sum += (await trainer.measure(batch)).loss;
      return sum / measuredBatches;
    };
    const before = await loss();
    for (const batch of batches) {
      await trainer.accumulate(batch, batch.totalWeight);
      await trainer.takeStep(1e-3);
    }
    cells.push(`| ${form} | ${before.toFixed(4)} | ${(await loss()).toFixed(4)} |`);
    await trainer.close();
  }
  await device.close();
  await rm(folder, { recursive: true });
  return [
    `Loss of the embedded model on this repository's sources, nats a token, before and after ${lossSteps} steps of LoRA on them:`,
    '',
    '| weights | before | after |',
    '| --- | ---: | ---: |',
    ...cells,
  ];
}

async function speedTable(): Promise<string[]> {
  const lines = [
    `A LoRA step of rank 16 over ${trainedShape.rows} × ${trainedShape.length} tokens, greedy decoding with the adapter, and the`,
    "process's peak memory while it does one and then the other:",
    '',
    '| shape | weights | step, best | decoding | peak memory |',
    '| --- | --- | ---: | ---: | ---: |',
  ];
  for (const shape of options.shapes.split(',')) {
    for (const form of weightForms) {
      const output = await run(process.execPath, [fileURLToPath(import.meta.url), '--one', `${shape}:${form}`]);
      const { stepSeconds, tokensPerSecond, megabytes } = lastLine(output) as Measured;
      const cells = [`${figure(stepSeconds)} s`, `${figure(tokensPerSecond)} tokens/s`, `${figure(megabytes)} MB`];
      lines.push(`| ${shape} | ${form} | ${cells.join(' | ')} |`);
    }
  }
  return lines;
}

async function speedOf(shape: string, form: WeightForm): Promise<Measured> {
  const folder = inRoot('.cache/bench');
  const plain = await openBenchModel(shape, folder);
  const outputEmbedding = plain.config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  const coded = (bits: 8 | 4): Promise<FrozenWeights> => {
    const file = path.join(folder, `bench-${shape}.${form}.safetensors`);
    return codedWeights([...plain.weights.values()].map(asFloat32), outputEmbedding, bits, file);
  };
  const frozen: FrozenWeights = form === 'float32' ? plain : await coded(form === 'int8' ? 8 : 4);
  const model: TrainableModel = { config: plain.config, weights: frozen.weights, coded: frozen.coded };
  const device = openOnnxDevice('cpu', workerFile);
  const trainer = await openTrainer(device, model);
  const items = Array.from({ length: trainedShape.rows }, (_, row) => {
    const tokens = randomTokens(model.config, trainedShape.length, row);
    return { tokens, weights: tokens.map(() => 1) };
  });
  const batch = pack(items, trainedShape)[0]!;
  let stepSeconds = Number.POSITIVE_INFINITY;
  for (let step = 0; step < 6; step++) {
    const started = performance.now();
    await trainer.accumulate(batch, batch.totalWeight);
    await trainer.takeStep(1e-4);
    stepSeconds = Math.min(stepSeconds, (performance.now() - started) / 1000);
  }
  const { vector } = await trainer.state();
  const { layout } = trainer;
  await trainer.close();
  const decoder = await Decoder.open(device, model, { layout, vector });
  let tokensPerSecond = 0;
  for (let i = 0; i < 3; i++) {
    const generated = await decoder.generate(randomTokens(model.config, 64, i), {
      maxTokens: 48,
      sample: sampler({ temperature: 0 }),
      stopTokens: new Set(),
    });
    tokensPerSecond = Math.max(tokensPerSecond, generated.tokensPerSecond);
  }
  const megabytes = peakMegabytes();
  await decoder.close();
  await device.close();
  return { stepSeconds, tokensPerSecond, megabytes };
}

function openTrainer(device: ReturnType<typeof openOnnxDevice>, model: TrainableModel): Promise<Trainer> {
  const layout = adapterLayout(model.config, { kind: 'lora', rank: 16, alpha: 32 });
  return Trainer.open(device, model, layout, startState(initialAdapter(layout, 1)));
}
