/** A model in one GGUF file, as llama.cpp, Ollama and LM Studio have it: weights, tokenizer and chat template. */
import path from 'node:path';
import { type ChatTemplate, makeChatTemplate } from '../chat-template.ts';
import { expectedTensors, type ModelConfig, parseModelConfig } from '../config.ts';
import { contentKey } from '../content-key.ts';
import { separateTensors, tensorsInFiles } from '../fused-modules.ts';
import { ModelError } from '../model-error.ts';
import type { StoredTensor } from '../safetensors.ts';
import { makeTokenizer, type Tokenizer } from '../tokenizer.ts';
import { convertedWeights } from '../weight-cache.ts';
import { configOf, ggufName, isRopeTensor, ropeTensors } from './gguf-config.ts';
import { type GgufFile, type GgufTensor, ggufHeaderIn, readGguf } from './gguf-file.ts';
import { convertible, float32Rows, type GgufWeight } from './gguf-tensor.ts';
import { readTokenizer } from './gguf-tokenizer.ts';

export interface GgufModel {
  file: string;
  config: ModelConfig;
  /** Exactly the tensors of expectedTensors(config). */
  tensors: Map<string, GgufWeight>;
  parameters: number;
  /** As of a ModelFolder. */
  key: string;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
}

const ADVICE = 'Choose another file of this model, or its folder in Hugging Face layout.';

/** Verifies everything, or throws one ModelError with all that is wrong. Reads the header and a part of the weights. */
export async function openGguf(file: string): Promise<GgufModel> {
  const header = await readGguf(file);
  const problems: string[] = [];
  const config = await readConfig(header, problems);
  const described = readTokenizer(header.metadata, problems);
  const tensors = config === null ? null : placedWeights(header, config, problems);
  if (config === null || tensors === null || described === null || problems.length > 0) {
    throw new ModelError(file, problems, ADVICE);
  }
  const tokenizer = makeTokenizer(described.json, config.vocabSize, file, 'Its tokenizer');
  const template = header.metadata.get('tokenizer.chat_template');
  const specialTokens = {
    bos_token: described.named('tokenizer.ggml.bos_token_id'),
    eos_token: described.named('tokenizer.ggml.eos_token_id'),
    pad_token: described.named('tokenizer.ggml.padding_token_id'),
  };
  const chatTemplate = makeChatTemplate(typeof template === 'string' ? template : null, specialTokens, file);
  const parameters = [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const key = await contentKey(config, tensors);
  return { file, config, tensors, parameters, key, tokenizer, chatTemplate };
}

/**
 * Whether a file's first bytes hold its header. Errors: ModelError where the header says that the file cannot be opened, as
 * one of another architecture or with tensors of formats that are not read.
 */
export function isGgufHeaderWhole(file: string, bytes: Buffer, fileSize: number): boolean {
  const header = ggufHeaderIn(file, bytes, fileSize);
  if (header === null) return false;
  const problems: string[] = [];
  configOf(header, null, problems);
  if (problems.length > 0) throw new ModelError(file, problems, ADVICE);
  return true;
}

/**
 * The model's tensors in a safetensors file of `cacheFolder`, which is written first where it is not there. All become F32,
 * or quantised ones BF16 while the others stay as they are, for devices that read half precision.
 */
export async function ggufWeights(
  { key, tensors }: GgufModel,
  cacheFolder: string,
  quantizedAs: 'F32' | 'BF16',
): Promise<Map<string, StoredTensor>> {
  const name = quantizedAs === 'F32' ? `${key}.f32.safetensors` : `${key}.safetensors`;
  const sources = [...tensors.values()].map((weight) => convertible(weight, quantizedAs));
  return convertedWeights(sources, path.join(cacheFolder, name));
}

async function readConfig(header: GgufFile, problems: string[]): Promise<ModelConfig | null> {
  const short = await readTable(header, ropeTensors.short, problems);
  const fields = configOf(header, short, problems);
  // Of an architecture that is not known the other fields say nothing.
  if (fields.model_type === undefined) return null;
  try {
    // What gemma adds to the weights of norms was added by the converter.
    const config: ModelConfig = { ...parseModelConfig(fields, header.file), normOffset: 0 };
    const divisors = config.modelType === 'llama' ? await readTable(header, ropeTensors.llama, problems) : null;
    if (divisors === null) return config;
    if (divisors.length !== config.headDim / 2 || divisors.some((divisor) => !(divisor > 0))) {
      problems.push(`${ropeTensors.llama} does not have ${config.headDim / 2} positive numbers.`);
    }
    return { ...config, ropeFactors: { divisors, size: 1, positions: config.maxPositionEmbeddings } };
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    problems.push(...error.mismatches);
    return null;
  }
}

/** The largest head has half as many pairs of columns. */
const LONGEST_TABLE = 1024;

/** The numbers of a small tensor; null where there is none. */
async function readTable(header: GgufFile, name: string, problems: string[]): Promise<number[] | null> {
  const tensor = header.tensors.get(name);
  if (tensor === undefined) return null;
  if (tensor.shape.length !== 1 || tensor.shape[0]! > LONGEST_TABLE || tensor.format.values > 1) {
    problems.push(`${name} has the sizes ${tensor.shape.join(' × ')} and the type ${tensor.format.name}.`);
    return null;
  }
  const values: number[] = [];
  for await (const slice of float32Rows(weightOf(header, tensor, name, null))) values.push(...slice);
  return values;
}

/** The file's tensors under Hugging Face's names, each projection by itself. */
function placedWeights(header: GgufFile, config: ModelConfig, problems: string[]): Map<string, GgufWeight> | null {
  const separate = expectedTensors(config);
  const inFile = tensorsInFiles(config, separate);
  const stored = new Map<string, GgufWeight>();
  const used = new Set<string>();
  for (const [name, shape] of inFile) {
    const called = ggufName(config, name);
    const tensor = header.tensors.get(called);
    used.add(called);
    if (tensor === undefined) problems.push(`The tensor ${called} [${shape}] is missing.`);
    else if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i])) {
      problems.push(`${called} has shape [${tensor.shape}], its metadata asks for [${shape}].`);
    } else if (shape.length === 1 && tensor.format.values > 1) {
      problems.push(`${called} has the type ${tensor.format.name}, which only matrices can have.`);
    } else stored.set(name, weightOf(header, tensor, name, interleavedRows(config, name)));
  }
  for (const name of header.tensors.keys()) {
    if (!used.has(name) && !isRopeTensor(name)) problems.push(`${name} is not a part of a ${config.modelType} model.`);
  }
  return problems.length > 0 ? null : separateTensors(config, separate, stored);
}

/** llama.cpp turns neighbouring columns of llama's heads instead of halves, and its converter moves rows accordingly. */
function interleavedRows(config: ModelConfig, name: string): number | null {
  return config.modelType === 'llama' && /\.[qk]_proj\./.test(name) ? config.headDim : null;
}

function weightOf(
  { file }: GgufFile,
  { shape, format, byteOffset, byteLength }: GgufTensor,
  name: string,
  interleaved: number | null,
): GgufWeight {
  return { name, shape, dtype: format.name, format, file, byteOffset, byteLength, interleavedRows: interleaved };
}
