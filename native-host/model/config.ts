/** What a Hugging Face config.json says about a decoder of the Llama family, checked field by field. */
import { ConfigFields } from './config-fields.ts';
import { type DecoderTraits, isGemma, readTraits, ropeTypesOf, withoutRopeByKind } from './decoder-traits.ts';
import { ModelError } from './model-error.ts';
import { readModelJson } from './model-files.ts';

export interface RopeScaling {
  factor: number;
  lowFreqFactor: number;
  highFreqFactor: number;
  originalMaxPositionEmbeddings: number;
}

export interface ModelConfig extends DecoderTraits {
  modelType: ModelType;
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
  /** The longest context that the model computes as it was trained to. */
  maxPositionEmbeddings: number;
  tieWordEmbeddings: boolean;
  /** Biases on the query, key and value projections. */
  attentionBias: boolean;
  attentionOutputBias: boolean;
  mlpBias: boolean;
  /** RMS norms on each head's queries and keys (qwen3, gemma 3). */
  queryKeyNorm: boolean;
  bosTokenId: number | null;
  eosTokenIds: number[];
}

export const MODEL_TYPES = ['llama', 'mistral', 'qwen2', 'qwen3', 'phi3', 'gemma2', 'gemma3_text'] as const;

export type ModelType = (typeof MODEL_TYPES)[number];

const ADVICE = `Choose a model whose architecture is one of ${MODEL_TYPES.join(', ')}.`;

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
  const fields = new ConfigFields(withoutRopeByKind(config));
  const modelType = fields.oneOf('model_type', MODEL_TYPES);
  // Of an architecture that is not known the other fields say nothing.
  if (modelType === null) throw new ModelError(subject, fields.problems, ADVICE);
  refuseWhatIsNotBuilt(fields, modelType);

  const vocabSize = fields.integer('vocab_size', MAX.vocab);
  const hiddenSize = fields.integer('hidden_size', MAX.hidden);
  const numAttentionHeads = fields.integer('num_attention_heads', MAX.heads);
  // The others have unrelated defaults of their own.
  const keyValueDefault = derivesKeyValueHeads(modelType) ? numAttentionHeads : undefined;
  const numKeyValueHeads = fields.integer('num_key_value_heads', MAX.heads, keyValueDefault);
  const ownHeadDim = modelType === 'qwen3' ? 128 : isGemma(modelType) ? 256 : null;
  const derivedHeadDim = ownHeadDim ?? Math.floor(hiddenSize / numAttentionHeads);
  const headDim = fields.integer('head_dim', MAX.headDim, derivedHeadDim);
  if (numAttentionHeads % numKeyValueHeads > 0) {
    fields.problem(
      `num_attention_heads ${numAttentionHeads} is no multiple of num_key_value_heads ${numKeyValueHeads}.`,
    );
  }
  if (fields.source.head_dim == null && hiddenSize % numAttentionHeads > 0 && ownHeadDim === null) {
    fields.problem(`hidden_size ${hiddenSize} is no multiple of num_attention_heads ${numAttentionHeads}.`);
  }
  if (headDim % 2 > 0) fields.problem(`head_dim ${headDim} is odd, and rotary positions need pairs.`);

  const attentionBias = hasAttentionBias(fields, modelType);
  const numHiddenLayers = fields.integer('num_hidden_layers', MAX.layers);
  const maxPositions = fields.integer('max_position_embeddings', MAX_POSITIONS);
  const rope = fields.ropeParameters(ropeTypesOf(modelType), modelType === 'gemma3_text' ? 1e6 : 10_000);
  const traits = readTraits(fields, modelType, { hiddenSize, headDim, numHiddenLayers, maxPositions });
  const result: ModelConfig = {
    modelType,
    vocabSize,
    hiddenSize,
    intermediateSize: fields.integer('intermediate_size', MAX.intermediate),
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: fields.number('rms_norm_eps', 1e-12, 0.1),
    ropeTheta: rope.theta,
    ropeScaling: rope.scaling,
    maxPositionEmbeddings: Math.min(maxPositions, traits.ropeFactors?.positions ?? maxPositions),
    tieWordEmbeddings: fields.flag('tie_word_embeddings', isGemma(modelType)),
    attentionBias,
    attentionOutputBias: attentionBias && modelType !== 'qwen2',
    mlpBias: modelType === 'llama' && fields.flag('mlp_bias', false),
    queryKeyNorm: modelType === 'qwen3' || modelType === 'gemma3_text',
    bosTokenId: fields.tokenIds('bos_token_id', vocabSize)[0] ?? null,
    eosTokenIds: stopTokens(fields, generationConfig, vocabSize),
    ...traits,
  };
  if (fields.problems.length > 0) throw new ModelError(subject, fields.problems, ADVICE);
  return result;
}

/**
 * Names and shapes of the tensors that a model of this config consists of, as Hugging Face names them. Projections that
 * the files hold as one matrix are here by themselves (fused-tensors.ts).
 */
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
    if (config.outputNorms) {
      tensors.set(`${layer}.pre_feedforward_layernorm.weight`, [hiddenSize]);
      tensors.set(`${layer}.post_feedforward_layernorm.weight`, [hiddenSize]);
    }
    linear(`${layer}.mlp.gate_proj`, intermediateSize, hiddenSize, config.mlpBias);
    linear(`${layer}.mlp.up_proj`, intermediateSize, hiddenSize, config.mlpBias);
    linear(`${layer}.mlp.down_proj`, hiddenSize, intermediateSize, config.mlpBias);
  }
  tensors.set('model.norm.weight', [hiddenSize]);
  if (!config.tieWordEmbeddings) tensors.set('lm_head.weight', [vocabSize, hiddenSize]);
  return tensors;
}

/** Things that change what the model computes and that the decoder does not do. */
function refuseWhatIsNotBuilt(fields: ConfigFields, modelType: ModelType): void {
  const { source } = fields;
  // Gemma's files of before name one in hidden_act that was never used.
  const [field, built] = isGemma(modelType) ? ['hidden_activation', 'gelu_pytorch_tanh'] : ['hidden_act', 'silu'];
  const activation = source[field] ?? built;
  if (activation !== built) {
    fields.problem(`${field} ${JSON.stringify(activation)} is not supported, only "${built}".`);
  }
  if (source.quantization_config != null) {
    fields.problem('The weights are quantized (quantization_config); F32, F16 and BF16 are supported.');
  }
}

function derivesKeyValueHeads(modelType: ModelType): boolean {
  return modelType === 'llama' || modelType === 'phi3';
}

function hasAttentionBias(fields: ConfigFields, modelType: ModelType): boolean {
  if (modelType === 'qwen2') return true;
  if (modelType === 'mistral' || modelType === 'phi3') return false;
  return fields.flag('attention_bias', false);
}

/** Chat models often name their end-of-turn token in generation_config.json alone. */
function stopTokens(fields: ConfigFields, generationConfig: Record<string, unknown>, vocabSize: number): number[] {
  const generation = new ConfigFields(generationConfig);
  const ids = [...fields.tokenIds('eos_token_id', vocabSize), ...generation.tokenIds('eos_token_id', vocabSize)];
  for (const problem of generation.problems) fields.problem(`generation_config.json: ${problem}`);
  return [...new Set(ids)];
}
