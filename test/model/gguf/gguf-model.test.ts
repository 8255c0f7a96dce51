import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openGguf } from '../../../native-host/model/gguf/gguf-model.ts';
import { ModelError } from '../../../native-host/model/model-error.ts';
import { openModelFolder } from '../../../native-host/model/model-folder.ts';
import { openBaseModel } from '../../../native-host/model/open-model.ts';
import { readTensor, writeSafetensors } from '../../../native-host/model/safetensors.ts';
import type { Device } from '../../../native-host/runtime/device.ts';
import { checkModel } from '../../../native-host/study/check-model.ts';
import {
  type ConvertedModel,
  converted,
  ggufBytes,
  type MatrixFormat,
  writeConverted,
} from '../../fixtures/gguf-writer.ts';
import { makeTinyModel, type TinyModelOptions } from '../../fixtures/tiny-model.ts';
import { openTestDevice } from '../../runtime/devices.ts';

const LLAMA3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
};
const LONGROPE = {
  sliding_window: 100,
  original_max_position_embeddings: 256,
  partial_rotary_factor: 0.75,
  rope_scaling: {
    type: 'longrope',
    short_factor: [1, 1.2, 1.5, 2, 3, 4],
    long_factor: [2, 4, 8, 16, 32, 64],
  },
};

const MODELS: Readonly<Record<string, TinyModelOptions>> = {
  llama: { modelType: 'llama', tied: false },
  'llama with biases': { modelType: 'llama', config: { attention_bias: true, mlp_bias: true } },
  'llama, stretched': { modelType: 'llama', config: { rope_scaling: LLAMA3 } },
  mistral: { modelType: 'mistral' },
  qwen2: { modelType: 'qwen2' },
  qwen3: { modelType: 'qwen3', tied: false },
  phi3: { modelType: 'phi3' },
  gemma2: {
    modelType: 'gemma2',
    config: {
      query_pre_attn_scalar: 16,
      sliding_window: 20,
      attn_logit_softcapping: 5,
      final_logit_softcapping: 3,
    },
  },
  gemma3: {
    modelType: 'gemma3_text',
    config: {
      num_hidden_layers: 6,
      query_pre_attn_scalar: 16,
      sliding_window: 20,
      rope_theta: 1e6,
      rope_scaling: { rope_type: 'linear', factor: 8 },
    },
  },
  'phi3, stretched': { modelType: 'phi3', tied: false, config: LONGROPE },
};

/** By format, two random blocks and their values, made by scripts/reference/gguf_blocks.py. */
const blockReference = JSON.parse(
  readFileSync(new URL('../../fixtures/reference/gguf-blocks.json', import.meta.url), 'utf8'),
) as Record<string, { bytes: string; values: number[] }>;

const text = 'export function sum(a, b) {\n\treturn a + b; // 1234 "the <|im_end|>"\n}\n';

let root: string;
let folder: string;
let file: string;
let cache: string;
let device: Device;

beforeAll(() => {
  device = openTestDevice('cpu');
});
afterAll(() => device.close());
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'lift-gguf-'));
  [folder, file, cache] = ['model', 'model.gguf', 'cache'].map((name) => path.join(root, name)) as [
    string,
    string,
    string,
  ];
  return () => rm(root, { recursive: true, force: true });
});

async function problemsOf(bytes: Uint8Array): Promise<readonly string[]> {
  await writeFile(file, bytes);
  try {
    await openGguf(file);
  } catch (error) {
    if (error instanceof ModelError) return error.mismatches;
    throw error;
  }
  return [];
}

/** What the folder's model is with other values, as the GGUF file stores them. */
async function roundedFolder({ stored }: ConvertedModel): Promise<void> {
  const tensors = [];
  for (const [name, { shape }] of (await openModelFolder(folder)).tensors) {
    if (stored.has(name)) tensors.push({ name, shape, dtype: 'F32' as const, data: stored.get(name)! });
  }
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
}

describe('a model in one GGUF file', () => {
  test.each(Object.keys(MODELS))('%s says the same as its folder, on F32', async (name) => {
    await makeTinyModel(folder, MODELS[name]);
    await writeConverted(folder, 'F32', file);
    const [ofFolder, ofFile] = [
      await openBaseModel(folder, { folder: cache, form: 'F32' }),
      await openBaseModel(file, { folder: cache, form: 'F32' }),
    ];
    expect([...ofFile.weights.keys()]).toEqual([...ofFolder.weights.keys()]);
    for (const [tensor, stored] of ofFolder.weights) {
      const added = ofFolder.config.normOffset - ofFile.config.normOffset;
      const wanted = (await readTensor(stored)).map((value) => (tensor.includes('norm') ? value + added : value));
      expect(await readTensor(ofFile.weights.get(tensor)!), tensor).toEqual(wanted);
    }
    const { key: _, folder: __, weights: ___, ...same } = ofFolder;
    expect(ofFile.parameters).toBe(same.parameters);
    expect(ofFile.endTokens).toEqual(same.endTokens);
    expect(ofFile.config.maxPositionEmbeddings).toBe(same.config.maxPositionEmbeddings);
    expect(ofFile.tokenizer.encode(text)).toEqual(ofFolder.tokenizer.encode(text));
    const conversation = [{ role: 'user', content: text }] as const;
    const chat = ofFile.chatTemplate.render(conversation, true);
    expect(chat).toBe(ofFolder.chatTemplate.render(conversation, true));
    expect(ofFile.tokenizer.encodeChat(chat)).toEqual(ofFolder.tokenizer.encodeChat(chat));

    const [wanted, got] = [await checkModel(device, ofFolder, text), await checkModel(device, ofFile, text)];
    expect(got.nll).toBeCloseTo(wanted.nll, 5);
    expect(got.greedyIds).toEqual(wanted.greedyIds);
  });

  test.each<MatrixFormat>(['F16', 'BF16', 'Q8_0'])('%s says what its rounded values say', async (format) => {
    await makeTinyModel(folder, { modelType: 'llama', dtype: format === 'BF16' ? 'BF16' : 'F16' });
    const model = await writeConverted(folder, format, file);
    await roundedFolder(model);
    const [ofFolder, ofFile, asStored] = [
      await openBaseModel(folder, { folder: cache, form: 'F32' }),
      await openBaseModel(file, { folder: cache, form: 'F32' }),
      await openBaseModel(file, { folder: cache, form: 'asStored' }),
    ];
    const [wanted, got] = [await checkModel(device, ofFolder, text), await checkModel(device, ofFile, text)];
    expect(got.nll).toBeCloseTo(wanted.nll, 5);
    expect(got.greedyIds).toEqual(wanted.greedyIds);

    // For a card: half precision as it is, and quantised matrices as BF16.
    const table = 'model.embed_tokens.weight';
    expect(asStored.weights.get(table)!.dtype).toBe(format === 'Q8_0' ? 'BF16' : format);
    expect(asStored.weights.get('model.norm.weight')!.dtype).toBe('F32');
    const [rounded, exact] = [await readTensor(asStored.weights.get(table)!), model.stored.get(table)!];
    for (const [i, value] of rounded.entries())
      expect(Math.abs(value - exact[i]!)).toBeLessThan(0.004 * Math.abs(exact[i]!) + 1e-9);
    expect(asStored.key).toBe(ofFile.key);
    expect((await readdir(cache)).sort()).toEqual([`${ofFile.key}.f32.safetensors`, `${ofFile.key}.safetensors`]);
  });

  test.each([
    ['Q4_K', 12],
    ['Q6_K', 14],
  ] as const)('matrices of %s among others become the values that they stand for', async (name, type) => {
    await makeTinyModel(folder, { config: { intermediate_size: 256 } });
    const { metadata, tensors } = await converted(folder, 'F16');
    const { bytes, values } = blockReference[name]!;
    // Each of the 64 rows is one of the reference's two blocks.
    const data = Buffer.from(bytes.repeat(32), 'hex');
    const changed = tensors.map((tensor) =>
      tensor.name === 'blk.1.ffn_down.weight' ? { ...tensor, type, data } : tensor,
    );
    await writeFile(file, ggufBytes(metadata, changed));
    const largest = Math.max(...values.map(Math.abs));
    for (const [form, exactness] of [
      ['F32', 1e-6],
      ['asStored', 0.004],
    ] as const) {
      const { weights } = await openBaseModel(file, { folder: cache, form });
      const found = await readTensor(weights.get('model.layers.1.mlp.down_proj.weight')!);
      expect(found.length).toBe(64 * 256);
      for (const [i, value] of found.entries()) {
        expect(Math.abs(value - values[i % 512]!)).toBeLessThan(exactness * largest);
      }
    }
  });

  test('a file without an ending, as Ollama has them, and one that is not there', async () => {
    await makeTinyModel(folder, { modelType: 'qwen3' });
    const blob = path.join(root, 'sha256-0a');
    await writeConverted(folder, 'F16', blob);
    const form = { folder: cache, form: 'F32' } as const;
    expect((await openBaseModel(blob, form)).config.modelType).toBe('qwen3');
    await expect(openBaseModel(path.join(root, 'none.gguf'), form)).rejects.toThrow(/cannot be read: ENOENT/);
  });

  test('version 2, and tensors in any order', async () => {
    await makeTinyModel(folder, { modelType: 'qwen2' });
    const { metadata, tensors } = await converted(folder, 'F16');
    await writeFile(file, ggufBytes(metadata, tensors.toReversed(), 2));
    expect((await openGguf(file)).config.modelType).toBe('qwen2');
  });

  test('the key follows the content', async () => {
    const keyOf = async (options: TinyModelOptions, format: MatrixFormat = 'F16') => {
      await rm(folder, { recursive: true, force: true });
      await makeTinyModel(folder, options);
      await writeConverted(folder, format, file);
      return (await openGguf(file)).key;
    };
    const key = await keyOf({});
    expect(await keyOf({})).toBe(key);
    expect(await keyOf({ seed: 2 })).not.toBe(key);
    expect(await keyOf({}, 'Q8_0')).not.toBe(key);
  });

  test('everything that is wrong comes in one error', async () => {
    await makeTinyModel(folder, {});
    const { metadata, tensors } = await converted(folder, 'F16');
    const without = tensors.filter(({ name }) => name !== 'blk.1.ffn_up.weight');
    const wrong = without.map((tensor) =>
      tensor.name === 'blk.0.attn_k.weight' ? { ...tensor, shape: [16, 128] } : tensor,
    );
    const foreign = { name: 'blk.0.attn_sinks.weight', shape: [4], type: 0, data: new Uint8Array(16) };
    expect(await problemsOf(ggufBytes(metadata, [...wrong, foreign]))).toEqual([
      'blk.0.attn_k.weight has shape [16,128], its metadata asks for [32,64].',
      'The tensor blk.1.ffn_up.weight [128,64] is missing.',
      'blk.0.attn_sinks.weight is not a part of a llama model.',
    ]);
    const change = (key: string, value: unknown) =>
      metadata.map((entry): typeof entry => (entry[0] === key ? [key, entry[1], value] : entry));
    const drop = (key: string) => metadata.filter(([name]) => name !== key);
    for (const [changed, reason] of [
      [change('general.architecture', 'mamba'), /general.architecture is "mamba"; it must be one of llama/],
      [change('llama.block_count', 0), /num_hidden_layers is 0/],
      [drop('llama.context_length'), /max_position_embeddings is missing/],
      [change('llama.attention.value_length', 8), /values of another length/],
      [change('llama.rope.dimension_count', 8), /partial_rotary_factor 0.5 is not supported for llama/],
      [[...metadata, ['llama.rope.scaling.type', 'string', 'yarn']], /"yarn" is not supported/],
      [[...metadata, ['split.count', 'uint32', 3]], /one of 3 files. Merge them/],
      [change('tokenizer.ggml.model', 'bert'), /tokenizer.ggml.model is "bert"; "gpt2" and "llama"/],
      [change('tokenizer.ggml.pre', 'default'), /tokenizer.ggml.pre is "default"; words are cut/],
      [drop('tokenizer.ggml.tokens'), /no tokenizer.ggml.tokens/],
      [change('tokenizer.ggml.tokens', new Array(600_000).fill('')), /It has 600000 tokens; up to 524288/],
      [drop('tokenizer.ggml.merges'), /Its tokenizer: Its model has no merges/],
      [change('tokenizer.ggml.token_type', [1]), /token_type has 1 items for 300 tokens/],
      [change('tokenizer.chat_template', '{% for'), /chat template fails/],
    ] as const) {
      expect((await problemsOf(ggufBytes([...changed] as typeof metadata, tensors))).join('\n')).toMatch(reason);
    }
  });

  test('a linear scaling by one is none', async () => {
    await makeTinyModel(folder, {});
    const { metadata, tensors } = await converted(folder, 'F16');
    const scaled = (factor: number): typeof metadata => [
      ...metadata,
      ['llama.rope.scaling.type', 'string', 'linear'],
      ['llama.rope.scaling.factor', 'float32', factor],
    ];
    expect(await problemsOf(ggufBytes(scaled(1), tensors))).toEqual([]);
    expect((await problemsOf(ggufBytes(scaled(2), tensors)))[0]).toMatch('"linear" is not supported');
  });

  test('types that are not read are named', async () => {
    await makeTinyModel(folder, {});
    const { metadata, tensors } = await converted(folder, 'F16');
    const as = (type: number) =>
      tensors.map((tensor) => (tensor.name === 'blk.0.attn_norm.weight' ? { ...tensor, type } : tensor));
    expect(await problemsOf(ggufBytes(metadata, as(11)))).toEqual([
      'blk.0.attn_norm.weight has the type Q3_K; F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16 are supported.',
    ]);
    expect(await problemsOf(ggufBytes(metadata, as(77)))).toMatchObject([expect.stringContaining('the type 77;')]);
    expect(await problemsOf(ggufBytes(metadata, as(8)))).toEqual([
      'blk.0.attn_norm.weight has the type Q8_0, which only matrices can have.',
    ]);
    expect(await problemsOf(ggufBytes(metadata, as(12)))).toEqual([
      'blk.0.attn_norm.weight has the sizes 64, which Q4_K cannot have.',
    ]);
  });

  test('what is no such file, and one that is cut short', async () => {
    await makeTinyModel(folder, {});
    const { metadata, tensors } = await converted(folder, 'F16');
    const whole = ggufBytes(metadata, tensors);
    expect(await problemsOf(Buffer.from('<!doctype html>'))).toEqual(['It does not begin with "GGUF".']);
    expect(await problemsOf(Buffer.alloc(0))).toEqual([
      'Its header goes beyond the end of the file, at byte 0; it is cut short.',
    ]);
    expect(await problemsOf(whole.subarray(0, 2000))).toMatchObject([expect.stringContaining('beyond the end')]);
    const last = tensors.at(-1)!.name;
    expect(await problemsOf(whole.subarray(0, -64))).toMatchObject([expect.stringContaining(`${last} ends at byte`)]);
    const version = Buffer.from(whole);
    version.writeUInt32LE(1, 4);
    expect(await problemsOf(version)).toEqual(['It is of version 1; 2 and 3 are supported.']);
    version.writeUInt32BE(3, 4);
    expect(await problemsOf(version)).toEqual(['Its numbers are big-endian.']);
    const counts = Buffer.from(whole);
    counts.writeBigUInt64LE(2n ** 60n, 8);
    expect(await problemsOf(counts)).toMatchObject([expect.stringContaining('It would have 1152921504606847000')]);
    await expect(openGguf(path.join(root, 'nowhere.gguf'))).rejects.toThrow(/cannot be read: ENOENT/);
    await expect(openGguf(root)).rejects.toThrow(ModelError);
  });

  test('a file that changed after it was converted is converted again', async () => {
    await makeTinyModel(folder, { seed: 1 });
    await writeConverted(folder, 'Q8_0', file);
    const before = await openBaseModel(file, { folder: cache, form: 'F32' });
    const cached = path.join(cache, `${before.key}.f32.safetensors`);
    const bytes = await readFile(cached);
    await writeFile(cached, bytes.subarray(0, -4));
    await openBaseModel(file, { folder: cache, form: 'F32' });
    expect((await readFile(cached)).equals(bytes)).toBe(true);
  });
});
