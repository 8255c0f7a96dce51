/** `lift bench train`: a LoRA step, and how near it comes to the machine's matrix products. */
import { adapterLayout, initialAdapter } from '../model/adapter-init.ts';
import type { Device, Program } from '../runtime/device.ts';
import { openOnnxDevice } from '../runtime/onnx/onnx-device.ts';
import { neededBytes } from '../runtime/onnx/program-memory.ts';
import { type PackedBatch, pack } from '../train/packing.ts';
import { gradientProgram } from '../train/program.ts';
import { startState, Trainer } from '../train/trainer.ts';
import { type BenchOptions, type BenchRow, median, peakMegabytes } from './bench-row.ts';
import { programFlops } from './flops.ts';
import { squareProducts, timesOf, weightProducts } from './products.ts';
import { openBenchModel, randomTokens } from './shapes.ts';

const rows = 2;
const length = 256;
const rank = 16;
const learningRate = 1e-4;
/** Of a question only the answer is counted: about so many of its tokens have one that is. */
const tokensOfQuestion = 5;
const fewestSteps = 5;
const mostSteps = 30;
/** Steps are taken for about this long, in seconds. */
const stepBudget = 20;

/**
 * LoRA of rank 16 on all linear layers over 2 × 256 tokens: gradient and update. The products that it is compared with
 * run between the steps, so that both see the same machine. Errors: RangeError for an unknown shape.
 */
export async function benchTrain(options: BenchOptions): Promise<BenchRow[]> {
  const { shape, signal, recompute } = options;
  const model = await openBenchModel(shape, options.cacheFolder);
  const plainDevice = openOnnxDevice(options.device, options.workerFile);
  const { device, compiled, readySeconds } = watchCompiling(plainDevice);
  try {
    const layout = adapterLayout(model.config, { kind: 'lora', rank, alpha: 2 * rank });
    const state = startState(initialAdapter(layout, 1));
    const settings = recompute === undefined ? {} : { recompute };
    const trainer = await Trainer.open(device, model, layout, state, settings);
    const batchOf = (every: number): PackedBatch => {
      const items = Array.from({ length: rows }, (_, i) => ({
        tokens: randomTokens(model.config, length, i),
        weights: Array.from({ length }, (_, at) => (at % every === 0 ? 1 : 0)),
      }));
      return pack(items, { rows, length })[0]!;
    };
    const [text, questions] = [batchOf(1), batchOf(tokensOfQuestion)];
    const step = async (batch = text) => {
      const started = performance.now();
      const { loss } = await trainer.accumulate(batch, batch.totalWeight);
      await trainer.takeStep(learningRate);
      if (!Number.isFinite(loss)) throw new Error('the loss is not finite');
      return (performance.now() - started) / 1000;
    };
    const firstStep = await step();
    const ready = readySeconds();

    const square = await squareProducts(plainDevice, 1024, 4);
    const squareSeconds = [await square.run()];
    const stepSeconds: number[] = [];
    const questionSeconds: number[] = [];
    for (let spent = 0; stepSeconds.length < fewestSteps || (spent < stepBudget && stepSeconds.length < mostSteps); ) {
      signal?.throwIfAborted();
      stepSeconds.push(await step());
      questionSeconds.push(await step(questions));
      spent += stepSeconds.at(-1)! + questionSeconds.at(-1)!;
      squareSeconds.push(await square.run());
    }
    // Before the products over all weights, whose outputs take memory of their own.
    const memory = peakMegabytes();
    await trainer.close();
    const own = await weightProducts(plainDevice, model, rows * length, true);
    const ownSeconds = await timesOf(own, 4, signal);
    squareSeconds.push(await square.run());

    // What the gradient needs, however often a layer is computed.
    const flops = programFlops(gradientProgram(model.config, layout, { rows, length }));
    const best = Math.min(...stepSeconds);
    const rate = flops.total / best / 1e9;
    const squareRate = square.flops / Math.min(...squareSeconds) / 1e9;
    const ownRate = own.flops / Math.min(...ownSeconds) / 1e9;
    await square.close();
    await own.close();
    return [
      { name: 'parameters', value: model.parameters, unit: '' },
      { name: 'trained parameters', value: layout.length, unit: '' },
      { name: 'session ready', value: ready, unit: 's' },
      { name: 'first step after that', value: firstStep - ready, unit: 's' },
      { name: 'step, best', value: best, unit: 's' },
      { name: 'step, median', value: median(stepSeconds), unit: 's' },
      { name: 'step with a fifth of the tokens counted, best', value: Math.min(...questionSeconds), unit: 's' },
      { name: 'step with a fifth of the tokens counted, median', value: median(questionSeconds), unit: 's' },
      { name: 'tokens a second, best step', value: (rows * length) / best, unit: 'tokens/s' },
      { name: 'operations of a step', value: flops.total / 1e9, unit: 'GFLOP' },
      { name: 'of these with frozen weights', value: flops.frozen / 1e9, unit: 'GFLOP' },
      { name: 'of these LoRA', value: flops.adapter / 1e9, unit: 'GFLOP' },
      { name: 'of these attention (visible pairs)', value: flops.attention / 1e9, unit: 'GFLOP' },
      { name: 'rate of the best step', value: rate, unit: 'GFLOP/s' },
      { name: 'matrix products of 1024³, best', value: squareRate, unit: 'GFLOP/s' },
      { name: 'matrix products of 1024³, median', value: square.flops / median(squareSeconds) / 1e9, unit: 'GFLOP/s' },
      { name: "products with the shape's own weights, best", value: ownRate, unit: 'GFLOP/s' },
      { name: 'step ÷ matrix products of 1024³', value: (100 * rate) / squareRate, unit: '%' },
      { name: "step ÷ products with the shape's own weights", value: (100 * rate) / ownRate, unit: '%' },
      { name: 'peak memory', value: memory, unit: 'MB' },
      {
        name: 'estimated for gradient and update',
        value: compiled.reduce((sum, program) => sum + neededBytes(program), 0) / 1e6,
        unit: 'MB',
      },
    ];
  } finally {
    await plainDevice.close();
  }
}

/**
 * The device, the programs that were compiled on it, and the seconds until its last run ended that no run took:
 * compiling, above all.
 */
function watchCompiling(plain: Device): { device: Device; compiled: Program[]; readySeconds: () => number } {
  const compiled: Program[] = [];
  const started = performance.now();
  let running = 0;
  let ended = started;
  const compile: Device['compile'] = async (program, compileOptions) => {
    compiled.push(program);
    const executable = await plain.compile(program, compileOptions);
    return {
      createCache: () => executable.createCache(),
      release: () => executable.release(),
      run: async (inputs, runOptions) => {
        const before = performance.now();
        const result = await executable.run(inputs, runOptions);
        ended = performance.now();
        running += ended - before;
        return result;
      },
    };
  };
  const device: Device = {
    name: plain.name,
    hasMemoryFor: async (...given) => (await plain.hasMemoryFor?.(...given)) ?? true,
    compile,
    upload: (tensor) => plain.upload(tensor),
    view: (tensor, offset, shape) => plain.view(tensor, offset, shape),
    download: (tensor) => plain.download(tensor),
    release: (tensors) => plain.release(tensors),
    truncate: (cache, size) => plain.truncate(cache, size),
    releaseCache: (cache) => plain.releaseCache(cache),
    close: () => plain.close(),
  };
  return { device, compiled, readySeconds: () => (ended - started - running) / 1000 };
}
