import type { ModelConfig } from './config.ts';
import { rotaryColumns } from './decoder-traits.ts';

export interface RopeTables {
  /** [positions, rotary columns / 2] */
  cosines: Float32Array;
  sines: Float32Array;
  shape: [number, number];
}

type RopeConfig = Pick<ModelConfig, 'headDim' | 'ropeTheta' | 'ropeScaling' | 'partialRotaryFactor' | 'ropeFactors'>;

/** Rotary angles of the positions 0 … positions − 1, with the frequency scaling that the config asks for. */
export function ropeTables(config: RopeConfig, positions: number): RopeTables {
  const frequencies = ropeFrequencies(config);
  const size = config.ropeFactors?.size ?? 1;
  const half = frequencies.length;
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!;
      cosines[position * half + i] = Math.cos(angle) * size;
      sines[position * half + i] = Math.sin(angle) * size;
    }
  }
  return { cosines, sines, shape: [positions, half] };
}

/** Those of a layer with a window. */
export function localRopeTables(
  config: RopeConfig & Pick<ModelConfig, 'localRopeTheta'>,
  positions: number,
): RopeTables {
  if (config.localRopeTheta === null) return ropeTables(config, positions);
  return ropeTables({ ...config, ropeTheta: config.localRopeTheta, ropeScaling: null, ropeFactors: null }, positions);
}

/** Radians per position, for each pair of columns. Llama 3's scaling as in its reference implementation. */
function ropeFrequencies({ headDim, ropeTheta, ropeScaling, partialRotaryFactor, ropeFactors }: RopeConfig): number[] {
  const columns = rotaryColumns(headDim, partialRotaryFactor);
  const plain = Array.from({ length: columns / 2 }, (_, i) => ropeTheta ** ((-2 * i) / columns));
  if (ropeFactors !== null) return plain.map((frequency, i) => frequency / ropeFactors.divisors[i]!);
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
