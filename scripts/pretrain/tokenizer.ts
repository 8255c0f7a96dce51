// The embedded model's tokenizer: trains a byte-level BPE and writes it in Hugging Face's format.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { byteCharacters, countWords, trainMerges, WORD_PATTERN } from './bpe.ts';

export const VOCABULARY_SIZE = 4096;

/** Token ids 0–7, in this order. */
export const SPECIAL_TOKENS = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|path|>',
  '<|text|>',
  '<|reserved_0|>',
  '<|reserved_1|>',
  '<|reserved_2|>',
] as const;

export const END_OF_TEXT = 0;
export const PATH = 3;
export const TEXT = 4;

/** ChatML. */
const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

export interface TokenizerJson {
  added_tokens: { id: number; content: string }[];
  model: { vocab: Record<string, number>; merges: [string, string][]; [field: string]: unknown };
  [field: string]: unknown;
}

/** tokenizer.json: special tokens, then the 256 bytes, then one token for each merge. */
export function tokenizerJson(merges: [number, number][]): TokenizerJson {
  const units = [...byteCharacters];
  const spelled = merges.map(([left, right]): [string, string] => {
    units.push(units[left]! + units[right]!);
    return [units[left]!, units[right]!];
  });
  const vocabulary = [...SPECIAL_TOKENS, ...units];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: WORD_PATTERN }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges: spelled,
    },
  };
}

export const TOKENIZER_CONFIG = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  add_bos_token: false,
  add_eos_token: false,
  add_prefix_space: false,
  bos_token: '<|endoftext|>',
  eos_token: '<|im_end|>',
  pad_token: '<|endoftext|>',
  unk_token: null,
  clean_up_tokenization_spaces: false,
  model_max_length: 2048,
  added_tokens_decoder: Object.fromEntries(
    SPECIAL_TOKENS.map((content, id) => [
      id,
      { content, lstrip: false, normalized: false, rstrip: false, single_word: false, special: true },
    ]),
  ),
  chat_template: CHAT_TEMPLATE,
};

/** Trains on the texts; `size` is the whole vocabulary with special tokens and bytes. */
export function trainTokenizer(texts: Iterable<string>, size = VOCABULARY_SIZE): TokenizerJson {
  return tokenizerJson(trainMerges(countWords(texts), size - SPECIAL_TOKENS.length - 256));
}

/** Writes tokenizer.json and tokenizer_config.json into a model folder. */
export async function writeTokenizer(folder: string, tokenizer: TokenizerJson): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'tokenizer.json'), `${JSON.stringify(tokenizer)}\n`);
  await writeFile(join(folder, 'tokenizer_config.json'), `${JSON.stringify(TOKENIZER_CONFIG, null, 2)}\n`);
}
