/** Everything that a base model is: config, weights as the devices want them, tokenizer and chat form. */
import { type ChatTemplate, openChatTemplate } from './chat-template.ts';
import type { ModelConfig } from './config.ts';
import { float32Tensors, type ModelFolder, openModelFolder } from './model-folder.ts';
import type { StoredTensor } from './safetensors.ts';
import { openTokenizer, type Tokenizer } from './tokenizer.ts';

export interface BaseModel {
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

/**
 * `cacheFolder` takes the F32 conversion of half-precision weights; null leaves them as they are stored, and a function
 * decides once the model's size is known. Errors: ModelError with all that is wrong.
 */
export async function openBaseModel(
  folder: string,
  cacheFolder: string | null | ((model: ModelFolder) => string | null),
): Promise<BaseModel> {
  const model = await openModelFolder(folder);
  const cache = typeof cacheFolder === 'function' ? cacheFolder(model) : cacheFolder;
  const tokenizer = await openTokenizer(folder);
  const chatTemplate = await openChatTemplate(folder);
  const weights = cache === null ? model.tensors : await float32Tensors(model, cache);
  const { key, parameters, config } = model;
  return { folder, key, parameters, config, weights, tokenizer, chatTemplate, endTokens: new Set(config.eosTokenIds) };
}
