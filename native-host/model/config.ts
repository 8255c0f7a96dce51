/** What a Hugging Face config.json says about a decoder of the Llama family, checked field by field. */
import { ConfigFields } from './config-fields.ts';
import { ModelError } from './model-error.ts';
import { readModelJson } from './model-files.ts';

export interface RopeScaling {
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalMaxPositionEmbeddings: number;
}

export interface ModelConfig {
  modelType: 'llama' | 'mistral' | 'qwen2' | 'qwen3';
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** Llama 3's scaling of the rotary frequencies; null for plain rotary positions. */
  ropeScaling: RopeScaling | null;
  maxPositionEmbeddings: number;
  tieWordEmbeddings: boolean;
  /** Biases on the query, key and value projections. */
  attentionBias: boolean;
  attentionOutputBias: boolean;
  mlpBias: boolean;
  /** RMS norms on each head's queries and keys (qwen3). */
  queryKeyNorm: boolean;
  bosTokenId: number | null;
  eosTokenIds: number[];
}

export const MODEL_TYPES = ['llama', 'mistral', 'qwen2', 'qwen3'] as const;

const ADVICE = `Choose a model whose architecture is one of ${MODEL_TYPES.join(', ')}, with full attention.`;

// Upper bounds lie well above every published model. They keep a damaged config from asking for absurd amounts of memory.
const MAX = { vocab: 2 ** 21, hidden: 65_536, intermediate: 2 ** 19, layers: 1024, heads: 1024, headDim: 1024 };
const MAX_POSITIONS = 2 ** 24;

/** Reads config.json, and the stop tokens of generation_config.json. Throws one ModelError with all that is wrong. */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const config = await readModelJson(folder, 'config.json');
  if (config === null) {
    throw new ModelError(folder, ['There is no config.json.'], 'Name the folder of a model in Hugging Face layout.');
  }
  return parseModelConfig(config, folder, (await readModelJson(folder, 'generation_config.json')) ?? {});
}

/** `subject` names the model in errors. Missing fields get the defaults of the architecture where it has any. */
export function parseModelConfig(
  config: Record<string, unknown>,
  subject: string,
  generationConfig: Record<string, unknown> = {},
): ModelConfig {
  const fields = new ConfigFields(config);
  const modelType = fields.oneOf('model_type', MODEL_TYPES);
  // Of an architecture that is not known the other fields say nothing.
  if (modelType === null) throw new ModelError(subject, fields.problems, ADVICE);
  refuseWhatIsNotBuilt(fields, modelType);

  const vocabSize = fields.integer('vocab_size', MAX.vocab);
  const hiddenSize = fields.integer('hidden_size', MAX.hidden);
  const numAttentionHeads = fields.integer('num_attention_heads', MAX.heads);
  // Only llama derives the number of key and value heads from the other; the rest have unrelated defaults of their own.
  const keyValueDefault = modelType === 'llama' ? numAttentionHeads : undefined;
  const numKeyValueHeads = fields.integer('num_key_value_heads', MAX.heads, keyValueDefault);
  const derivedHeadDim = modelType === 'qwen3' ? 128 : Math.floor(hiddenSize / numAttentionHeads);
  const headDim = fields.integer('head_dim', MAX.headDim, derivedHeadDim);
  if (numAttentionHeads % numKeyValueHeads > 0) {
    fields.problem(
      `num_attention_heads ${numAttentionHeads} is no multiple of num_key_value_heads ${numKeyValueHeads}.`,
    );
  }
  if (fields.source.head_dim == null && hiddenSize % numAttentionHeads > 0 && modelType !== 'qwen3') {
    fields.problem(`hidden_size ${hiddenSize} is no multiple of num_attention_heads ${numAttentionHeads}.`);
  }
  if (headDim % 2 > 0) fields.problem(`head_dim ${headDim} is odd, and rotary positions need pairs.`);

  const attentionBias = modelType === 'qwen2' || (modelType !== 'mistral' && fields.flag('attention_bias', false));
  const rope = fields.ropeParameters();
  const result: ModelConfig = {
    modelType,
    vocabSize,
    hiddenSize,
    intermediateSize: fields.integer('intermediate_size', MAX.intermediate),
    numHiddenLayers: fields.integer('num_hidden_layers', MAX.layers),
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: fields.number('rms_norm_eps', 1e-12, 0.1),
    ropeTheta: rope.theta,
    ropeScaling: rope.scaling,
    maxPositionEmbeddings: fields.integer('max_position_embeddings', MAX_POSITIONS),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', false),
    attentionBias,
    attentionOutputBias: attentionBias && modelType !== 'qwen2',
    mlpBias: modelType === 'llama' && fields.flag('mlp_bias', false),
    queryKeyNorm: modelType === 'qwen3',
    bosTokenId: fields.tokenIds('bos_token_id', vocabSize)[0] ?? null,
    eosTokenIds: stopTokens(fields, generationConfig, vocabSize),
  };
  if (fields.problems.length > 0) throw new ModelError(subject, fields.problems, ADVICE);
  return result;
}

/** Names and shapes of the tensors that a model of this config consists of, as Hugging Face names them. */
export function expectedTensors(config: ModelConfig): Map<string, number[]> {
  const { vocabSize, hiddenSize, intermediateSize, headDim } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const tensors = new Map<string, number[]>([['model.embed_tokens.weight', [vocabSize, hiddenSize]]]);
  const linear = (name: string, outputs: number, inputs: number, bias: boolean) => {
    tensors.set(`${name}.weight`, [outputs, inputs]);
    if (bias) tensors.set(`${name}.bias`, [outputs]);
  };
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = `model.layers.${i}`;
    tensors.set(`${layer}.input_layernorm.weight`, [hiddenSize]);
    linear(`${layer}.self_attn.q_proj`, queries, hiddenSize, config.attentionBias);
    linear(`${layer}.self_attn.k_proj`, keys, hiddenSize, config.attentionBias);
    linear(`${layer}.self_attn.v_proj`, keys, hiddenSize, config.attentionBias);
    linear(`${layer}.self_attn.o_proj`, hiddenSize, queries, config.attentionOutputBias);
    if (config.queryKeyNorm) {
      tensors.set(`${layer}.self_attn.q_norm.weight`, [headDim]);
      tensors.set(`${layer}.self_attn.k_norm.weight`, [headDim]);
    }
    tensors.set(`${layer}.post_attention_layernorm.weight`, [hiddenSize]);
    linear(`${layer}.mlp.gate_proj`, intermediateSize, hiddenSize, config.mlpBias);
    linear(`${layer}.mlp.up_proj`, intermediateSize, hiddenSize, config.mlpBias);
    linear(`${layer}.mlp.down_proj`, hiddenSize, intermediateSize, config.mlpBias);
  }
  tensors.set('model.norm.weight', [hiddenSize]);
  if (!config.tieWordEmbeddings) tensors.set('lm_head.weight', [vocabSize, hiddenSize]);
  return tensors;
}

/** Things that change what the model computes and that the decoder does not do. */
function refuseWhatIsNotBuilt(fields: ConfigFields, modelType: ModelConfig['modelType']): void {
  const { source } = fields;
  const activation = source.hidden_act ?? 'silu';
  if (activation !== 'silu') fields.problem(`hidden_act ${JSON.stringify(activation)} is not supported, only "silu".`);
  if (source.quantization_config != null) {
    fields.problem('The weights are quantized (quantization_config); F32, F16 and BF16 are supported.');
  }
  if ((source.partial_rotary_factor ?? 1) !== 1) {
    fields.problem(`partial_rotary_factor ${JSON.stringify(source.partial_rotary_factor)} is not supported, only 1.`);
  }
  const windowed = 'so each layer would see a part of the text only, and sliding-window attention is not built.';
  const window = source.sliding_window ?? null;
  if (modelType === 'mistral' && window !== null) {
    const positions = source.max_position_embeddings;
    if (typeof window !== 'number' || typeof positions !== 'number' || window < positions) {
      fields.problem(
        `sliding_window ${JSON.stringify(window)} is below max_position_embeddings ${JSON.stringify(positions)}, ${windowed}`,
      );
    }
  }
  if (modelType === 'qwen2' || modelType === 'qwen3') {
    if (fields.flag('use_sliding_window', false)) fields.problem(`use_sliding_window is true, ${windowed}`);
  }
  const layerTypes = source.layer_types ?? [];
  if (!Array.isArray(layerTypes) || layerTypes.some((type) => type !== 'full_attention')) {
    fields.problem(`layer_types names other layers than "full_attention", ${windowed}`);
  }
}

/** Chat models often name their end-of-turn token in generation_config.json alone. */
function stopTokens(fields: ConfigFields, generationConfig: Record<string, unknown>, vocabSize: number): number[] {
  const generation = new ConfigFields(generationConfig);
  const ids = [...fields.tokenIds('eos_token_id', vocabSize), ...generation.tokenIds('eos_token_id', vocabSize)];
  for (const problem of generation.problems) fields.problem(`generation_config.json: ${problem}`);
  return [...new Set(ids)];
}
