/** Model shapes to measure at, and random weights of these shapes. */
import { mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { expectedTensors, type ModelConfig } from '../model/config.ts';
import { plainTraits } from '../model/decoder-traits.ts';
import { normalNumbers, uniformNumbers } from '../model/random.ts';
import { readSafetensors, type StoredTensor, storedTensor } from '../model/safetensors.ts';
import { createSafetensors } from '../model/safetensors-writer.ts';

export interface BenchModel {
  shape: string;
  config: ModelConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  /** Parameters, an output embedding that is tied to the input's counted once. */
  parameters: number;
}

const plainLlama: Omit<
  ModelConfig,
  | 'vocabSize'
  | 'hiddenSize'
  | 'intermediateSize'
  | 'numHiddenLayers'
  | 'numAttentionHeads'
  | 'numKeyValueHeads'
  | 'maxPositionEmbeddings'
> = {
  modelType: 'llama',
  headDim: 64,
  rmsNormEps: 1e-5,
  ropeTheta: 100_000,
  ropeScaling: null,
  tieWordEmbeddings: true,
  attentionBias: false,
  attentionOutputBias: false,
  mlpBias: false,
  queryKeyNorm: false,
  bosTokenId: 0,
  eosTokenIds: [0],
  ...plainTraits,
};

export const benchShapes: Readonly<Record<string, ModelConfig>> = {
  /** models/lift-base */
  nano: {
    ...plainLlama,
    vocabSize: 4096,
    hiddenSize: 256,
    intermediateSize: 704,
    numHiddenLayers: 4,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    maxPositionEmbeddings: 1024,
  },
  /** SmolLM2-135M */
  '135m': {
    ...plainLlama,
    vocabSize: 49_152,
    hiddenSize: 576,
    intermediateSize: 1536,
    numHiddenLayers: 30,
    numAttentionHeads: 9,
    numKeyValueHeads: 3,
    maxPositionEmbeddings: 8192,
  },
  /** Qwen2.5-0.5B */
  '0.5b': {
    ...plainLlama,
    modelType: 'qwen2',
    vocabSize: 151_936,
    hiddenSize: 896,
    intermediateSize: 4864,
    numHiddenLayers: 24,
    numAttentionHeads: 14,
    numKeyValueHeads: 2,
    maxPositionEmbeddings: 32_768,
    rmsNormEps: 1e-6,
    ropeTheta: 1_000_000,
    attentionBias: true,
  },
};

/**
 * A model of the shape with random F32 weights, which are written into `cacheFolder` when they are not there yet.
 * Errors: RangeError naming the shapes there are.
 */
export async function openBenchModel(shape: string, cacheFolder: string): Promise<BenchModel> {
  const config = benchShapes[shape];
  if (config === undefined) {
    throw new RangeError(`there is no shape '${shape}'; choose one of ${Object.keys(benchShapes).join(', ')}`);
  }
  await mkdir(cacheFolder, { recursive: true });
  const file = path.join(await realpath(cacheFolder), `bench-${shape}.safetensors`);
  const expected = expectedTensors(config);
  let source = await readSafetensors(file).catch(() => null);
  const fits = [...expected].every(([name, wanted]) => `${source?.entries.get(name)?.shape}` === `${wanted}`);
  if (source === null || !fits || source.entries.size !== expected.size) {
    await writeRandomWeights(file, expected);
    source = await readSafetensors(file);
  }
  const weights = new Map([...expected.keys()].map((name) => [name, storedTensor(source, name)]));
  const parameters = [...weights.values()].reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
  return { shape, config, weights, parameters };
}

export function randomTokens({ vocabSize }: ModelConfig, count: number, seed: number): number[] {
  const uniform = uniformNumbers(seed);
  return Array.from({ length: count }, () => Math.floor(uniform() * vocabSize));
}

// A prime, so that no two rows of a matrix hold the same numbers.
const blockLength = 1_000_003;

/** Norms are 1; all else is a block of numbers with deviation 0.02, over and over: a number each would take minutes. */
async function writeRandomWeights(file: string, tensors: ReadonlyMap<string, number[]>): Promise<void> {
  const normal = normalNumbers(1);
  const block = Float32Array.from({ length: blockLength }, () => 0.02 * normal());
  const ones = new Float32Array(blockLength).fill(1);
  const descriptions = [...tensors].map(([name, shape]) => ({ name, shape, dtype: 'F32' as const }));
  const writer = await createSafetensors(file, descriptions);
  try {
    let used = 0;
    for (const { name, shape } of descriptions) {
      const source = name.includes('norm') ? ones : block;
      for (let left = shape.reduce((product, size) => product * size, 1); left > 0; ) {
        const count = Math.min(left, blockLength - used);
        await writer.write(new Uint8Array(source.buffer, 4 * used, 4 * count));
        used = (used + count) % blockLength;
        left -= count;
      }
    }
    await writer.commit();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}
