/** Everything that a base model is: config, weights as the devices want them, tokenizer and chat form. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type ChatTemplate, openChatTemplate } from './chat-template.ts';
import { type CodeBits, codedWeights, type FrozenWeights } from './coded-weights.ts';
import type { ModelConfig } from './config.ts';
import { ggufWeights, openGguf } from './gguf/gguf-model.ts';
import { convertible } from './gguf/gguf-tensor.ts';
import { float32Tensors, openModelFolder } from './model-folder.ts';
import { openTokenizer, type Tokenizer } from './tokenizer.ts';
import { asFloat32, type ConvertibleTensor } from './weight-cache.ts';

export interface BaseModel extends FrozenWeights {
  /** Or the one file that it is. */
  folder: string;
  /** Hash of its contents. */
  key: string;
  parameters: number;
  config: ModelConfig;
  tokenizer: Tokenizer;
  chatTemplate: ChatTemplate;
  /** Tokens that end an answer. */
  endTokens: ReadonlySet<number>;
}

/**
 * Where converted weights are kept for a device, and in which form it wants them: all in F32, projections in codes of 8 or
 * 4 bits, or half precision as it is.
 */
export interface WeightCache {
  folder: string;
  form: 'F32' | 'int8' | 'int4' | 'asStored';
}

type OpenedModel = Omit<BaseModel, keyof FrozenWeights | 'endTokens'> & {
  weights(cache: WeightCache): Promise<FrozenWeights>;
};

/**
 * `file` is a folder in Hugging Face's layout or a GGUF file. A function decides on the cache once the model's size is
 * known. Errors: ModelError with all that is wrong.
 */
export async function openBaseModel(
  file: string,
  cache: WeightCache | ((model: { config: ModelConfig; parameters: number }) => WeightCache),
): Promise<BaseModel> {
  const model = (await isFile(file)) ? await openFile(file) : await openFolder(file);
  const chosen = typeof cache === 'function' ? cache(model) : cache;
  return { ...model, ...(await model.weights(chosen)), endTokens: new Set(model.config.eosTokenIds) };
}

/** A file of any name is tried, since Ollama's have no ending; what is not there is told apart by its name. */
async function isFile(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() ?? /\.gguf$/i.test(file);
}

async function openFolder(file: string): Promise<OpenedModel> {
  const model = await openModelFolder(file);
  const tokenizer = await openTokenizer(file);
  const chatTemplate = await openChatTemplate(file);
  const weights = async ({ folder, form }: WeightCache): Promise<FrozenWeights> => {
    if (form === 'int8' || form === 'int4')
      return inCodes(model, [...model.tensors.values()].map(asFloat32), form, folder);
    return { weights: form === 'F32' ? await float32Tensors(model, folder) : model.tensors };
  };
  return { ...model, tokenizer, chatTemplate, weights };
}

async function openFile(file: string): Promise<OpenedModel> {
  const model = await openGguf(file);
  const weights = async ({ folder, form }: WeightCache): Promise<FrozenWeights> => {
    if (form === 'int8' || form === 'int4') {
      const tensors = [...model.tensors.values()].map((tensor) => convertible(tensor, 'F32'));
      return inCodes(model, tensors, form, folder);
    }
    return { weights: await ggufWeights(model, folder, form === 'F32' ? 'F32' : 'BF16') };
  };
  return { ...model, folder: model.file, weights };
}

function inCodes(
  { key, config }: { key: string; config: ModelConfig },
  tensors: readonly ConvertibleTensor[],
  form: 'int8' | 'int4',
  folder: string,
): Promise<FrozenWeights> {
  const bits: CodeBits = form === 'int8' ? 8 : 4;
  const outputEmbedding = config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  return codedWeights(tensors, outputEmbedding, bits, path.join(folder, `${key}.${form}.safetensors`));
}
