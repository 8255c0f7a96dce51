import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { expectedTensors, MODEL_TYPES } from '../../native-host/model/config.ts';
import { ModelError } from '../../native-host/model/model-error.ts';
import { float32Tensors, openModelFolder } from '../../native-host/model/model-folder.ts';
import { readSafetensors, readTensor, storedTensor, writeSafetensors } from '../../native-host/model/safetensors.ts';
import { makeTinyModel, tinyConfig } from '../fixtures/tiny-model.ts';

let folder: string;
let cache: string;
beforeEach(async () => {
  const parent = await mkdtemp(path.join(tmpdir(), 'lift-model-'));
  folder = path.join(parent, 'model');
  cache = path.join(parent, 'cache');
});

async function mismatches(): Promise<readonly string[]> {
  try {
    await openModelFolder(folder);
  } catch (error) {
    if (error instanceof ModelError) return error.mismatches;
    throw error;
  }
  return [];
}

/** Writes model.safetensors anew, with some tensors replaced, and those set to null left out. */
async function rewrite(changes: Record<string, { dtype?: string; shape?: number[] } | null>): Promise<void> {
  const file = path.join(folder, 'model.safetensors');
  const source = await readSafetensors(file);
  const entries: [string, { dtype: string; shape: number[] }][] = [];
  for (const [name, { dtype, shape }] of source.entries) entries.push([name, { dtype, shape }]);
  for (const [name, change] of Object.entries(changes)) {
    const at = entries.findIndex(([other]) => other === name);
    const old = at < 0 ? { dtype: 'F32', shape: [1] } : entries.splice(at, 1)[0]![1];
    if (change !== null) entries.push([name, { ...old, ...change }]);
  }
  const width: Record<string, number> = { F32: 4, BF16: 2, I8: 1, F64: 8 };
  let end = 0;
  const header = entries.map(([name, { dtype, shape }]) => {
    const begin = end;
    end += shape.reduce((a, b) => a * b, width[dtype]!);
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await writeFile(file, Buffer.concat([length, json, Buffer.alloc(end)]));
}

describe('openModelFolder', () => {
  test('opens every architecture, dtype and number of shards', async () => {
    for (const modelType of MODEL_TYPES) {
      for (const [dtype, shards, tied] of [
        ['F32', 1, true],
        ['BF16', 3, false],
        ['F16', 2, true],
      ] as const) {
        await rm(folder, { recursive: true, force: true });
        await makeTinyModel(folder, { modelType, dtype, shards, tied });
        const model = await openModelFolder(folder);
        const expected = expectedTensors(model.config);
        expect([...model.tensors.keys()]).toEqual([...expected.keys()]);
        for (const [name, tensor] of model.tensors) expect([name, tensor.shape]).toEqual([name, expected.get(name)]);
        expect(new Set([...model.tensors.values()].map((tensor) => tensor.file)).size).toBe(shards);
        expect(model.config.modelType).toBe(modelType);
      }
    }
  });

  test('a model keeps its key, so that its adapters are found again, when further architectures come', async () => {
    const decoders = path.join(import.meta.dirname, '../fixtures/reference/decoders');
    const keyOf = async (name: string) => (await openModelFolder(path.join(decoders, name))).key;
    expect(await keyOf('llama3-rope-untied')).toBe('deaae38f4c8558c72582a68de02a8a3f');
    expect(await keyOf('qwen3')).toBe('e21aa138fa6536342327f48567a19895');
  });

  test('the key follows the content, not the place or the sharding', async () => {
    const key = async (options: Parameters<typeof makeTinyModel>[1]) => {
      await rm(folder, { recursive: true, force: true });
      await makeTinyModel(folder, options);
      return (await openModelFolder(folder)).key;
    };
    const first = await key({ seed: 1 });
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(await key({ seed: 1, shards: 2 })).toBe(first);
    expect(await key({ seed: 2 })).not.toBe(first);
    expect(await key({ seed: 1, dtype: 'BF16' })).not.toBe(first);
    expect(await key({ seed: 1, config: { rope_theta: 5000 } })).not.toBe(first);
  });

  test('counts the parameters, tied ones once', async () => {
    await makeTinyModel(folder, { tied: true });
    const tied = await openModelFolder(folder);
    await makeTinyModel(folder, { tied: false });
    expect((await openModelFolder(folder)).parameters).toBe(tied.parameters + 300 * 64);
  });

  test('lists every mismatch in one error', async () => {
    await makeTinyModel(folder, { modelType: 'qwen2' });
    await rewrite({
      'model.layers.0.mlp.up_proj.weight': null,
      'model.layers.1.self_attn.q_proj.weight': { shape: [64, 32] },
      'model.layers.0.self_attn.k_proj.bias': { dtype: 'I8' },
      'model.norm.weight': { dtype: 'F64' },
      'model.layers.0.self_attn.o_proj.bias': { shape: [64] },
      'model.layers.2.mlp.up_proj.weight': { shape: [128, 64] },
    });
    expect([...(await mismatches())].sort()).toEqual([
      'The tensor model.layers.0.mlp.up_proj.weight [128,64] is missing.',
      'model.layers.0.self_attn.k_proj.bias has dtype I8; F32, F16 and BF16 are supported.',
      'model.layers.0.self_attn.o_proj.bias is not a part of a qwen2 model.',
      'model.layers.1.self_attn.q_proj.weight has shape [64,32], the config asks for [64,64].',
      'model.layers.2.mlp.up_proj.weight is not a part of a qwen2 model.',
      'model.norm.weight has dtype F64; F32, F16 and BF16 are supported.',
    ]);
  });

  test('tolerates tables and a tied output embedding, whatever their dtype', async () => {
    await makeTinyModel(folder);
    await rewrite({
      'model.layers.0.self_attn.rotary_emb.inv_freq': { shape: [8], dtype: 'F64' },
      'lm_head.weight': { shape: [300, 64] },
    });
    const model = await openModelFolder(folder);
    expect(model.tensors.has('lm_head.weight')).toBe(false);
    await writeFile(path.join(folder, 'config.json'), JSON.stringify(tinyConfig({ tied: false })));
    await rewrite({ 'lm_head.weight': null });
    expect(await mismatches()).toEqual(['The tensor lm_head.weight [300,64] is missing.']);
  });

  test('wrong config and truncated weights come in the same error', async () => {
    await makeTinyModel(folder);
    const file = path.join(folder, 'model.safetensors');
    await writeFile(file, (await readFile(file)).subarray(0, -5000));
    await writeFile(path.join(folder, 'config.json'), JSON.stringify({ ...tinyConfig(), hidden_size: 0 }));
    const found = (await mismatches()).join('\n');
    expect(found).toContain('hidden_size is 0');
    expect(found).toMatch(/model.safetensors: model.norm.weight ends at byte/);
  });

  test('nothing there, or weights in a format that is not read', async () => {
    await mkdir(folder);
    expect(await mismatches()).toEqual([
      'There is no config.json.',
      'There is neither model.safetensors nor model.safetensors.index.json; weights in other formats are not read.',
    ]);
  });

  test('a missing or damaged shard is reported once, the others are checked all the same', async () => {
    await makeTinyModel(folder, { shards: 2 });
    await rm(path.join(folder, 'model-00001-of-00002.safetensors'));
    const config = { ...tinyConfig(), num_hidden_layers: 3 };
    await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
    const found = await mismatches();
    expect(found[0]).toMatch(/^model-00001-of-00002.safetensors: It cannot be read: ENOENT/);
    // The 9 tensors of the layer that neither file is said to hold.
    expect(found.filter((text) => text.includes('model.layers.2.'))).toHaveLength(9);
    expect(found).toHaveLength(10);
  });

  test('shard names that leave the folder are refused', async () => {
    await makeTinyModel(folder, { shards: 2 });
    const index = path.join(folder, 'model.safetensors.index.json');
    const { weight_map: weights } = JSON.parse(await readFile(index, 'utf8'));
    await copyFile(path.join(folder, weights['model.norm.weight']), path.join(folder, '../outside.safetensors'));
    for (const name of [
      '../outside.safetensors',
      '/etc/passwd',
      'a/../../outside.safetensors',
      '..\\outside.safetensors',
      7,
    ]) {
      await writeFile(index, JSON.stringify({ weight_map: { ...weights, 'model.norm.weight': name } }));
      expect((await mismatches()).join('\n')).toContain(`${JSON.stringify(name)}, which is no file of this folder`);
    }
    await writeFile(index, '{"weight_map": {}}');
    expect(await mismatches()).toEqual(['model.safetensors.index.json has an empty weight_map.']);
    await writeFile(index, '{}');
    expect(await mismatches()).toEqual(['model.safetensors.index.json has no weight_map.']);
  });
});

describe('float32Tensors', () => {
  test('F32 stays where it is, through symbolic links, as in a Hugging Face cache', async () => {
    const blobs = path.join(folder, '../blobs');
    await makeTinyModel(blobs, { shards: 2 });
    await mkdir(folder);
    for (const name of await readdir(blobs)) await symlink(path.join('../blobs', name), path.join(folder, name));
    const tensors = await float32Tensors(await openModelFolder(folder), cache);
    for (const { file, dtype } of tensors.values())
      expect([path.dirname(file), dtype]).toEqual([path.resolve(blobs), 'F32']);
    await expect(stat(cache)).rejects.toThrow('ENOENT');
  });

  test('half precision is converted once, and reused', async () => {
    for (const dtype of ['BF16', 'F16'] as const) {
      await rm(folder, { recursive: true, force: true });
      await makeTinyModel(folder, { dtype, shards: 2 });
      const model = await openModelFolder(folder);
      const tensors = await float32Tensors(model, cache);
      const file = path.join(cache, `${model.key}.f32.safetensors`);
      expect([...tensors.keys()]).toEqual([...model.tensors.keys()]);
      for (const [name, tensor] of tensors) {
        expect(tensor).toMatchObject({ name, dtype: 'F32', file });
        expect(tensor.byteOffset % 64).toBe(0);
        expect(await readTensor(tensor)).toEqual(await readTensor(model.tensors.get(name)!));
      }
      const { mtimeMs } = await stat(file);
      expect(await float32Tensors(await openModelFolder(folder), cache)).toEqual(tensors);
      expect((await stat(file)).mtimeMs).toBe(mtimeMs);
    }
  });

  test('of a mixed model everything is converted, since the weights of a program lie in one folder', async () => {
    await makeTinyModel(folder, { dtype: 'BF16' });
    const file = path.join(folder, 'model.safetensors');
    const source = await readSafetensors(file);
    const tensors = [];
    for (const [name, { shape }] of source.entries) {
      const data = await readTensor(storedTensor(source, name));
      tensors.push({ name, shape, data, dtype: name.includes('norm') ? ('F32' as const) : ('BF16' as const) });
    }
    await writeSafetensors(file, tensors);
    const model = await openModelFolder(folder);
    const converted = await float32Tensors(model, cache);
    for (const { name, file: where } of converted.values()) {
      expect([name, path.dirname(where)]).toEqual([name, cache]);
    }
  });

  test('a cache that is damaged, or of weights that have changed, is made again', async () => {
    await makeTinyModel(folder, { dtype: 'BF16' });
    const model = await openModelFolder(folder);
    const file = path.join(cache, `${model.key}.f32.safetensors`);
    await float32Tensors(model, cache);
    const good = await readFile(file);
    const badHeader = Buffer.from(good);
    badHeader.write('F16', badHeader.indexOf('F32'));
    for (const bad of [Buffer.alloc(0), good.subarray(0, -4), Buffer.from('nonsense'), badHeader]) {
      await writeFile(file, bad);
      await float32Tensors(model, cache);
      expect((await readFile(file)).equals(good)).toBe(true);
    }
    // A process that was killed leaves a temporary file; that of a running process stays.
    const abandoned = `${file}.999999999-abcd.tmp`;
    const running = `${file}.${process.ppid}-abcd.tmp`;
    for (const name of [abandoned, running]) await writeFile(name, 'x');
    const weights = path.join(folder, 'model.safetensors');
    await utimes(weights, new Date(), new Date(Date.now() + 5000));
    await float32Tensors(await openModelFolder(folder), cache);
    expect((await readdir(cache)).sort()).toEqual([path.basename(file), path.basename(running)].sort());
    expect((await readFile(file)).equals(good)).toBe(false);
  });
});
