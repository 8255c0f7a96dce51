// The embedded model's shape, and the random weights it starts from.
import { expectedTensors, parseModelConfig } from '../../native-host/model/config.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import { writeSafetensors } from '../../native-host/model/safetensors.ts';
import { END_OF_TEXT, VOCABULARY_SIZE } from './tokenizer.ts';

const endOfTurn = 2;

// Few wide layers rather than many narrow ones: on a CPU the same number of parameters is multiplied faster that way.
export const huggingFaceConfig = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 256,
  intermediate_size: 704,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 64,
  vocab_size: VOCABULARY_SIZE,
  max_position_embeddings: 1024,
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  rope_scaling: null,
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: true,
  bos_token_id: END_OF_TEXT,
  eos_token_id: [endOfTurn, END_OF_TEXT],
  initializer_range: 0.02,
  torch_dtype: 'float16',
};

export const nanoConfig = parseModelConfig({ ...huggingFaceConfig }, 'lift-nano');

/** Normal with deviation 0.02, what adds to the residual stream smaller by 1/√(2·layers), norms 1. */
export async function writeInitialWeights(file: string, seed: number): Promise<void> {
  const normal = normalNumbers(seed);
  const residual = 1 / Math.sqrt(2 * huggingFaceConfig.num_hidden_layers);
  const tensors = [...expectedTensors(nanoConfig)].map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const deviation = /(o_proj|down_proj)\.weight$/.test(name) ? 0.02 * residual : 0.02;
    for (let i = 0; i < data.length; i++) data[i] = name.includes('norm') ? 1 : deviation * normal();
    return { name, shape, dtype: 'F32' as const, data };
  });
  await writeSafetensors(file, tensors);
}
