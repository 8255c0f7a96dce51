import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectedTensors, parseModelConfig, readModelConfig } from '../../native-host/model/config.ts';
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

  test('sliding windows are refused where they have an effect', () => {
    const mistral = tinyConfig({ modelType: 'mistral' });
    expect(problemsOf({ ...mistral, sliding_window: 128 })[0]).toMatch(/sliding_window 128 .*not built/);
    expect(problemsOf({ ...mistral, sliding_window: 512 })).toEqual([]);
    expect(problemsOf({ ...mistral, sliding_window: null })).toEqual([]);
    for (const modelType of ['qwen2', 'qwen3'] as const) {
      const qwen = tinyConfig({ modelType });
      expect(problemsOf({ ...qwen, sliding_window: 128, use_sliding_window: false })).toEqual([]);
      expect(problemsOf({ ...qwen, sliding_window: 128, use_sliding_window: true })).toHaveLength(1);
      expect(problemsOf({ ...qwen, layer_types: ['full_attention', 'sliding_attention'] })).toHaveLength(1);
    }
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
    expect(problemsOf({ ...tinyConfig(), model_type: 'gemma3' })).toEqual([
      'model_type is "gemma3"; it must be one of llama, mistral, qwen2, qwen3.',
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
