/** `lift bench load`: time and memory until a model answers, and until it trains. */
import { Decoder } from '../generate/decode.ts';
import { sampler } from '../generate/sampler.ts';
import { adapterLayout, initialAdapter } from '../model/adapter-init.ts';
import { openOnnxDevice } from '../runtime/onnx/onnx-device.ts';
import { pack } from '../train/packing.ts';
import { startState, Trainer } from '../train/trainer.ts';
import { type BenchOptions, type BenchRow, peakMegabytes } from './bench-row.ts';
import { openBenchModel, randomTokens } from './shapes.ts';

const promptTokens = 64;
const rows = 2;
const length = 256;
const rank = 16;

/** Memory is what this process holds, mapped weights included, so it wants a process of its own. */
export async function benchLoad(options: BenchOptions): Promise<BenchRow[]> {
  const { shape, cacheFolder, signal } = options;
  // Writes the weights where there are none, so that what is timed is opening them.
  await openBenchModel(shape, cacheFolder);
  const before = residentMegabytes();
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const model = await openBenchModel(shape, cacheFolder);
  const opened = seconds();
  const device = openOnnxDevice(options.device, options.workerFile);
  try {
    const decoder = await Decoder.open(device, model, null);
    const decoderReady = seconds();
    const memoryReady = residentMegabytes();
    signal?.throwIfAborted();
    const answer = { maxTokens: 1, sample: sampler({ temperature: 0 }), stopTokens: new Set<number>() };
    await decoder.generate(randomTokens(model.config, promptTokens, 1), answer);
    const firstToken = seconds();
    const memoryDecoding = residentMegabytes();

    const layout = adapterLayout(model.config, { kind: 'lora', rank, alpha: 2 * rank });
    const state = startState(initialAdapter(layout, 1));
    const trainingStarted = seconds();
    const trainer = await Trainer.open(device, model, layout, state);
    const items = [{ tokens: randomTokens(model.config, length, 1), weights: new Array<number>(length).fill(1) }];
    const [batch] = pack(items, { rows, length });
    signal?.throwIfAborted();
    await trainer.accumulate(batch!, batch!.totalWeight);
    await trainer.takeStep(1e-4);
    const firstStep = seconds() - trainingStarted;
    await trainer.close();
    await decoder.close();
    return [
      { name: 'weights opened', value: 1000 * opened, unit: 'ms' },
      { name: 'session for answering ready', value: decoderReady, unit: 's' },
      { name: `first token after ${promptTokens}`, value: firstToken, unit: 's' },
      { name: 'from there to the end of the first training step', value: firstStep, unit: 's' },
      { name: 'memory before', value: before, unit: 'MB' },
      { name: 'memory when the session was ready', value: memoryReady, unit: 'MB' },
      { name: 'memory after the first token', value: memoryDecoding, unit: 'MB' },
      { name: 'peak memory, training beside it', value: peakMegabytes(), unit: 'MB' },
    ];
  } finally {
    await device.close();
  }
}

function residentMegabytes(): number {
  return process.memoryUsage.rss() / 1e6;
}
