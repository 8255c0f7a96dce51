/** Everything that a base model is: config, weights as the devices want them, tokenizer and chat form. */
import { type ChatTemplate, openChatTemplate } from './chat-template.ts';
import type { ModelConfig } from './config.ts';
import { float32Tensors, openModelFolder } from './model-folder.ts';
import type { StoredTensor } from './safetensors.ts';
import { openTokenizer, type Tokenizer } from './tokenizer.ts';

export interface BaseModel {
  folder: string;
  /** Hash of its contents. */
  key: string;
  parameters: number;
  config: ModelConfig;
  /** All F32, in one folder. */
  weights: ReadonlyMap<string, StoredTensor>;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
  /** Tokens that end an answer. */
  endTokens: ReadonlySet<number>;
}

/** `cacheFolder` takes the F32 conversion of half-precision weights. Errors: ModelError with all that is wrong. */
export async function openBaseModel(folder: string, cacheFolder: string): Promise<BaseModel> {
  const model = await openModelFolder(folder);
  const tokenizer = await openTokenizer(folder);
  const chatTemplate = await openChatTemplate(folder);
  const weights = await float32Tensors(model, cacheFolder);
  const { key, parameters, config } = model;
  return { folder, key, parameters, config, weights, tokenizer, chatTemplate, endTokens: new Set(config.eosTokenIds) };
}
