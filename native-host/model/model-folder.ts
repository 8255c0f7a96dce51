/** A model in Hugging Face layout: config.json beside one safetensors file or several with an index. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { expectedTensors, type ModelConfig, readModelConfig } from './config.ts';
import { contentKey } from './content-key.ts';
import { separateTensors, tensorsInFiles } from './fused-modules.ts';
import { ModelError } from './model-error.ts';
import { DOWNLOAD_AGAIN, isRecord, readModelJson } from './model-files.ts';
import { inspectSafetensors, type StoredTensor } from './safetensors.ts';
import { isTensorDtype, unsupportedDtype } from './tensor-dtype.ts';
import { convertToFloat32 } from './weight-cache.ts';

export interface ModelFolder {
  folder: string;
  config: ModelConfig;
  /** Exactly the tensors of expectedTensors(config). */
  tensors: Map<string, StoredTensor>;
  /** The number of weights; a tied output embedding counts once. */
  parameters: number;
  /** 32 hexadecimal digits over configuration and weights, the same wherever the folder lies and however it is sharded. */
  key: string;
}

const SINGLE_FILE = 'model.safetensors';
const INDEX_FILE = 'model.safetensors.index.json';

/** Verifies everything, or throws one ModelError that lists every mismatch. Reads headers and a part of the weights. */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  const problems: string[] = [];
  let advice = DOWNLOAD_AGAIN;
  const config = await readModelConfig(folder).catch((error: unknown) => {
    if (!(error instanceof ModelError)) throw error;
    problems.push(...error.mismatches);
    advice = error.advice;
    return null;
  });
  const { found, isUnread } = await tensorsOfFiles(folder, problems);
  if (config === null) throw new ModelError(folder, problems, advice);

  const stored = new Map<string, StoredTensor>();
  const separate = expectedTensors(config);
  const expected = tensorsInFiles(config, separate);
  for (const [name, shape] of expected) {
    const entry = found.get(name);
    if (entry === undefined) {
      // Of a file that could not be read, the reason is reported once, and not its tensors one by one.
      if (!isUnread(name)) problems.push(`The tensor ${name} [${shape}] is missing.`);
      continue;
    }
    const { dtype } = entry;
    const sameShape = entry.shape.length === shape.length && entry.shape.every((size, i) => size === shape[i]);
    if (!sameShape) problems.push(`${name} has shape [${entry.shape}], the config asks for [${shape}].`);
    if (!isTensorDtype(dtype)) problems.push(unsupportedDtype(name, dtype));
    else stored.set(name, { ...entry, dtype, name });
  }
  for (const name of found.keys()) {
    // Ignoring a bias or a scale would compute another model than the one that was trained.
    if (!expected.has(name) && !isNeedless(name))
      problems.push(`${name} is not a part of a ${config.modelType} model.`);
  }
  if (problems.length > 0) throw new ModelError(folder, problems, advice);

  const tensors = separateTensors(config, separate, stored);
  const parameters = [...expected.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
  return { folder, config, tensors, parameters, key: await contentKey(config, tensors) };
}

/**
 * The model's tensors, all F32 and in real files (symbolic links resolved). They stay where they are if they are F32, or
 * else are converted once into `<cacheFolder>/<model key>.f32.safetensors`.
 */
export async function float32Tensors(model: ModelFolder, cacheFolder: string): Promise<Map<string, StoredTensor>> {
  return convertToFloat32(model.tensors, path.join(cacheFolder, `${model.key}.f32.safetensors`));
}

interface FoundTensor {
  dtype: string;
  shape: number[];
  file: string;
  byteOffset: number;
  byteLength: number;
}

/** All tensors of the folder's files; what is wrong is added to `problems`. */
async function tensorsOfFiles(
  folder: string,
  problems: string[],
): Promise<{ found: Map<string, FoundTensor>; isUnread: (tensor: string) => boolean }> {
  const found = new Map<string, FoundTensor>();
  const unreadFiles = new Set<string>();
  const weightMap = await readWeightMap(folder, problems);
  const fileOf = (tensor: string) => (weightMap === 'single' ? SINGLE_FILE : weightMap.get(tensor));
  const files = weightMap === 'single' ? [SINGLE_FILE] : [...new Set(weightMap.values())].sort();
  for (const name of files) {
    const file = path.join(folder, name);
    const { contents, problems: fileProblems } = await inspectSafetensors(file);
    problems.push(...fileProblems.map((problem) => `${name}: ${problem}`));
    if (contents === null) unreadFiles.add(name);
    for (const [tensor, entry] of contents?.entries ?? []) {
      if (fileOf(tensor) === name) found.set(tensor, { ...entry, file });
      else problems.push(`${name} holds ${tensor}, which ${INDEX_FILE} does not place there.`);
    }
  }
  return { found, isUnread: (tensor) => files.length === 0 || unreadFiles.has(fileOf(tensor) ?? '') };
}

/** The file of each tensor by the index, or 'single' where, as in Hugging Face's loader, one file comes first. */
async function readWeightMap(folder: string, problems: string[]): Promise<Map<string, string> | 'single'> {
  const result = new Map<string, string>();
  if (await exists(path.join(folder, SINGLE_FILE))) return 'single';
  try {
    const index = await readModelJson(folder, INDEX_FILE);
    if (index === null)
      problems.push(`There is neither ${SINGLE_FILE} nor ${INDEX_FILE}; weights in other formats are not read.`);
    else if (!isRecord(index.weight_map)) problems.push(`${INDEX_FILE} has no weight_map.`);
    else {
      for (const [tensor, file] of Object.entries(index.weight_map)) {
        if (typeof file === 'string' && /^\w[\w.-]*\.safetensors$/.test(file)) result.set(tensor, file);
        else
          problems.push(`${INDEX_FILE} places ${tensor} in ${JSON.stringify(file)}, which is no file of this folder.`);
      }
      if (Object.keys(index.weight_map).length === 0) problems.push(`${INDEX_FILE} has an empty weight_map.`);
    }
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    problems.push(...error.mismatches);
  }
  return result;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** Computed tables that old exports carry; and the output embedding of a tied model, which repeats the input's. */
function isNeedless(name: string): boolean {
  return name.endsWith('.rotary_emb.inv_freq') || name === 'lm_head.weight';
}
