/**
 * Adapters from PEFT's format: LoRA of the same base model; everything else is refused with all the reasons. Modules may
 * differ in rank and in scale, and some may have none: all become LoRA of the highest rank. Rows of A that a module lacks are
 * those that training would start from, and their columns of B zero, so that the change is the same and can be trained on.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type AdapterSettings, initialAdapter } from '../model/adapter-init.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import { inspectSafetensors, readTensor, type SafetensorsFile, storedTensor } from '../model/safetensors.ts';
import { namesIn } from './atomic-file.ts';
import { vectorProblems } from './layout-problems.ts';
import { type PeftConfig, parsePeftConfig, peftConfigFile, peftTensorFile } from './peft-config.ts';
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
  const isDense = problems.length === 0 && (await isFull(modules, file, config));
  const importAs = async (form: FusedForm) => {
    const settings = isDense ? fullSettings : commonSettings(modules, config, form);
    const layout = expectedLayout(settings);
    const inFile = fusedProjections ? fusedLayout(layout, form) : layout;
    compareWithLayout(modules, inFile, config, problems);
    if (problems.length > 0) throw peftMismatch(folder, problems);
    const values = await vectorOf(inFile, modules, file, (module) => scaleOf(module, config, form, settings));
    return { layout, vector: fusedProjections ? separateVector(layout, values, form) : values };
  };
  const form = formOf(modules);
  let { layout, vector } = await importAs(form);
  if (vector === null) ({ layout, vector } = await importAs('shared'));
  problems.push(...vectorProblems(layout, 'the adapter', vector!));
  if (problems.length > 0) throw peftMismatch(folder, problems);
  return { layout, vector: vector!, baseModelNameOrPath: config.baseModelNameOrPath };
}

/** `scaleOf` is what a module's B is multiplied with. */
async function vectorOf(
  layout: AdapterLayout,
  modules: Map<string, FoundModule>,
  file: SafetensorsFile,
  scaleOf: (module: AdaptedModule) => number,
): Promise<Float32Array> {
  const vector = initialAdapter(layout, 1);
  for (const { name, shape, offset } of layout.entries) {
    const { layer, module, part } = moduleOfEntry(name)!;
    const found = modules.get(`layers.${layer}.${module}`);
    if (found === undefined) continue;
    const side = part === 'delta' ? (shape[1]! <= shape[0]! ? 'lora_B' : 'lora_A') : (part as 'lora_A' | 'lora_B');
    const tensor = storedTensor(file, found[side]!.name);
    const values = await readTensor(tensor);
    const factor = part === 'lora_B' ? scaleOf(found) : 1;
    if (factor !== 1) for (let i = 0; i < values.length; i++) values[i]! *= factor;
    const [rows, columns] = tensor.shape as [number, number];
    for (let row = 0; row < rows; row++) {
      vector.set(values.subarray(row * columns, (row + 1) * columns), offset + row * shape[1]!);
    }
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

/** The highest rank that a module has, with the alpha of the first that has it. */
function commonSettings(modules: Map<string, FoundModule>, config: PeftConfig, form: FusedForm): AdapterSettings {
  const all = [...modules.values()].map((found) => ({
    rank: config.rankOf(found) / partsIn(found, form),
    alpha: config.alphaOf(found) / partsIn(found, form),
  }));
  const rank = Math.max(1, ...all.map((found) => found.rank));
  // An alpha of 0 would leave nothing to scale the others by.
  return { kind: 'lora', rank, alpha: all.find((found) => found.rank === rank)?.alpha || rank };
}

/** What B has to be multiplied with where a module's scale becomes that of the whole adapter. */
function scaleOf(
  module: AdaptedModule,
  config: PeftConfig,
  form: FusedForm,
  { kind, rank, alpha }: AdapterSettings,
): number {
  if (kind === 'full') return 1;
  const parts = partsIn(module, form);
  const [ownRank, ownAlpha] = [config.rankOf(module) / parts, config.alphaOf(module) / parts];
  return ownRank === rank && ownAlpha === alpha ? 1 : ownAlpha / ownRank / (alpha / rank);
}

function partsIn({ module }: AdaptedModule, form: FusedForm): number {
  return form === 'blocks' ? moduleCount(module) : 1;
}

/** A module that the file has in one layer has to be there in all layers that it says it adapts. */
function compareWithLayout(
  modules: Map<string, FoundModule>,
  layout: AdapterLayout,
  { layers }: PeftConfig,
  problems: string[],
): void {
  const expected = new Set<string>();
  const adapted = new Set([...modules.values()].map(({ module }) => module));
  for (const { name, shape } of layout.entries) {
    const { layer, module, part } = moduleOfEntry(name)!;
    const key = `layers.${layer}.${module}`;
    expected.add(key);
    const found = modules.get(key);
    if (found === undefined && (!adapted.has(module) || layers?.has(layer) === false)) continue;
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
