/** In what the decoder of one architecture differs from Llama's, beside sizes, biases and norms. */

import type { ModelType } from './config.ts';
import type { ConfigFields } from './config-fields.ts';
import { isRecord } from './model-files.ts';

export interface DecoderTraits {
  /** In the files, query, key and value are one matrix, and so are gate and up (phi3). */
  fusedProjections: boolean;
  /** The share of each head's columns that rotary positions turn, the first ones. */
  partialRotaryFactor: number;
  ropeFactors: RopeFactors | null;
  slidingWindow: SlidingWindow | null;
}

/** Rotary frequencies that were stretched for long contexts, in another way for each pair of columns. */
export interface RopeFactors {
  /** What the frequencies are divided by. */
  divisors: number[];
  /** What cosines and sines are multiplied with. */
  size: number;
  /** Up to how many positions these hold. */
  positions: number;
}

export interface SlidingWindow {
  /** How many positions a position sees, itself included. */
  positions: number;
  /** The layers that see no more than these; the others see all. */
  layers: number[];
}

/** What rope_scaling calls it, now and before. */
export const longRopeTypes: readonly string[] = ['longrope', 'su'];

/** Llama's own. */
export const plainTraits: DecoderTraits = {
  fusedProjections: false,
  partialRotaryFactor: 1,
  ropeFactors: null,
  slidingWindow: null,
};

interface Sizes {
  headDim: number;
  numHiddenLayers: number;
  maxPositions: number;
}

/** What is wrong is added to the fields' problems. */
export function readTraits(fields: ConfigFields, modelType: ModelType, sizes: Sizes): DecoderTraits {
  const traits: DecoderTraits = {
    ...plainTraits,
    fusedProjections: modelType === 'phi3',
    partialRotaryFactor: rotaryFactor(fields, modelType, sizes.headDim),
    slidingWindow: readWindow(fields, modelType, sizes),
  };
  const rotaryDim = rotaryColumns(sizes.headDim, traits.partialRotaryFactor);
  return modelType === 'phi3'
    ? { ...traits, ropeFactors: readLongRope(fields, rotaryDim, sizes.maxPositions) }
    : traits;
}

/** The number of a head's columns that rotary positions turn. */
export function rotaryColumns(headDim: number, partialRotaryFactor: number): number {
  return Math.floor(headDim * partialRotaryFactor);
}

function rotaryFactor(fields: ConfigFields, modelType: ModelType, headDim: number): number {
  const inRope = fields.source.rope_parameters;
  const source = isRecord(inRope) && inRope.partial_rotary_factor != null ? fields.inner('rope_parameters') : fields;
  const factor = source.number('partial_rotary_factor', 1e-3, 1, 1);
  if (factor !== 1 && modelType !== 'phi3') {
    fields.problem(`partial_rotary_factor ${factor} is not supported for ${modelType}, only 1.`);
  } else if (factor !== 1 && (rotaryColumns(headDim, factor) % 2 > 0 || rotaryColumns(headDim, factor) === 0)) {
    fields.problem(`partial_rotary_factor ${factor} of head_dim ${headDim} are no pairs of columns.`);
  }
  return factor;
}

/**
 * Phi 3 has short factors for the window that it was first trained with. Beyond it the long ones hold, for the positions
 * before as well: that is another function of the text, which a cache cannot go over to, so that the context ends there.
 */
function readLongRope(fields: ConfigFields, rotaryDim: number, maxPositions: number): RopeFactors | null {
  const name = fields.source.rope_parameters == null ? 'rope_scaling' : 'rope_parameters';
  const rope = fields.source[name];
  if (!isRecord(rope) || !longRopeTypes.includes(String(rope.rope_type ?? rope.type))) return null;
  const inner = fields.inner(name);
  const divisors = inner.numbers('short_factor', rotaryDim / 2, 1e-3, 1e6);
  const outer = rope.original_max_position_embeddings == null ? fields : inner;
  const positions = outer.integer('original_max_position_embeddings', 2 ** 24);
  const stretch = maxPositions / positions;
  const computed = stretch > 1 ? Math.sqrt(1 + Math.log(stretch) / Math.log(positions)) : 1;
  const size = rope.attention_factor == null ? computed : inner.number('attention_factor', 1e-3, 1e3);
  return { divisors, size, positions };
}

/** Null also where the window is as long as the longest context. */
function readWindow(fields: ConfigFields, modelType: ModelType, sizes: Sizes): SlidingWindow | null {
  const { source } = fields;
  const types: unknown = source.layer_types ?? null;
  const isQwen = modelType === 'qwen2' || modelType === 'qwen3';
  if (isQwen && !fields.flag('use_sliding_window', false)) {
    if (types !== null && !isLayerTypes(types, sizes, ['full_attention'])) {
      fields.problem('layer_types names other layers than "full_attention", and use_sliding_window is not true.');
    }
    return null;
  }
  if (types !== null && !isQwen) {
    const wanted = modelType === 'llama' || source.sliding_window == null ? 'full_attention' : 'sliding_attention';
    if (!isLayerTypes(types, sizes, [wanted])) {
      fields.problem(`layer_types names other layers than "${wanted}", which a ${modelType} model does not have.`);
    }
  }
  if (modelType === 'llama' || source.sliding_window == null) return null;
  const positions = fields.integer('sliding_window', 2 ** 24);
  if (positions >= sizes.maxPositions) return null;
  const all = Array.from({ length: sizes.numHiddenLayers || 0 }, (_, layer) => layer);
  if (!isQwen) return { positions, layers: all };
  if (types === null) {
    const first = fields.number('max_window_layers', 0, 2 ** 24);
    return { positions, layers: all.filter((layer) => layer >= first) };
  }
  if (!isLayerTypes(types, sizes, ['full_attention', 'sliding_attention'])) {
    fields.problem('layer_types does not name "full_attention" or "sliding_attention" for each layer.');
    return null;
  }
  return { positions, layers: all.filter((layer) => types[layer] === 'sliding_attention') };
}

function isLayerTypes(types: unknown, { numHiddenLayers }: Sizes, allowed: readonly string[]): types is string[] {
  return Array.isArray(types) && types.length === numHiddenLayers && types.every((type) => allowed.includes(type));
}

/** The config for a device that has no sliding windows: within the window there is no difference, so the context ends there. */
export function withinWindow<T extends DecoderTraits & { maxPositionEmbeddings: number }>(config: T): T {
  const { slidingWindow, maxPositionEmbeddings } = config;
  if (slidingWindow === null) return config;
  const positions = Math.min(slidingWindow.positions, maxPositionEmbeddings);
  return { ...config, slidingWindow: null, maxPositionEmbeddings: positions };
}
