/** Adapters from PEFT's format: plain LoRA of the same base model; everything else is refused with all the reasons. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdapterSettings } from '../model/adapter-init.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import { inspectSafetensors, readTensor, type SafetensorsFile, storedTensor } from '../model/safetensors.ts';
import { namesIn } from './atomic-file.ts';
import { vectorProblems } from './layout-problems.ts';
import { mostCommon, type PeftConfig, parsePeftConfig, peftConfigFile, peftTensorFile } from './peft-config.ts';
import { type FusedForm, fusedLayout, moduleCount, separateVector } from './peft-fused.ts';
import { type AdaptedModule, moduleOfEntry, moduleOfTensor, peftTensorName } from './peft-names.ts';
import { peftMismatch } from './store-error.ts';

const configByteLimit = 16 << 20;

export interface ImportedAdapter {
  layout: AdapterLayout;
  vector: Float32Array;
  /** What the adapter says it was trained for; only the shapes were checked. */
  baseModelNameOrPath: string | null;
}

/**
 * Reads a LoRA adapter from `folder`. `expectedLayout` gives the layout that the base model would have for an adapter of
 * these settings, and `fusedProjections` whether its files hold query, key and value as one matrix (peft-fused.ts). LoRA of
 * full rank with an identity on the smaller side becomes kind 'full'.
 * Throws one StoreError that lists every mismatch: options, missing and unknown tensors, shapes, ranks.
 */
export async function importPeft(
  folder: string,
  expectedLayout: (settings: AdapterSettings) => AdapterLayout,
  fusedProjections = false,
): Promise<ImportedAdapter> {
  const { config, file, problems } = await readFolder(folder);
  if (config === null || file === null) throw peftMismatch(folder, problems);
  const modules = modulesIn(file, config, problems);
  const settings = problems.length === 0 && (await isFull(modules, file, config)) ? fullSettings : undefined;
  const form = formOf(modules);
  const chosen = settings ?? commonSettings(modules, config, form, problems);
  const layout = expectedLayout(chosen);
  const inFile = fusedProjections ? fusedLayout(layout, form) : layout;
  compareWithLayout(modules, inFile, problems);
  if (problems.length > 0) throw peftMismatch(folder, problems);

  const values = await vectorOf(inFile, modules, file);
  const vector = fusedProjections ? separateVector(layout, values, form) : values;
  if (vector === null) {
    const reason =
      'modules that stand for several projections have a higher rank than others, and are not made of blocks';
    throw peftMismatch(folder, [reason]);
  }
  problems.push(...vectorProblems(layout, 'the adapter', vector));
  if (problems.length > 0) throw peftMismatch(folder, problems);
  return { layout, vector, baseModelNameOrPath: config.baseModelNameOrPath };
}

async function vectorOf(
  layout: AdapterLayout,
  modules: Map<string, FoundModule>,
  file: SafetensorsFile,
): Promise<Float32Array> {
  const vector = new Float32Array(layout.length);
  for (const { name, shape, offset } of layout.entries) {
    const { layer, module, part } = moduleOfEntry(name)!;
    const found = modules.get(`layers.${layer}.${module}`)!;
    const side = part === 'delta' ? (shape[1]! <= shape[0]! ? 'lora_B' : 'lora_A') : (part as 'lora_A' | 'lora_B');
    vector.set(await readTensor(storedTensor(file, found[side]!.name)), offset);
  }
  return vector;
}

/** Blocks where every module that stands for several has so many times the rank of those that stand for themselves. */
function formOf(modules: Map<string, FoundModule>): FusedForm {
  const rankOf = ({ lora_A: a, lora_B: b }: FoundModule) => a?.shape[0] ?? b!.shape[1]!;
  const all = [...modules.values()];
  const rank = all.filter(({ module }) => moduleCount(module) === 1).map(rankOf)[0];
  const isBlocks = (found: FoundModule) => rankOf(found) === rank! * moduleCount(found.module);
  return rank !== undefined && all.every(isBlocks) ? 'blocks' : 'shared';
}

const fullSettings: AdapterSettings = { kind: 'full', rank: 0, alpha: 0 };

type FoundModule = AdaptedModule & Partial<Record<'lora_A' | 'lora_B', { name: string; shape: number[] }>>;

async function readFolder(
  folder: string,
): Promise<{ config: PeftConfig | null; file: SafetensorsFile | null; problems: string[] }> {
  const names = await namesIn(folder);
  const problems: string[] = [];
  let config: PeftConfig | null = null;
  let file: SafetensorsFile | null = null;
  if (!names.includes(peftConfigFile)) problems.push(`${peftConfigFile} is missing`);
  else if ((await stat(join(folder, peftConfigFile))).size > configByteLimit)
    problems.push(`${peftConfigFile} is too large`);
  else {
    const parsed = parsePeftConfig(await readFile(join(folder, peftConfigFile), 'utf8'));
    config = parsed.config;
    problems.push(...parsed.problems);
  }
  if (names.includes(peftTensorFile)) {
    const inspected = await inspectSafetensors(join(folder, peftTensorFile));
    problems.push(...inspected.problems.map((problem) => `${peftTensorFile}: ${problem}`));
    // Offsets of a file with a wrong header mean nothing.
    file = inspected.problems.length === 0 ? inspected.contents : null;
  } else {
    const pickled = names.includes('adapter_model.bin') ? '; adapter_model.bin can run code when it is loaded' : '';
    problems.push(`${peftTensorFile} is missing${pickled}`);
  }
  return { config, file, problems };
}

function modulesIn(file: SafetensorsFile, config: PeftConfig, problems: string[]): Map<string, FoundModule> {
  const modules = new Map<string, FoundModule>();
  for (const [name, { shape, dtype }] of file.entries) {
    const found = moduleOfTensor(name);
    if (found === null) {
      problems.push(`${name} is no LoRA parameter of a linear layer`);
      continue;
    }
    if (!['F32', 'F16', 'BF16'].includes(dtype)) problems.push(`${name} has the dtype ${dtype}`);
    if (shape.length !== 2 || shape.includes(0)) {
      problems.push(`${name} has the shape [${shape.join(', ')}]`);
      continue;
    }
    const { layer, module, part } = found;
    const key = `layers.${layer}.${module}`;
    const entry = modules.get(key) ?? { layer, module };
    if (entry[part] !== undefined) problems.push(`${name} is there twice, as ${entry[part].name} too`);
    modules.set(key, { ...entry, [part]: { name, shape } });
    const rank = shape[part === 'lora_A' ? 0 : 1]!;
    if (rank !== config.rankOf(found)) {
      problems.push(`${name} has rank ${rank}, ${peftConfigFile} says ${config.rankOf(found)}`);
    }
  }
  if (modules.size === 0) problems.push(`${peftTensorFile} holds no LoRA parameters`);
  return modules;
}

/** Whether every module is a dense delta beside an identity with scale 1, as exportPeft writes it. */
async function isFull(modules: Map<string, FoundModule>, file: SafetensorsFile, config: PeftConfig): Promise<boolean> {
  const squares: string[] = [];
  for (const found of modules.values()) {
    const { lora_A: a, lora_B: b } = found;
    if (a === undefined || b === undefined) return false;
    const [out, inner] = [b.shape[0]!, a.shape[1]!];
    const rank = Math.min(out, inner);
    if (a.shape[0] !== rank || b.shape[1] !== rank || config.alphaOf(found) !== rank) return false;
    squares.push(inner <= out ? a.name : b.name);
  }
  for (const name of squares) {
    const values = await readTensor(storedTensor(file, name));
    const rank = Math.sqrt(values.length);
    if (!values.every((value, i) => value === (i % (rank + 1) === 0 ? 1 : 0))) return false;
  }
  return true;
}

/** The rank and alpha of all modules; where they differ, of most. */
function commonSettings(
  modules: Map<string, FoundModule>,
  config: PeftConfig,
  form: FusedForm,
  problems: string[],
): { kind: 'lora'; rank: number; alpha: number } {
  const all = [...modules.values()];
  const parts = ({ module }: AdaptedModule) => (form === 'blocks' ? moduleCount(module) : 1);
  const rankOf = (found: AdaptedModule) => config.rankOf(found) / parts(found);
  const alphaOf = (found: AdaptedModule) => config.alphaOf(found) / parts(found);
  for (const [what, of] of [['ranks', rankOf] as const, ['alphas', alphaOf] as const]) {
    const values = [...new Set(all.map((found) => of(found)))].sort((a, b) => a - b);
    if (values.length < 2) continue;
    const byValue = values.map((value) => {
      const names = new Set(all.filter((found) => of(found) === value).map(({ module }) => module));
      return `${value} in ${[...names].join(', ')}`;
    });
    problems.push(`modules have different ${what}, which is not supported: ${byValue.join('; ')}`);
  }
  const rank = mostCommon(all.map((found) => (found.lora_A?.shape[0] ?? found.lora_B!.shape[1]!) / parts(found))) ?? 1;
  return { kind: 'lora', rank, alpha: mostCommon(all.map(alphaOf)) ?? 1 };
}

function compareWithLayout(modules: Map<string, FoundModule>, layout: AdapterLayout, problems: string[]): void {
  const expected = new Set<string>();
  for (const { name, shape } of layout.entries) {
    const { layer, module, part } = moduleOfEntry(name)!;
    const key = `layers.${layer}.${module}`;
    expected.add(key);
    const found = modules.get(key);
    for (const side of ['lora_A', 'lora_B'] as const) {
      if (part !== 'delta' && part !== side) continue;
      const tensor = found?.[side];
      if (tensor === undefined) {
        problems.push(`${peftTensorName({ layer, module }, side)} is missing`);
        continue;
      }
      // The rank is compared elsewhere; here it is the side that the base model gives.
      const axis = side === 'lora_A' ? 1 : 0;
      if (tensor.shape[axis] !== shape[axis]) {
        const what = side === 'lora_A' ? 'inputs' : 'outputs';
        problems.push(`${tensor.name} has ${tensor.shape[axis]} ${what}, the base model's layer has ${shape[axis]}`);
      }
    }
  }
  for (const key of modules.keys()) {
    if (!expected.has(key)) problems.push(`${key} is adapted, but the base model has no such layer`);
  }
}
