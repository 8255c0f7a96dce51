/** Shapes of real models, with random bfloat16 weights that take no more disk than the largest matrix. */
import { mkdir, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { benchShapes } from '../../native-host/bench/shapes.ts';
import { expectedTensors, type ModelConfig } from '../../native-host/model/config.ts';
import { narrowToBfloat16 } from '../../native-host/model/half-precision.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import type { StoredTensor } from '../../native-host/model/safetensors.ts';

export interface RandomModel {
  name: string;
  config: ModelConfig;
  weights: ReadonlyMap<string, StoredTensor>;
  parameters: number;
}

const half = benchShapes['0.5b']!;

export const modelShapes: Readonly<Record<string, ModelConfig>> = {
  /** For trying out. */
  toy: {
    ...half,
    ...{ vocabSize: 400, hiddenSize: 64, intermediateSize: 96, numHiddenLayers: 2 },
    ...{ numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 16, maxPositionEmbeddings: 1024 },
  },
  /** Qwen2.5-0.5B */
  '0.5b': half,
  /** Qwen2.5-1.5B */
  '1.5b': {
    ...half,
    ...{ hiddenSize: 1536, intermediateSize: 8960, numHiddenLayers: 28 },
    ...{ numAttentionHeads: 12, numKeyValueHeads: 2, headDim: 128 },
  },
  /** Qwen2.5-3B */
  '3b': {
    ...half,
    ...{ hiddenSize: 2048, intermediateSize: 11_008, numHiddenLayers: 36 },
    ...{ numAttentionHeads: 16, numKeyValueHeads: 2, headDim: 128 },
  },
  /** Llama-3-8B, with a window for 128 thousand tokens */
  '8b': {
    ...half,
    modelType: 'llama',
    ...{ vocabSize: 128_256, hiddenSize: 4096, intermediateSize: 14_336, numHiddenLayers: 32 },
    ...{ numAttentionHeads: 32, numKeyValueHeads: 8, headDim: 128, maxPositionEmbeddings: 131_072 },
    ...{ rmsNormEps: 1e-5, ropeTheta: 500_000, attentionBias: false, tieWordEmbeddings: false },
  },
};

const blockLength = 1_000_003;
/** Tensors begin so many bytes after one another in the file, so that no two hold the same numbers. */
const stagger = 4096;

/**
 * Random weights of a shape: norms are 1, all else has deviation 0.02. The file in `folder` is as large as the largest
 * tensor, and each tensor is a part of it. Errors: RangeError naming the shapes there are.
 */
export async function randomModel(name: string, folder: string): Promise<RandomModel> {
  const config = modelShapes[name];
  if (config === undefined)
    throw new RangeError(`there is no shape '${name}'; choose one of ${Object.keys(modelShapes)}`);
  const tensors = [...expectedTensors(config)];
  const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  const largest = Math.max(...tensors.map(([, shape]) => sizeOf(shape)));
  await mkdir(folder, { recursive: true });
  const random = path.join(folder, `random-${name}.bin`);
  const ones = path.join(folder, 'ones.bin');
  const randomBytes = 2 * largest + stagger * tensors.length;
  const onesBytes = 2 * 65_536 + stagger * tensors.length;
  await writeRepeated(random, randomBytes, () => {
    const normal = normalNumbers(1);
    return narrowToBfloat16(Float32Array.from({ length: blockLength }, () => 0.02 * normal()));
  });
  await writeRepeated(ones, onesBytes, () => narrowToBfloat16(new Float32Array(blockLength).fill(1)));
  const weights = new Map(
    tensors.map(([tensor, shape], i): [string, StoredTensor] => {
      const place = { byteOffset: i * stagger, byteLength: 2 * sizeOf(shape) };
      return [tensor, { name: tensor, dtype: 'BF16', shape, file: tensor.includes('norm') ? ones : random, ...place }];
    }),
  );
  const parameters = tensors.reduce((sum, [, shape]) => sum + sizeOf(shape), 0);
  return { name, config, weights, parameters };
}

async function writeRepeated(file: string, bytes: number, make: () => Uint16Array): Promise<void> {
  const there = await stat(file).catch(() => null);
  if (there?.size === bytes) return;
  const block = new Uint8Array(make().buffer);
  const handle = await open(file, 'w');
  try {
    for (let left = bytes; left > 0; left -= block.length)
      await handle.write(block.subarray(0, Math.min(left, block.length)));
  } finally {
    await handle.close();
  }
}
