/** A GGUF file's metadata as Hugging Face's config.json would say it, so that one place checks both. */
import type { ModelConfig } from '../config.ts';
import type { GgufFile } from './gguf-file.ts';

/** model_type by general.architecture. */
const MODEL_TYPES: Readonly<Record<string, string>> = {
  llama: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  phi3: 'phi3',
  gemma2: 'gemma2',
  gemma3: 'gemma3_text',
};

/** The names of the tensors that belong to no layer, by their names in Hugging Face's models. */
const OUTER_NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
};
/** In the same way those within a layer. */
const LAYER_NAMES: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.qkv_proj': 'attn_qkv',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** Where also what attention and the gated layers give is normed (gemma). */
const OUTPUT_NORM_NAMES: Readonly<Record<string, string>> = {
  post_attention_layernorm: 'post_attention_norm',
  pre_feedforward_layernorm: 'ffn_norm',
  post_feedforward_layernorm: 'post_ffw_norm',
};

/** What the file calls a tensor of Hugging Face's model. */
export function ggufName({ outputNorms }: ModelConfig, name: string): string {
  const [, outer, part] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const layer = /^model\.layers\.(\d+)\.(.*)$/.exec(outer ?? '');
  if (layer === null) return `${OUTER_NAMES[outer ?? '']}.${part}`;
  const own = outputNorms ? OUTPUT_NORM_NAMES[layer[2]!] : undefined;
  return `blk.${layer[1]}.${own ?? LAYER_NAMES[layer[2]!]}.${part}`;
}

/** Tables of divisors of rotary frequencies: llama's, and phi3's for short contexts. */
export const ropeTensors = { llama: 'rope_freqs.weight', short: 'rope_factors_short.weight' } as const;

/** Not a part of the model: such tables, also those that are not used. */
export function isRopeTensor(name: string): boolean {
  return /^rope_(freqs|factors_(short|long))\.weight$/.test(name);
}

/**
 * The fields of config.json; what is wrong is added to `problems`. `shortFactors`: the values of rope_factors_short.weight,
 * null where it is not there.
 */
export function configOf(
  { metadata, tensors }: GgufFile,
  shortFactors: readonly number[] | null,
  problems: string[],
): Record<string, unknown> {
  const architecture = metadata.get('general.architecture');
  const modelType = typeof architecture === 'string' ? MODEL_TYPES[architecture] : undefined;
  const known = Object.keys(MODEL_TYPES).join(', ');
  if (modelType === undefined) {
    problems.push(`general.architecture is ${JSON.stringify(architecture ?? null)}; it must be one of ${known}.`);
  }
  const of = (key: string) => metadata.get(`${architecture}.${key}`);
  const parts = metadata.get('split.count') ?? 1;
  if (parts !== 0 && parts !== 1)
    problems.push(`It is one of ${String(parts)} files. Merge them with llama-gguf-split.`);
  const keyLength = of('attention.key_length');
  if (keyLength !== (of('attention.value_length') ?? keyLength)) {
    problems.push('Its heads have values of another length than keys.');
  }
  const heads = of('attention.head_count');
  const headDim = keyLength ?? Number(of('embedding_length')) / Number(heads);
  const has = (name: string) => tensors.has(name);
  return {
    model_type: modelType,
    vocab_size: tensors.get('token_embd.weight')?.shape[0],
    hidden_size: of('embedding_length'),
    intermediate_size: of('feed_forward_length'),
    num_hidden_layers: of('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: of('attention.head_count_kv') ?? heads,
    ...(keyLength === undefined ? {} : { head_dim: keyLength }),
    partial_rotary_factor: Number(of('rope.dimension_count') ?? headDim) / Number(headDim),
    rms_norm_eps: of('attention.layer_norm_rms_epsilon'),
    rope_theta: of('rope.freq_base'),
    rope_scaling: ropeScaling(of, shortFactors),
    max_position_embeddings: of('context_length'),
    original_max_position_embeddings: of('rope.scaling.original_context_length'),
    ...slidingWindow(of),
    ...(modelType?.startsWith('gemma') ? gemmaFields(of) : {}),
    tie_word_embeddings: !has('output.weight'),
    attention_bias: has('blk.0.attn_output.bias'),
    mlp_bias: has('blk.0.ffn_gate.bias'),
    bos_token_id: metadata.get('tokenizer.ggml.bos_token_id') ?? null,
    eos_token_id: [metadata.get('tokenizer.ggml.eos_token_id'), metadata.get('tokenizer.ggml.eot_token_id')].filter(
      (id) => id !== undefined,
    ),
  };
}

function ropeScaling(of: (key: string) => unknown, shortFactors: readonly number[] | null): unknown {
  if (shortFactors !== null) {
    return { rope_type: 'longrope', short_factor: shortFactors, attention_factor: of('rope.scaling.attn_factor') };
  }
  const [type, factor] = [of('rope.scaling.type') ?? 'none', of('rope.scaling.factor')];
  const isNone = type === 'none' || (type === 'linear' && (factor ?? 1) === 1);
  return isNone ? null : { rope_type: type, factor };
}

/** The layers of the largest models of gemma 2 and 3, whose scores are scaled in another way; the file does not say it. */
const LARGEST_GEMMA_LAYERS: readonly unknown[] = [46, 62];

/** What is missing has the same defaults as in config.json. */
function gemmaFields(of: (key: string) => unknown): Record<string, unknown> {
  const isLargest = LARGEST_GEMMA_LAYERS.includes(of('block_count'));
  return {
    query_pre_attn_scalar: isLargest
      ? Number(of('embedding_length')) / Number(of('attention.head_count'))
      : of('attention.key_length'),
    attn_logit_softcapping: of('attn_logit_softcapping'),
    final_logit_softcapping: of('final_logit_softcapping'),
    sliding_window_pattern: of('attention.sliding_window_pattern'),
    rope_local_base_freq: of('rope.freq_base_swa'),
  };
}

/** Zero stands for none. */
function slidingWindow(of: (key: string) => unknown): Record<string, unknown> {
  const positions = of('attention.sliding_window') ?? 0;
  return positions === 0 ? {} : { sliding_window: positions };
}
