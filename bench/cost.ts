// `node dist/bench-cost.js [--measured 1024,2048,…] [--epochs 4]`: what it costs to train a text into an adapter, and to read
// it in the prompt instead, until the first token of an answer: time and memory at the shape of a model with 135 million
// parameters on the processor. Writes a section of bench/RESULTS.md and bench/cost-time.svg and bench/cost-memory.svg. Lengths that
// were not measured are computed from those that were, and marked.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { peakMegabytes } from '../native-host/bench/bench-row.ts';
import { openBenchModel, randomTokens } from '../native-host/bench/shapes.ts';
import { Decoder } from '../native-host/generate/decode.ts';
import { sampler } from '../native-host/generate/sampler.ts';
import { adapterLayout, initialAdapter } from '../native-host/model/adapter-init.ts';
import { openOnnxDevice } from '../native-host/runtime/onnx/onnx-device.ts';
import { tokensOfEpochs } from '../native-host/study/estimate.ts';
import { pack } from '../native-host/train/packing.ts';
import { recipeFor } from '../native-host/train/recipe.ts';
import { startState, Trainer } from '../native-host/train/trainer.ts';
import { figure, lastLine, run } from './command.ts';
import { type Cost, crossings, curveOf, lengths, proportional, quadratic } from './cost-curves.ts';
import { type Curve, picture } from './cost-picture.ts';
import { writeSection } from './results.ts';

const shapeName = '135m';
const { values: options } = parseArgs({
  options: {
    /** Lengths that are read in the prompt. */
    measured: { type: 'string', default: '1024,2048,4096,8192,16384' },
    /** Lengths that are trained, as many batches of each as one epoch has. */
    trained: { type: 'string', default: '1024,4096' },
    /** Epochs that an absorption takes. */
    epochs: { type: 'string', default: '6' },
    /** What the process that measures one does: read:<tokens> or train:<tokens>. */
    one: { type: 'string' },
  },
});
const inRoot = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const epochs = Number(options.epochs);

if (options.one !== undefined) {
  const [what, tokens] = options.one.split(':') as ['read' | 'train', string];
  console.log(JSON.stringify(await (what === 'read' ? reading : training)(Number(tokens))));
} else {
  const read = await measureAll('read', options.measured);
  const trained = await measureAll('train', options.trained);
  await report(read, trained);
}

async function measureAll(what: 'read' | 'train', sizes: string): Promise<Cost[]> {
  const costs: Cost[] = [];
  for (const size of sizes.split(',')) {
    const output = await run(process.execPath, [
      fileURLToPath(import.meta.url),
      '--one',
      `${what}:${size}`,
      '--epochs',
      options.epochs,
    ]);
    costs.push(lastLine(output) as Cost);
    console.log(what, costs.at(-1));
  }
  return costs;
}

/** From the tokens to the first token after them. */
async function reading(tokens: number): Promise<Cost> {
  const { config, ...model } = await openBenchModel(shapeName, inRoot('.cache/bench'));
  const device = openOnnxDevice('cpu', new URL('worker.js', import.meta.url));
  const wide = { ...model, config: { ...config, maxPositionEmbeddings: 2 * lengths.at(-1)! } };
  const decoder = await Decoder.open(device, wide, null);
  const oneToken = { maxTokens: 1, sample: sampler({ temperature: 0 }), stopTokens: new Set<number>() };
  await decoder.generate(randomTokens(config, 64, 1), oneToken);
  const started = performance.now();
  await decoder.generate(randomTokens(config, tokens, 2), oneToken);
  const seconds = (performance.now() - started) / 1000;
  const megabytes = peakMegabytes();
  await decoder.close();
  await device.close();
  return { tokens, seconds, megabytes };
}

/** The epochs of an absorption of so many tokens, by the rate of a part of them. */
async function training(tokens: number): Promise<Cost> {
  const model = await openBenchModel(shapeName, inRoot('.cache/bench'));
  const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings);
  const { shape, batchesPerStep, learningRate } = recipe.full;
  const layout = adapterLayout(model.config, recipe.adapter);
  const device = openOnnxDevice('cpu', new URL('worker.js', import.meta.url));
  const { optimizer } = recipe;
  const state = startState(initialAdapter(layout, 1), optimizer);
  const trainer = await Trainer.open(device, model, layout, state, { optimizer });
  const batchOf = (seed: number) => {
    const items = Array.from({ length: shape.rows }, (_, row) => {
      const ids = randomTokens(model.config, shape.length, seed + row);
      return { tokens: ids, weights: ids.map(() => 1) };
    });
    return pack(items, shape)[0]!;
  };
  await trainer.accumulate(batchOf(0), 1);
  const batches = Math.ceil(tokensOfEpochs(recipe, tokens, epochs) / (shape.rows * shape.length));
  const measured = Math.ceil(batches / epochs);
  const started = performance.now();
  for (let i = 1; i <= measured; i++) {
    const batch = batchOf(i);
    await trainer.accumulate(batch, batch.totalWeight);
    if (i % batchesPerStep === 0 || i === measured) await trainer.takeStep(learningRate);
  }
  const seconds = ((performance.now() - started) / 1000) * (batches / measured);
  const megabytes = peakMegabytes();
  await trainer.close();
  await device.close();
  return { tokens, seconds, megabytes };
}

async function report(read: Cost[], trained: Cost[]): Promise<void> {
  const reads = curveOf('reading it in the prompt', '#c2410c', read, quadratic);
  const trains = curveOf(`training it into an adapter, ${epochs} epochs`, '#0b62c4', trained, proportional);
  const formatX = (tokens: number) => `${tokens / 1024}k`;
  const time = {
    title: 'Seconds to the first token of an answer, by tokens of text',
    curves: [trains.time, reads.time],
    formatX,
    formatY: (seconds: number) => `${seconds.toLocaleString('en-US')} s`,
  };
  const memory = {
    title: 'Peak memory, by tokens of text',
    curves: [trains.memory, reads.memory],
    formatX,
    formatY: (megabytes: number) => `${megabytes.toLocaleString('en-US')} MB`,
  };
  await writeFile(inRoot('bench/cost-time.svg'), picture(time));
  await writeFile(inRoot('bench/cost-memory.svg'), picture(memory));
  const cell = ({ y, isMeasured }: Curve['points'][number], unit: string) =>
    `${isMeasured ? '' : '≈ '}${figure(y)} ${unit}`;
  const rows = lengths.map((tokens, i) => {
    const cells = [reads.time, trains.time].map(({ points }) => cell(points[i]!, 's'));
    const memories = [reads.memory, trains.memory].map(({ points }) => cell(points[i]!, 'MB'));
    return `| ${formatX(tokens)} | ${[...cells, ...memories].join(' | ')} |`;
  });
  await writeSection('cost', [
    `Command: \`node dist/bench-cost.js --measured ${options.measured} --trained ${options.trained} --epochs ${epochs}\`. Shape ${shapeName}, random weights, cpu.`,
    'Reading: from the text to the first token after it, which each new conversation waits for. Training: once for each change of',
    `the text, ${epochs} epochs, each of nearly all of it and of questions; an answer then waits for its own prompt alone. ≈: computed, reading`,
    'with a term for each token and one for each pair of tokens, training in proportion.',
    '',
    '| text | reading | training | memory, reading | memory, training |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    crossings(read, trained),
    '',
    '![Time](cost-time.svg)',
    '',
    '![Memory](cost-memory.svg)',
  ]);
}
