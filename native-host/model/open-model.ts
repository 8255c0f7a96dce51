/** Everything that a base model is: config, weights as the devices want them, tokenizer and chat form. */
import { stat } from 'node:fs/promises';
import { type ChatTemplate, openChatTemplate } from './chat-template.ts';
import type { ModelConfig } from './config.ts';
import { ggufWeights, openGguf } from './gguf/gguf-model.ts';
import { float32Tensors, openModelFolder } from './model-folder.ts';
import type { StoredTensor } from './safetensors.ts';
import { openTokenizer, type Tokenizer } from './tokenizer.ts';

export interface BaseModel {
  /** Or the one file that it is. */
  folder: string;
  /** Hash of its contents. */
  key: string;
  parameters: number;
  config: ModelConfig;
  /** All F32 and in one folder, or as they are stored. */
  weights: ReadonlyMap<string, StoredTensor>;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
  /** Tokens that end an answer. */
  endTokens: ReadonlySet<number>;
}

/** Where converted weights are kept for a device, and whether it wants all in F32 or takes half precision as it is. */
export interface WeightCache {
  folder: string;
  form: 'F32' | 'asStored';
}

type OpenedModel = Omit<BaseModel, 'weights' | 'endTokens'> & {
  weights(cache: WeightCache): Promise<ReadonlyMap<string, StoredTensor>>;
};

/**
 * `path` is a folder in Hugging Face's layout or a GGUF file. A function decides on the cache once the model's size is
 * known. Errors: ModelError with all that is wrong.
 */
export async function openBaseModel(
  path: string,
  cache: WeightCache | ((model: { config: ModelConfig; parameters: number }) => WeightCache),
): Promise<BaseModel> {
  const model = (await isFile(path)) ? await openFile(path) : await openFolder(path);
  const chosen = typeof cache === 'function' ? cache(model) : cache;
  return { ...model, weights: await model.weights(chosen), endTokens: new Set(model.config.eosTokenIds) };
}

/** A file of any name is tried, since Ollama's have no ending; what is not there is told apart by its name. */
async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() ?? /\.gguf$/i.test(path);
}

async function openFolder(path: string): Promise<OpenedModel> {
  const model = await openModelFolder(path);
  const tokenizer = await openTokenizer(path);
  const chatTemplate = await openChatTemplate(path);
  const weights = async ({ folder, form }: WeightCache) =>
    form === 'F32' ? float32Tensors(model, folder) : model.tensors;
  return { ...model, tokenizer, chatTemplate, weights };
}

async function openFile(path: string): Promise<OpenedModel> {
  const model = await openGguf(path);
  const weights = ({ folder, form }: WeightCache) => ggufWeights(model, folder, form === 'F32' ? 'F32' : 'BF16');
  return { ...model, folder: model.file, weights };
}
