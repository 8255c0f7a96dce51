import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectedTensors, MODEL_TYPES, parseModelConfig, readModelConfig } from '../../native-host/model/config.ts';
import { plainTraits } from '../../native-host/model/decoder-traits.ts';
import { tensorsInFiles } from '../../native-host/model/fused-modules.ts';
import { ModelError } from '../../native-host/model/model-error.ts';
import { tinyConfig } from '../fixtures/tiny-model.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures');

function problemsOf(config: Record<string, unknown>): readonly string[] {
  try {
    parseModelConfig(config, 'model');
  } catch (error) {
    if (error instanceof ModelError) return error.mismatches;
    throw error;
  }
  return [];
}

describe('parseModelConfig', () => {
  test('reads a real config', async () => {
    const config = await readModelConfig(path.join(fixtures, 'smollm2-tokenizer'));
    expect(config).toEqual({
      modelType: 'llama',
      vocabSize: 49152,
      hiddenSize: 576,
      intermediateSize: 1536,
      numHiddenLayers: 30,
      numAttentionHeads: 9,
      numKeyValueHeads: 3,
      headDim: 64,
      rmsNormEps: 1e-5,
      ropeTheta: 100000,
      ropeScaling: null,
      maxPositionEmbeddings: 8192,
      tieWordEmbeddings: true,
      attentionBias: false,
      attentionOutputBias: false,
      mlpBias: false,
      queryKeyNorm: false,
      bosTokenId: 1,
      eosTokenIds: [2],
      ...plainTraits,
    });
    const parameters = [...expectedTensors(config).values()].reduce((sum, s) => sum + s.reduce((a, b) => a * b, 1), 0);
    expect(parameters).toBe(134_515_008);
  });

  test('reads the configs of every architecture with a reference', async () => {
    const decoders = path.join(fixtures, 'reference/decoders');
    for (const name of await readdir(decoders)) {
      const config = await readModelConfig(path.join(decoders, name));
      expect(config.numHiddenLayers).toBeGreaterThan(0);
    }
  });

  test('architectures differ in biases and norms', () => {
    const flags = (config: Record<string, unknown>) => {
      const parsed = parseModelConfig(config, 'model');
      return [parsed.attentionBias, parsed.attentionOutputBias, parsed.mlpBias, parsed.queryKeyNorm];
    };
    expect(flags(tinyConfig())).toEqual([false, false, false, false]);
    expect(flags({ ...tinyConfig(), attention_bias: true, mlp_bias: true })).toEqual([true, true, true, false]);
    expect(flags(tinyConfig({ modelType: 'mistral' }))).toEqual([false, false, false, false]);
    expect(flags(tinyConfig({ modelType: 'qwen2' }))).toEqual([true, false, false, false]);
    expect(flags(tinyConfig({ modelType: 'qwen3' }))).toEqual([false, false, false, true]);
    const names = [...expectedTensors(parseModelConfig(tinyConfig({ modelType: 'qwen3', tied: false }), 'm')).keys()];
    expect(names).toContain('model.layers.1.self_attn.k_norm.weight');
    expect(names).toContain('lm_head.weight');
  });

  test('llama3 rope scaling, in the old and the new spelling', () => {
    const llama3 = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 256,
    };
    const scaling = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 256 };
    expect(parseModelConfig({ ...tinyConfig(), rope_scaling: llama3 }, 'm').ropeScaling).toEqual(scaling);
    const { rope_theta: _, ...withoutTheta } = tinyConfig();
    const newer = parseModelConfig({ ...withoutTheta, rope_parameters: { ...llama3, rope_theta: 500000 } }, 'm');
    expect([newer.ropeScaling, newer.ropeTheta]).toEqual([scaling, 500000]);
    const plain = parseModelConfig({ ...withoutTheta, rope_parameters: { rope_type: 'default', rope_theta: 7 } }, 'm');
    expect([plain.ropeScaling, plain.ropeTheta]).toEqual([null, 7]);
    expect(problemsOf({ ...tinyConfig(), rope_scaling: { type: 'yarn', factor: 4 } })[0]).toMatch('"yarn"');
    expect(problemsOf({ ...tinyConfig(), rope_scaling: { type: 'linear', factor: 4 } })[0]).toMatch('"linear"');
    expect(problemsOf({ ...tinyConfig(), rope_scaling: { rope_type: 'llama3', factor: 8 } })).toHaveLength(3);
  });

  test('a sliding window, in the layers that have one', () => {
    const windowOf = (config: Record<string, unknown>) => parseModelConfig(config, 'model').slidingWindow;
    for (const modelType of ['mistral', 'phi3'] as const) {
      const config = tinyConfig({ modelType });
      expect(windowOf({ ...config, sliding_window: 128 })).toEqual({ positions: 128, layers: [0, 1] });
      expect(windowOf({ ...config, sliding_window: 512 })).toBeNull();
      expect(windowOf({ ...config, sliding_window: null })).toBeNull();
      expect(problemsOf({ ...config, sliding_window: 0 })).toHaveLength(1);
      expect(problemsOf({ ...config, layer_types: ['full_attention', 'sliding_attention'] })).toHaveLength(1);
    }
    for (const modelType of ['qwen2', 'qwen3'] as const) {
      const qwen = tinyConfig({ modelType, config: { sliding_window: 128, max_window_layers: 1 } });
      expect(windowOf({ ...qwen, use_sliding_window: false })).toBeNull();
      expect(windowOf({ ...qwen, use_sliding_window: true })).toEqual({ positions: 128, layers: [1] });
      const types = ['sliding_attention', 'full_attention'];
      const byName = windowOf({ ...qwen, use_sliding_window: true, layer_types: types });
      expect(byName).toEqual({ positions: 128, layers: [0] });
      expect(problemsOf({ ...qwen, layer_types: types })).toHaveLength(1);
      expect(problemsOf({ ...qwen, use_sliding_window: true, layer_types: ['linear_attention'] })).toHaveLength(1);
      expect(problemsOf({ ...qwen, use_sliding_window: true, max_window_layers: null })).toHaveLength(1);
    }
    expect(windowOf({ ...tinyConfig(), sliding_window: 128 })).toBeNull();
    expect(problemsOf({ ...tinyConfig(), layer_types: ['full_attention', 'sliding_attention'] })).toHaveLength(1);
  });

  test('phi3: fused projections, partial rotary positions, and long contexts up to the first window', () => {
    const phi3 = tinyConfig({ modelType: 'phi3' });
    const plain = parseModelConfig(phi3, 'm');
    expect(plain).toMatchObject({ fusedProjections: true, attentionBias: false, ropeFactors: null });
    expect([...expectedTensors(plain).keys()]).toContain('model.layers.1.self_attn.k_proj.weight');
    const inFiles = tensorsInFiles(plain, expectedTensors(plain));
    expect(inFiles.get('model.layers.1.self_attn.qkv_proj.weight')).toEqual([128, 64]);
    expect(inFiles.get('model.layers.1.mlp.gate_up_proj.weight')).toEqual([256, 64]);
    expect([...inFiles.keys()].filter((name) => /(q|k|v|gate|up)_proj/.test(name.split('.').at(-2)!))).toHaveLength(4);

    const factors = [1, 1.5, 2, 2.5, 3, 3.5];
    const scaling = { type: 'longrope', short_factor: factors, long_factor: factors.map((factor) => 4 * factor) };
    const long = { ...phi3, partial_rotary_factor: 0.75, original_max_position_embeddings: 128 };
    const parsed = parseModelConfig({ ...long, rope_scaling: scaling }, 'm');
    expect(parsed.partialRotaryFactor).toBe(0.75);
    expect(parsed.maxPositionEmbeddings).toBe(128);
    // √(1 + ln 4 ÷ ln 128)
    const size = expect.closeTo(1.13389, 5);
    expect(parsed.ropeFactors).toEqual({ divisors: factors, size, positions: 128 });
    const newer = { rope_type: 'longrope', rope_theta: 10000, original_max_position_embeddings: 128, ...scaling };
    const bare = { ...long, rope_theta: undefined, original_max_position_embeddings: undefined };
    const inOne = parseModelConfig({ ...bare, rope_parameters: { ...newer, attention_factor: 1.25 } }, 'm');
    expect(inOne.ropeFactors).toEqual({ divisors: factors, size: 1.25, positions: 128 });

    expect(problemsOf({ ...long, rope_scaling: { ...scaling, short_factor: [1, 2] } })).toEqual([
      'rope_scaling: short_factor is [1,2]; it must be a list of 6 numbers from 0.001 to 1000000.',
    ]);
    expect(problemsOf({ ...long, rope_scaling: { ...scaling, short_factor: [1, 1, 1, 1, 1, '1'] } })).toHaveLength(1);
    expect(problemsOf({ ...long, original_max_position_embeddings: null, rope_scaling: scaling })).toHaveLength(1);
    expect(problemsOf({ ...long, partial_rotary_factor: 0.7 })[0]).toMatch('no pairs of columns');
    expect(problemsOf({ ...tinyConfig(), partial_rotary_factor: 0.5 })[0]).toMatch('not supported for llama');
    expect(problemsOf({ ...tinyConfig(), rope_scaling: scaling })[0]).toMatch('"longrope" is not supported');
  });

  test('gemma 2 and 3: what the files need not say', () => {
    const { head_dim: _, tie_word_embeddings: __, ...bare } = tinyConfig({ modelType: 'gemma2' });
    const gemma2 = parseModelConfig({ ...bare, hidden_act: 'gelu' }, 'm');
    expect(gemma2).toMatchObject({
      headDim: 256,
      tieWordEmbeddings: true,
      activation: 'geluTanh',
      normOffset: 1,
      outputNorms: true,
      embeddingScale: 8,
      queryScalar: null,
      scoreCap: 50,
      logitCap: 30,
      queryKeyNorm: false,
      localRopeTheta: null,
      slidingWindow: { positions: 4096, layers: [0] },
    });
    const uncapped = { attn_logit_softcapping: null, final_logit_softcapping: null, query_pre_attn_scalar: 144 };
    expect(parseModelConfig({ ...bare, ...uncapped }, 'm')).toMatchObject({
      scoreCap: null,
      logitCap: null,
      queryScalar: 144,
    });
    const names = [...expectedTensors(gemma2).keys()];
    for (const name of ['pre_feedforward', 'post_feedforward', 'post_attention']) {
      expect(names).toContain(`model.layers.1.${name}_layernorm.weight`);
    }

    const third = { ...bare, model_type: 'gemma3_text', rope_theta: undefined, num_hidden_layers: 13 };
    const gemma3 = parseModelConfig(third, 'm');
    expect(gemma3).toMatchObject({
      scoreCap: null,
      logitCap: null,
      queryKeyNorm: true,
      ropeTheta: 1e6,
      localRopeTheta: 10_000,
      ropeFactors: null,
    });
    expect(gemma3.slidingWindow!.layers).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12]);
    const two = { ...third, num_hidden_layers: 2, layer_types: ['full_attention', 'sliding_attention'] };
    expect(parseModelConfig(two, 'm').slidingWindow!.layers).toEqual([1]);
    const stretched = parseModelConfig({ ...two, rope_scaling: { rope_type: 'linear', factor: 8 } }, 'm');
    expect(new Set(stretched.ropeFactors!.divisors)).toEqual(new Set([8]));

    const byKind = (full: object, local: object) => ({
      ...{ ...two, rope_scaling: undefined },
      rope_parameters: { full_attention: full, sliding_attention: local },
    });
    const linear = { rope_type: 'linear', factor: 8, rope_theta: 5e5 };
    const local = { rope_type: 'default', rope_theta: 2e4 };
    expect(parseModelConfig(byKind(linear, local), 'm')).toEqual({ ...stretched, ropeTheta: 5e5, localRopeTheta: 2e4 });
    expect(problemsOf(byKind(linear, linear))[0]).toMatch('for different layers');

    expect(problemsOf({ ...bare, hidden_activation: 'gelu' })[0]).toMatch('only "gelu_pytorch_tanh"');
    expect(problemsOf({ ...bare, attn_logit_softcapping: 0 })).toHaveLength(1);
    expect(problemsOf({ ...bare, rope_scaling: { rope_type: 'linear', factor: 8 } })).toHaveLength(1);
    expect(problemsOf({ ...two, layer_types: ['full_attention'] })).toHaveLength(1);
    expect(problemsOf({ ...two, use_bidirectional_attention: true })[0]).toMatch('from left to right');
    expect(problemsOf({ ...tinyConfig(), rope_scaling: { rope_type: 'linear', factor: 8 } })[0]).toMatch('"linear"');
  });

  test('everything that is wrong is reported at once', () => {
    const problems = problemsOf({
      ...tinyConfig(),
      vocab_size: -1,
      hidden_size: 64.5,
      intermediate_size: undefined,
      num_hidden_layers: 1e9,
      num_attention_heads: 4,
      num_key_value_heads: 3,
      head_dim: 15,
      rms_norm_eps: '1e-5',
      tie_word_embeddings: 'yes',
      eos_token_id: [2, -7],
      hidden_act: 'gelu',
      quantization_config: { bits: 4 },
    });
    for (const field of [
      'vocab_size',
      'hidden_size',
      'intermediate_size is missing',
      'num_hidden_layers',
      'num_key_value_heads',
      'head_dim',
      'rms_norm_eps',
      'tie_word_embeddings',
      'eos_token_id',
      'hidden_act',
      'quantiz',
    ]) {
      expect(problems.join('\n')).toContain(field);
    }
  });

  test('an unknown architecture is named, with those that are known', () => {
    expect(problemsOf({ ...tinyConfig(), model_type: 'gpt2' })).toEqual([
      `model_type is "gpt2"; it must be one of ${MODEL_TYPES.join(', ')}.`,
    ]);
  });
});

describe('readModelConfig', () => {
  test('adds the stop tokens of generation_config.json', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lift-config-'));
    await writeFile(path.join(folder, 'config.json'), JSON.stringify(tinyConfig()));
    await writeFile(path.join(folder, 'generation_config.json'), '{"eos_token_id": [2, 0]}');
    expect((await readModelConfig(folder)).eosTokenIds).toEqual([2, 0]);
    await writeFile(path.join(folder, 'generation_config.json'), '{"eos_token_id": "x"}');
    await expect(readModelConfig(folder)).rejects.toThrow('generation_config.json: eos_token_id');
  });

  test('says what is wrong with the file itself', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lift-config-'));
    await expect(readModelConfig(folder)).rejects.toThrow('There is no config.json');
    await writeFile(path.join(folder, 'config.json'), (await readFile(import.meta.filename)).subarray(0, 100));
    await expect(readModelConfig(folder)).rejects.toThrow('not valid JSON');
    await writeFile(path.join(folder, 'config.json'), Buffer.from([0x7b, 0xff, 0x7d]));
    await expect(readModelConfig(folder)).rejects.toThrow('not valid UTF-8');
    await writeFile(path.join(folder, 'config.json'), '[]');
    await expect(readModelConfig(folder)).rejects.toThrow(ModelError);
  });
});
