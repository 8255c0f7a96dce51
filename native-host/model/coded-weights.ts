/**
 * Frozen matrices in codes of 8 or 4 bits, so that a model takes a quarter or an eighth of the memory of its float32 weights.
 * Each row is cut into blocks of 32 with a float32 scale; an element is (code − middle) · scale, where middle is half of the
 * codes there are. Norms, biases and embeddings stay float32; the output embedding has codes beside it, for generating.
 */

import { type SafetensorsFile, type StoredTensor, storedTensor } from './safetensors.ts';
import { type ConvertibleTensor, cachedTensors } from './weight-cache.ts';

export type CodeBits = 8 | 4;

/** Elements that share a scale. */
export const blockLength = 32;

interface Bytes {
  byteOffset: number;
  byteLength: number;
}

/** A matrix [rows, columns]: its codes lie in rows, of 4 bits two in a byte, the first in the low half. */
export interface CodedTensor {
  shape: readonly [number, number];
  bits: CodeBits;
  file: string;
  codes: Bytes;
  /** float32 [rows, columns / blockLength] */
  scales: Bytes;
}

/** What programs read of a base model. */
export interface FrozenWeights {
  /** All F32 and in one folder, or as they are stored. */
  weights: ReadonlyMap<string, StoredTensor>;
  /** Matrices in codes, by name, in the same folder. What is not in `weights` is there as codes alone. */
  coded?: ReadonlyMap<string, CodedTensor> | undefined;
}

/** These alone, of a model. */
export function frozenWeights({ weights, coded }: FrozenWeights): FrozenWeights {
  return { weights, coded };
}

/** Of the output embedding, which generating multiplies with at each token. */
const embeddingBits = 8;

/**
 * Quantises a model into `cacheFile`, or finds it there. `tensors` have float32 values; `outputEmbedding` names one of
 * them. Memory stays at a few megabytes.
 */
export async function codedWeights(
  tensors: readonly ConvertibleTensor[],
  outputEmbedding: string,
  bits: CodeBits,
  cacheFile: string,
): Promise<FrozenWeights> {
  const matrices = tensors.filter(isProjection);
  const plain = tensors.filter((tensor) => !matrices.includes(tensor));
  const embedding = plain.find(({ name, shape }) => name === outputEmbedding && shape[1]! % blockLength === 0);
  const coded = [
    ...matrices.map((tensor) => ({ tensor, bits })),
    ...(embedding === undefined ? [] : [{ tensor: embedding, bits: embeddingBits as CodeBits }]),
  ];
  const cached = await cachedTensors(
    [...plain, ...coded.flatMap((each) => partsOf(each.tensor, each.bits))],
    cacheFile,
  );
  return {
    weights: new Map(plain.map(({ name }) => [name, storedTensor(cached, name)])),
    coded: new Map(coded.map((each) => [each.tensor.name, codedTensor(cached, each.tensor, each.bits)])),
  };
}

function isProjection({ name, shape }: ConvertibleTensor): boolean {
  return name.endsWith('_proj.weight') && shape.length === 2 && shape[1]! % blockLength === 0;
}

const codesOf = (name: string) => `${name}.codes`;
const scalesOf = (name: string) => `${name}.scales`;

function codedTensor(cached: SafetensorsFile, { name, shape }: ConvertibleTensor, bits: CodeBits): CodedTensor {
  const codes = cached.entries.get(codesOf(name))!;
  const scales = cached.entries.get(scalesOf(name))!;
  return { shape: shape as [number, number], bits, file: cached.file, codes, scales };
}

function partsOf(tensor: ConvertibleTensor, bits: CodeBits): ConvertibleTensor<Float32Array | Uint8Array>[] {
  const [rows, columns] = tensor.shape as [number, number];
  const origin = [...tensor.origin, bits];
  const each = async function* <Part>(take: (blocks: Blocks) => Part) {
    for await (const values of tensor.slices()) yield take(quantize(values, bits));
  };
  return [
    {
      ...tensor,
      ...{ name: codesOf(tensor.name), dtype: 'U8', shape: [rows, (columns * bits) / 8], origin },
      slices: () => each(({ codes }) => codes),
    },
    {
      ...tensor,
      ...{ name: scalesOf(tensor.name), dtype: 'F32', shape: [rows, columns / blockLength], origin },
      slices: () => each(({ scales }) => scales),
    },
  ];
}

interface Blocks {
  codes: Uint8Array;
  scales: Float32Array;
}

/**
 * Whole blocks to codes and scales. The element that is largest in size is met exactly: it is −middle, and for 8 bits, whose
 * codes are many, ±127. Errors: RangeError where the values are not whole blocks.
 */
export function quantize(values: Float32Array, bits: CodeBits): Blocks {
  if (values.length % blockLength !== 0) throw new RangeError(`${values.length} values are not whole blocks`);
  const middle = 2 ** (bits - 1);
  const codes = new Uint8Array((values.length * bits) / 8);
  const scales = new Float32Array(values.length / blockLength);
  for (let block = 0; block < scales.length; block++) {
    const start = block * blockLength;
    let extreme = 0;
    for (let i = start; i < start + blockLength; i++) {
      if (Math.abs(values[i]!) > Math.abs(extreme)) extreme = values[i]!;
    }
    const scale = Math.fround(bits === 8 ? Math.abs(extreme) / (middle - 1) : extreme / -middle);
    scales[block] = scale;
    for (let i = start; i < start + blockLength; i++) {
      const steps = scale === 0 ? 0 : Math.round(values[i]! / scale);
      const code = Math.max(0, Math.min(2 * middle - 1, steps + middle));
      if (bits === 8) codes[i] = code;
      else codes[i >> 1]! |= code << (i % 2 === 0 ? 0 : 4);
    }
  }
  return { codes, scales };
}

/** The values that codes stand for. */
export function dequantize({ codes, scales }: Blocks, bits: CodeBits): Float32Array {
  const middle = 2 ** (bits - 1);
  return Float32Array.from({ length: scales.length * blockLength }, (_, i) => {
    const code = bits === 8 ? codes[i]! : (codes[i >> 1]! >> (i % 2 === 0 ? 0 : 4)) & 15;
    return (code - middle) * scales[Math.floor(i / blockLength)]!;
  });
}
