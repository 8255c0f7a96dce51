import type { ModelConfig } from './config.ts';

export interface RopeTables {
  /** [positions, headDim / 2] */
  cosines: Float32Array;
  sines: Float32Array;
  shape: [number, number];
}

/** Rotary angles of the positions 0 … positions − 1, with Llama 3's frequency scaling where the config asks for it. */
export function ropeTables(
  config: Pick<ModelConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>,
  positions: number,
): RopeTables {
  const frequencies = ropeFrequencies(config);
  const half = frequencies.length;
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!;
      cosines[position * half + i] = Math.cos(angle);
      sines[position * half + i] = Math.sin(angle);
    }
  }
  return { cosines, sines, shape: [positions, half] };
}

/** Radians per position, for each pair of columns. Llama 3's scaling as in its reference implementation. */
function ropeFrequencies({
  headDim,
  ropeTheta,
  ropeScaling,
}: Pick<ModelConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>): number[] {
  const plain = Array.from({ length: headDim / 2 }, (_, i) => ropeTheta ** ((-2 * i) / headDim));
  if (ropeScaling === null) return plain;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } = ropeScaling;
  return plain.map((frequency) => {
    const turns = (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
    if (turns > highFreqFactor) return frequency;
    if (turns < lowFreqFactor) return frequency / factor;
    const smooth = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return (1 - smooth) * (frequency / factor) + smooth * frequency;
  });
}
