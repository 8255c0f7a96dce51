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
  /** Rotary positions of the layers with a window have a base of their own, and no factors; null: as all layers. */
  localRopeTheta: number | null;
  activation: 'silu' | 'geluTanh';
  /** Added to the weights of norms. */
  normOffset: number;
  /** Also what attention and the gated layers give is normed, before it is added. */
  outputNorms: boolean;
  /** Token embeddings are multiplied with it. */
  embeddingScale: number;
  /** Scores are divided by the root of it; null: of the head size. */
  queryScalar: number | null;
  /** Scores s become c · tanh(s / c); null: they stay. */
  scoreCap: number | null;
  /** The same of logits. */
  logitCap: number | null;
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
const longRopeTypes: readonly string[] = ['longrope', 'su'];

/** Types of rope_scaling that become traits of an architecture. */
export function ropeTypesOf(modelType: ModelType): readonly string[] {
  if (modelType === 'phi3') return longRopeTypes;
  return modelType === 'gemma3_text' ? ['linear'] : [];
}

/** Llama's own. */
export const plainTraits: DecoderTraits = {
  fusedProjections: false,
  partialRotaryFactor: 1,
  ropeFactors: null,
  slidingWindow: null,
  localRopeTheta: null,
  activation: 'silu',
  normOffset: 0,
  outputNorms: false,
  embeddingScale: 1,
  queryScalar: null,
  scoreCap: null,
  logitCap: null,
};

interface Sizes {
  hiddenSize: number;
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
  if (isGemma(modelType)) return { ...traits, ...gemmaTraits(fields, modelType, sizes) };
  const rotaryDim = rotaryColumns(sizes.headDim, traits.partialRotaryFactor);
  return modelType === 'phi3'
    ? { ...traits, ropeFactors: readLongRope(fields, rotaryDim, sizes.maxPositions) }
    : traits;
}

/** The number of a head's columns that rotary positions turn. */
export function rotaryColumns(headDim: number, partialRotaryFactor: number): number {
  return Math.floor(headDim * partialRotaryFactor);
}

export function isGemma(modelType: ModelType): modelType is 'gemma2' | 'gemma3_text' {
  return modelType === 'gemma2' || modelType === 'gemma3_text';
}

/** Missing fields have the architecture's defaults; a null cap is none. */
function gemmaTraits(fields: ConfigFields, modelType: ModelType, sizes: Sizes): Partial<DecoderTraits> {
  const cap = (name: string, otherwise: number | null) => {
    if (fields.source[name] === null || (fields.source[name] === undefined && otherwise === null)) return null;
    return fields.number(name, 1e-3, 1e6, otherwise ?? undefined);
  };
  const isSecond = modelType === 'gemma2';
  const queryScalar = fields.number('query_pre_attn_scalar', 1e-3, 1e6, 256);
  return {
    activation: 'geluTanh',
    normOffset: 1,
    outputNorms: true,
    embeddingScale: Math.sqrt(sizes.hiddenSize),
    queryScalar: queryScalar === sizes.headDim ? null : queryScalar,
    scoreCap: cap('attn_logit_softcapping', isSecond ? 50 : null),
    logitCap: cap('final_logit_softcapping', isSecond ? 30 : null),
    ...(isSecond ? {} : gemma3Positions(fields, sizes)),
  };
}

/** Gemma 3's config.json with rotary positions by kinds of layers, as transformers 5 writes it, in the fields of before. */
export function withoutRopeByKind(config: Record<string, unknown>): Record<string, unknown> {
  const { rope_parameters: rope, ...others } = config;
  if (config.model_type !== 'gemma3_text' || !isRecord(rope)) return config;
  const { full_attention: full, sliding_attention: local } = rope;
  if (!isRecord(full) || !isRecord(local) || (local.rope_type ?? 'default') !== 'default') return config;
  const { rope_theta, ...rope_scaling } = full;
  return { ...others, rope_theta, rope_scaling, rope_local_base_freq: local.rope_theta };
}

/** Layers with a window have a base of their own, the others may be stretched by one factor. */
function gemma3Positions(fields: ConfigFields, { headDim, maxPositions }: Sizes): Partial<DecoderTraits> {
  if (fields.flag('use_bidirectional_attention', false)) {
    fields.problem('use_bidirectional_attention is true; only models that read from left to right are supported.');
  }
  const localRopeTheta = fields.number('rope_local_base_freq', 1, 1e12, 10_000);
  const scaling = fields.source.rope_scaling;
  if (!isRecord(scaling) || (scaling.rope_type ?? scaling.type) !== 'linear') return { localRopeTheta };
  const factor = fields.inner('rope_scaling').number('factor', 1e-3, 1e6);
  const divisors = Array.from({ length: Math.floor(headDim / 2) || 0 }, () => factor);
  return { localRopeTheta, ropeFactors: { divisors, size: 1, positions: maxPositions } };
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
  if (isGemma(modelType)) return gemmaWindow(fields, modelType, sizes);
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
  return { positions, layers: layersNamed(types, sizes, fields) };
}

/** The layers that layer_types names for sliding attention. */
function layersNamed(types: unknown, sizes: Sizes, fields: ConfigFields): number[] {
  if (!isLayerTypes(types, sizes, ['full_attention', 'sliding_attention'])) {
    fields.problem('layer_types does not name "full_attention" or "sliding_attention" for each layer.');
    return [];
  }
  return types.flatMap((type, layer) => (type === 'sliding_attention' ? [layer] : []));
}

/** Kept where it is as long as the context, too: its layers are told by it. */
function gemmaWindow(fields: ConfigFields, modelType: ModelType, sizes: Sizes): SlidingWindow {
  const positions = fields.integer('sliding_window', 2 ** 24, 4096);
  const types = fields.source.layer_types ?? null;
  if (types !== null) return { positions, layers: layersNamed(types, sizes, fields) };
  // Of so many layers the last sees all.
  const every = modelType === 'gemma2' ? 2 : fields.integer('sliding_window_pattern', 1024, 6);
  const all = Array.from({ length: sizes.numHiddenLayers || 0 }, (_, layer) => layer);
  return { positions, layers: all.filter((layer) => (layer + 1) % every > 0) };
}

function isLayerTypes(types: unknown, { numHiddenLayers }: Sizes, allowed: readonly string[]): types is string[] {
  return Array.isArray(types) && types.length === numHiddenLayers && types.every((type) => allowed.includes(type));
}
