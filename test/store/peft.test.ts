import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdapterSettings, adapterLayout } from '../../native-host/model/adapter-init.ts';
import type { AdapterLayout } from '../../native-host/model/adapter-layout.ts';
import type { ModelConfig } from '../../native-host/model/config.ts';
import { plainTraits } from '../../native-host/model/decoder-traits.ts';
import { readSafetensors, readTensor, storedTensor, writeSafetensors } from '../../native-host/model/safetensors.ts';
import { exportPeft } from '../../native-host/store/peft-export.ts';
import { importPeft } from '../../native-host/store/peft-import.ts';
import { StoreError } from '../../native-host/store/store-error.ts';
import { temporaryFolder, vectorOf } from './store-fixture.ts';

/** Grouped-query attention, and a query width that is not the hidden size: modules are wide, tall and square. */
const config: ModelConfig = {
  modelType: 'qwen3',
  vocabSize: 50,
  hiddenSize: 12,
  intermediateSize: 20,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 4,
  rmsNormEps: 1e-6,
  ropeTheta: 10000,
  ropeScaling: null,
  maxPositionEmbeddings: 64,
  tieWordEmbeddings: true,
  attentionBias: false,
  attentionOutputBias: false,
  mlpBias: false,
  queryKeyNorm: true,
  bosTokenId: null,
  eosTokenIds: [],
  ...plainTraits,
};
const modules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
const lora = adapterLayout(config, { kind: 'lora', rank: 3, alpha: 6 });
const full = adapterLayout(config, { kind: 'full', rank: 0, alpha: 0 });
const base = { baseModelNameOrPath: 'someone/some-model' };

let temporary: ReturnType<typeof temporaryFolder>;
let folder: string;

beforeEach(() => {
  temporary = temporaryFolder();
  folder = join(temporary.path, 'peft');
});
afterEach(() => temporary.remove());

function expectedLayout(settings: AdapterSettings): AdapterLayout {
  return adapterLayout(config, settings);
}

async function tensorOf(name: string): Promise<{ shape: number[]; data: Float32Array }> {
  const tensor = storedTensor(await readSafetensors(join(folder, 'adapter_model.safetensors')), name);
  return { shape: tensor.shape, data: await readTensor(tensor) };
}

function configOf(): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));
}

function changeConfig(change: Record<string, unknown>): void {
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify({ ...configOf(), ...change }));
}

/** Rewrites the tensors; `change` returns null to leave one out. */
async function changeTensors(
  change: (tensor: {
    name: string;
    shape: number[];
    data: Float32Array;
  }) => { name: string; shape: number[]; data: Float32Array } | null,
  dtype: 'F32' | 'F16' | 'BF16' = 'F32',
): Promise<void> {
  const path = join(folder, 'adapter_model.safetensors');
  const source = await readSafetensors(path);
  const tensors = [];
  for (const name of source.entries.keys()) {
    const { shape, ...stored } = storedTensor(source, name);
    const changed = change({ name, shape, data: await readTensor({ ...stored, shape }) });
    if (changed !== null) tensors.push({ ...changed, dtype });
  }
  await writeSafetensors(path, tensors, { format: 'pt' });
}

interface PeftScales {
  r: number;
  lora_alpha: number;
  rank_pattern: Record<string, number>;
  alpha_pattern: Record<string, number>;
  use_rslora: boolean;
}

/** B · A · alpha / rank of one module as the file says it. */
async function changeOf(path: string): Promise<Float32Array> {
  const [a, b] = [await tensorOf(`${path}.lora_A.weight`), await tensorOf(`${path}.lora_B.weight`)];
  const [rank, inner] = a.shape as [number, number];
  const module = path.split('.').at(-1)!;
  const { r, lora_alpha, rank_pattern, alpha_pattern, use_rslora } = configOf() as unknown as PeftScales;
  expect(rank_pattern[module] ?? r).toBe(rank);
  const scale = (alpha_pattern[module] ?? lora_alpha) / (use_rslora ? Math.sqrt(rank) : rank);
  const product = new Float32Array(b.shape[0]! * inner);
  for (let row = 0; row < b.shape[0]!; row++) {
    for (let column = 0; column < inner; column++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += b.data[row * rank + k]! * a.data[k * inner + column]!;
      product[row * inner + column] = scale * sum;
    }
  }
  return product;
}

/** The same of a module of an imported adapter. */
function changeIn({ layout, vector }: { layout: AdapterLayout; vector: Float32Array }, layer: number, module: string) {
  const part = (name: string) => layout.entries.find((entry) => entry.name === `layers.${layer}.${module}.${name}`)!;
  const [a, b] = [part('lora_A'), part('lora_B')];
  const [out, inner] = [b.shape[0]!, a.shape[1]!];
  const product = new Float32Array(out * inner);
  for (let i = 0; i < product.length; i++) {
    for (let k = 0; k < layout.rank; k++) {
      const left = vector[b.offset + Math.floor(i / inner) * layout.rank + k]!;
      product[i]! += (layout.alpha / layout.rank) * left * vector[a.offset + k * inner + (i % inner)]!;
    }
  }
  return product;
}

function expectClose(values: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(values.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(values[i]).toBeCloseTo(expected[i]!, 4);
}

test('LoRA is written as PEFT names and shapes it, and comes back exactly', async () => {
  const vector = vectorOf(lora, 1);
  await exportPeft(lora, vector, base, folder);
  expect(readdirSync(folder).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  expect(configOf()).toMatchObject({
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: 'someone/some-model',
    r: 3,
    lora_alpha: 6,
    bias: 'none',
    rank_pattern: {},
    alpha_pattern: {},
    target_modules: modules,
  });
  const file = await readSafetensors(join(folder, 'adapter_model.safetensors'));
  expect(file.entries.size).toBe(2 * 2 * 7);
  const a = await tensorOf('base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight');
  const b = await tensorOf('base_model.model.model.layers.1.self_attn.k_proj.lora_B.weight');
  expect([a.shape, b.shape]).toEqual([
    [3, 12],
    [8, 3],
  ]);
  const { offset } = lora.entries.find(({ name }) => name === 'layers.1.k_proj.lora_B')!;
  expect(b.data).toEqual(vector.slice(offset, offset + 24));
  expect((await tensorOf('base_model.model.model.layers.0.mlp.down_proj.lora_A.weight')).shape).toEqual([3, 20]);
  expect(await importPeft(folder, expectedLayout)).toEqual({ layout: lora, vector, ...base });
});

test('dense deltas are written as LoRA of full rank whose product is exactly the delta, and come back exactly', async () => {
  const vector = vectorOf(full, 2);
  await exportPeft(full, vector, base, folder);
  const written = configOf() as { r: number; lora_alpha: number; rank_pattern: object; alpha_pattern: object };
  const ranks = { q_proj: 12, k_proj: 8, v_proj: 8, o_proj: 12, gate_proj: 12, up_proj: 12, down_proj: 12 };
  expect(written).toMatchObject({ r: 12, lora_alpha: 12, rank_pattern: ranks, alpha_pattern: ranks });
  for (const { name, shape, offset } of full.entries) {
    const [, layer, module] = name.split('.') as [string, string, string];
    const parent = module.endsWith('_proj') && 'qkvo'.includes(module[0]!) && module.length === 6 ? 'self_attn' : 'mlp';
    const path = `base_model.model.model.layers.${layer}.${parent}.${module}`;
    const [a, b] = [await tensorOf(`${path}.lora_A.weight`), await tensorOf(`${path}.lora_B.weight`)];
    const [out, inner] = shape as [number, number];
    const rank = ranks[module as keyof typeof ranks];
    expect([a.shape, b.shape]).toEqual([
      [rank, inner],
      [out, rank],
    ]);
    for (let row = 0; row < out; row++) {
      for (let column = 0; column < inner; column++) {
        let sum = 0;
        for (let k = 0; k < rank; k++) sum += b.data[row * rank + k]! * a.data[k * inner + column]!;
        expect(sum).toBe(vector[offset + row * inner + column]);
      }
    }
  }
  expect(await importPeft(folder, expectedLayout)).toEqual({ layout: full, vector, ...base });
});

describe('of a model whose files hold query, key and value as one matrix', () => {
  test.each([
    ['lora', lora],
    ['full', full],
  ] as const)('%s changes the one matrix as it changes its parts, and comes back exactly', async (_, layout) => {
    const vector = vectorOf(layout, 3);
    const plain = join(temporary.path, 'plain');
    await exportPeft(layout, vector, base, plain);
    await exportPeft(layout, vector, base, folder, true);
    expect(configOf().target_modules).toEqual(['qkv_proj', 'o_proj', 'gate_up_proj', 'down_proj']);
    const fusedFolder = folder;
    for (const [fused, parts] of [
      ['self_attn.qkv_proj', ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']],
      ['self_attn.o_proj', ['self_attn.o_proj']],
      ['mlp.gate_up_proj', ['mlp.gate_proj', 'mlp.up_proj']],
    ] as const) {
      const path = 'base_model.model.model.layers.1';
      folder = fusedFolder;
      const whole = await changeOf(`${path}.${fused}`);
      folder = plain;
      let row = 0;
      for (const part of parts) {
        const change = await changeOf(`${path}.${part}`);
        for (const [i, value] of change.entries()) expect(whole[row + i]).toBeCloseTo(value, 5);
        row += change.length;
      }
      expect(row).toBe(whole.length);
    }
    expect(await importPeft(fusedFolder, expectedLayout, true)).toEqual({ layout, vector, ...base });
    await expect(importPeft(fusedFolder, expectedLayout)).rejects.toThrow(
      'layers.0.qkv_proj is adapted, but the base model has no such layer',
    );
  });

  test("PEFT's own LoRA, one for the whole matrix, gives each part the same A", async () => {
    await exportPeft(lora, vectorOf(lora, 4), base, folder, true);
    changeConfig({ rank_pattern: {}, alpha_pattern: {} });
    await changeTensors(({ name, shape, data }) => {
      // Rank 3 throughout: the first rows of A and the first columns of B.
      if (name.includes('lora_A')) return { name, shape: [3, shape[1]!], data: data.slice(0, 3 * shape[1]!) };
      const columns = shape[1]!;
      const kept = data.map((_, i) => ((i * 7) % 13) / 8 - 0.7).filter((_, i) => i % columns < 3);
      return { name, shape: [shape[0]!, 3], data: kept };
    });
    const { layout, vector } = await importPeft(folder, expectedLayout, true);
    expect(layout).toEqual(lora);
    const part = (name: string) => {
      const { offset, shape } = layout.entries.find((entry) => entry.name === name)!;
      return vector.subarray(offset, offset + shape[0]! * shape[1]!);
    };
    const path = 'base_model.model.model.layers.0.self_attn.qkv_proj';
    const [a, b] = [await tensorOf(`${path}.lora_A.weight`), await tensorOf(`${path}.lora_B.weight`)];
    let start = 0;
    for (const module of ['q_proj', 'k_proj', 'v_proj']) {
      expect(part(`layers.0.${module}.lora_A`)).toEqual(a.data);
      const rows = part(`layers.0.${module}.lora_B`);
      expect(rows).toEqual(b.data.slice(start, start + rows.length));
      start += rows.length;
    }
    expect(start).toBe(b.data.length);
  });

  test('a higher rank that is not made of blocks becomes the rank of all', async () => {
    await exportPeft(lora, vectorOf(lora, 5), base, folder, true);
    await changeTensors(({ name, shape, data }) => ({ name, shape, data: data.map((value) => value + 1) }));
    const imported = await importPeft(folder, expectedLayout, true);
    expect(imported.layout).toEqual(adapterLayout(config, { kind: 'lora', rank: 9, alpha: 18 }));
    const whole = await changeOf('base_model.model.model.layers.1.self_attn.qkv_proj');
    const parts = ['q_proj', 'k_proj', 'v_proj'].flatMap((module) => [...changeIn(imported, 1, module)]);
    expectClose(parts, whole);
    const down = await changeOf('base_model.model.model.layers.1.mlp.down_proj');
    expectClose(changeIn(imported, 1, 'down_proj'), down);
  });
});

test('half-precision tensors, the name "default" left in, and options without effect are read', async () => {
  const vector = Float32Array.from({ length: lora.length }, (_, i) => (i % 17) / 8 - 1);
  await exportPeft(lora, vector, base, folder);
  await changeTensors(({ name, ...rest }) => ({ name: name.replace('.weight', '.default.weight'), ...rest }), 'BF16');
  changeConfig({
    lora_dropout: 0.1,
    eva_config: null,
    peft_version: '0.19.1',
    init_lora_weights: 'gaussian',
    task_type: null,
  });
  expect((await importPeft(folder, expectedLayout)).vector).toEqual(vector);
  changeConfig({ rank_pattern: { 'self_attn.q_proj': 3 }, r: 3 });
  expect((await importPeft(folder, expectedLayout)).layout).toEqual(lora);
});

test('the whole list of mismatches in one error', async () => {
  await exportPeft(lora, vectorOf(lora, 1), base, folder);
  changeConfig({
    use_dora: true,
    bias: 'all',
    modules_to_save: ['lm_head'],
    init_lora_weights: 'pissa',
    rank_pattern: { '.*q_proj$': 4 },
  });
  await changeTensors(({ name, shape, data }) => {
    if (name.includes('layers.0.mlp.up_proj.lora_A')) return null;
    if (name.includes('layers.1.self_attn.q_proj.lora_A')) return { name, shape: [3, 11], data: data.subarray(0, 33) };
    if (name.includes('layers.1.mlp.down_proj.lora_B')) return { name, shape: [18, 2], data };
    if (name.includes('layers.0.self_attn.v_proj.lora_B'))
      return { name: name.replace('layers.0', 'layers.7'), shape, data };
    if (name.includes('layers.0.self_attn.k_proj.lora_B'))
      return { name: 'base_model.model.lm_head.lora_B.weight', shape, data };
    return { name, shape, data };
  });
  const error = await importPeft(folder, expectedLayout).catch((reason: unknown) => reason as Error);
  expect(error).toBeInstanceOf(StoreError);
  expect((error as Error).message.split('\n').slice(1, -1)).toEqual([
    '  - the option bias is "all", which is not supported',
    '  - the option init_lora_weights is "pissa", which is not supported',
    '  - the option use_dora is true, which is not supported',
    '  - the option modules_to_save is ["lm_head"], which is not supported',
    '  - rank_pattern has the pattern ".*q_proj$"; only names are supported',
    '  - base_model.model.lm_head.lora_B.weight is no LoRA parameter of a linear layer',
    '  - base_model.model.model.layers.1.mlp.down_proj.lora_B.weight has rank 2, adapter_config.json says 3',
    '  - base_model.model.model.layers.0.self_attn.k_proj.lora_B.weight is missing',
    '  - base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight is missing',
    '  - base_model.model.model.layers.0.mlp.up_proj.lora_A.weight is missing',
    "  - base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight has 11 inputs, the base model's layer has 12",
    "  - base_model.model.model.layers.1.mlp.down_proj.lora_B.weight has 18 outputs, the base model's layer has 12",
    '  - layers.7.v_proj is adapted, but the base model has no such layer',
  ]);
});

test.each([false, true])('different ranks and alphas are the same change, with rsLoRA %s', async (use_rslora) => {
  await exportPeft(full, vectorOf(full, 1), base, folder);
  // No dense delta any more: the scales are not 1.
  changeConfig({ alpha_pattern: { q_proj: 24, 'layers.1.self_attn.k_proj': 5 }, use_rslora });
  const imported = await importPeft(folder, expectedLayout);
  expect(imported.layout).toMatchObject({ kind: 'lora', rank: 12 });
  for (const module of ['q_proj', 'v_proj', 'down_proj']) {
    const parent = module === 'down_proj' ? 'mlp' : 'self_attn';
    const expected = await changeOf(`base_model.model.model.layers.1.${parent}.${module}`);
    expectClose(changeIn(imported, 1, module), expected);
  }
});

test('modules and layers that were not adapted change nothing, and can be trained on', async () => {
  await exportPeft(lora, vectorOf(lora, 1), base, folder);
  const isAdapted = (name: string) => name.includes('layers.1') && /q_proj|down_proj/.test(name);
  await changeTensors((tensor) => (isAdapted(tensor.name) ? tensor : null));
  await expect(importPeft(folder, expectedLayout)).rejects.toThrow(
    'layers.0.self_attn.q_proj.lora_A.weight is missing',
  );
  changeConfig({ layers_to_transform: [1], target_modules: ['q_proj', 'down_proj'] });
  const { layout, vector } = await importPeft(folder, expectedLayout);
  expect(layout).toEqual(lora);
  const original = vectorOf(lora, 1);
  for (const { name, shape, offset } of layout.entries) {
    const end = offset + shape[0]! * shape[1]!;
    const values = vector.subarray(offset, end);
    if (isAdapted(name)) expect(values, name).toEqual(original.subarray(offset, end));
    // With a random A and no B the change is zero, but not the gradient of B.
    else
      expect(
        [...values].every((value) => value === 0),
        name,
      ).toBe(name.endsWith('lora_B'));
  }
  changeConfig({ layers_to_transform: ['first'] });
  await expect(importPeft(folder, expectedLayout)).rejects.toThrow('layers_to_transform is ["first"] instead of');
});

test('what looks like full rank but has no identity is not taken for a dense delta', async () => {
  const square = { ...config, hiddenSize: 8, intermediateSize: 8, headDim: 2, numKeyValueHeads: 4 };
  const layout = adapterLayout(square, { kind: 'lora', rank: 8, alpha: 8 });
  const vector = vectorOf(layout, 1);
  await exportPeft(layout, vector, base, folder);
  const imported = await importPeft(folder, (settings) => adapterLayout(square, settings));
  expect(imported).toEqual({ layout, vector, ...base });
});

test("another base model's adapter is refused layer by layer", async () => {
  await exportPeft(lora, vectorOf(lora, 1), base, folder);
  const larger = { ...config, numHiddenLayers: 3, intermediateSize: 24 };
  const error = await importPeft(folder, (settings) => adapterLayout(larger, settings)).catch(
    (reason: Error) => reason,
  );
  const lines = (error as Error).message.split('\n').slice(1, -1);
  expect(lines.filter((line) => line.includes('layers.2.') && line.endsWith('is missing'))).toHaveLength(14);
  expect(lines.filter((line) => line.includes('the base model'))).toHaveLength(6);
});

test('Gated Memory and changes of more than linear layers cannot be exported, and nothing is written', async () => {
  const gated = adapterLayout(config, { kind: 'gatedMemory', rank: 0, alpha: 0 });
  await expect(exportPeft(gated, vectorOf(gated, 1), base, folder)).rejects.toThrow(/Gated Memory.*absorb with/);
  const whole: AdapterLayout = {
    kind: 'full',
    rank: 0,
    alpha: 0,
    length: 4,
    entries: [{ name: 'norm.delta', shape: [4], offset: 0 }],
  };
  await expect(exportPeft(whole, vectorOf(whole, 1), base, folder)).rejects.toThrow(
    /more than linear layers: norm.delta/,
  );
  expect(existsSync(folder)).toBe(false);
});

test('an adapter is not written over another', async () => {
  await exportPeft(lora, vectorOf(lora, 1), base, folder);
  await expect(exportPeft(lora, vectorOf(lora, 2), base, folder)).rejects.toThrow(/holds adapter_config.json already/);
  expect((await importPeft(folder, expectedLayout)).vector).toEqual(vectorOf(lora, 1));
});

test('missing and broken files say what they are', async () => {
  await expect(importPeft(join(temporary.path, 'nowhere'), expectedLayout)).rejects.toThrow(
    /adapter_config.json is missing\n.*adapter_model.safetensors is missing/,
  );
  await exportPeft(lora, vectorOf(lora, 1), base, folder);
  const path = join(folder, 'adapter_model.safetensors');
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, 300));
  await expect(importPeft(folder, expectedLayout)).rejects.toThrow(/adapter_model.safetensors: .*cut short/);
  writeFileSync(path, bytes);
  for (const text of [
    '',
    '[]',
    'null',
    '{"r": 0}',
    '{"r": "8", "lora_alpha": null}',
    '{"r": 1e99}',
    '{"rank_pattern": [1]}',
  ]) {
    writeFileSync(join(folder, 'adapter_config.json'), text);
    await expect(importPeft(folder, expectedLayout)).rejects.toThrow(StoreError);
  }
});

test('values that are not finite are refused', async () => {
  await exportPeft(lora, vectorOf(lora, 1), base, folder);
  await changeTensors(({ name, shape, data }) => ({
    name,
    shape,
    data: data.map((value, i) => (i === 5 ? Number.NaN : value)),
  }));
  await expect(importPeft(folder, expectedLayout)).rejects.toThrow(/NaN in layers.0.q_proj.lora_A/);
});
