/** `lift bench decode`: tokens a second, and how near that comes to the bare matrix–vector products. */
import { Decoder } from '../generate/decode.ts';
import { sampler } from '../generate/sampler.ts';
import { adapterLayout, initialAdapter } from '../model/adapter-init.ts';
import type { Device } from '../runtime/device.ts';
import { openOnnxDevice } from '../runtime/onnx/onnx-device.ts';
import { type BenchOptions, type BenchRow, median, peakMegabytes } from './bench-row.ts';
import { timesOf, weightProducts } from './products.ts';
import { type BenchModel, openBenchModel, randomTokens } from './shapes.ts';

const promptTokens = 64;
const newTokens = 64;
const repetitions = 4;
const rank = 16;

interface Run {
  tokensPerSecond: number;
  firstTokenMs: number;
}

/** Greedy decoding of 64 tokens after 64, and one row times every matrix of the model, in turns. */
export async function benchDecode(options: BenchOptions): Promise<BenchRow[]> {
  const model = await openBenchModel(options.shape, options.cacheFolder);
  const device = openOnnxDevice(options.device, options.workerFile);
  try {
    const base = await Decoder.open(device, model, null);
    const bare = await weightProducts(device, model, 1, false);
    const runs: Run[] = [];
    const bareSeconds: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      bareSeconds.push(...(await timesOf(bare, 32, options.signal)));
      runs.push(await decode(base, model, i, options.signal));
    }
    await bare.close();
    await base.close();
    const memory = peakMegabytes();
    const adapted = await decodeAdapted(device, model, options.signal);

    const bareRate = 1 / Math.min(...bareSeconds);
    const rates = runs.map(({ tokensPerSecond }) => tokensPerSecond);
    const medianShare = median(rates) * median(bareSeconds);
    return [
      { name: 'parameters', value: model.parameters, unit: '' },
      { name: 'greedy decoding, best', value: Math.max(...rates), unit: 'tokens/s' },
      { name: 'greedy decoding, median', value: median(rates), unit: 'tokens/s' },
      { name: 'greedy decoding with LoRA r16, best', value: adapted, unit: 'tokens/s' },
      {
        name: `first token after ${promptTokens}, median`,
        value: median(runs.map(({ firstTokenMs }) => firstTokenMs)),
        unit: 'ms',
      },
      { name: 'bare matrix–vector products, best', value: bareRate, unit: 'tokens/s' },
      { name: 'bare matrix–vector products, median', value: 1 / median(bareSeconds), unit: 'tokens/s' },
      { name: 'bare matrix–vector products, best', value: (2 * bare.flops * bareRate) / 1e9, unit: 'GB/s' },
      { name: 'decoding ÷ bare products, best', value: (100 * Math.max(...rates)) / bareRate, unit: '%' },
      { name: 'decoding ÷ bare products, median', value: 100 * medianShare, unit: '%' },
      { name: 'peak memory', value: memory, unit: 'MB' },
    ];
  } finally {
    await device.close();
  }
}

async function decode(decoder: Decoder, model: BenchModel, seed: number, signal?: AbortSignal): Promise<Run> {
  const generated = await decoder.generate(randomTokens(model.config, promptTokens, seed), {
    maxTokens: newTokens,
    sample: sampler({ temperature: 0 }),
    stopTokens: new Set(),
    ...(signal === undefined ? {} : { signal }),
  });
  signal?.throwIfAborted();
  return generated;
}

async function decodeAdapted(device: Device, model: BenchModel, signal?: AbortSignal): Promise<number> {
  const layout = adapterLayout(model.config, { kind: 'lora', rank, alpha: 2 * rank });
  const decoder = await Decoder.open(device, model, { layout, vector: initialAdapter(layout, 1) });
  const rates: number[] = [];
  for (let i = 0; i < repetitions; i++) rates.push((await decode(decoder, model, i, signal)).tokensPerSecond);
  await decoder.close();
  return Math.max(...rates);
}
