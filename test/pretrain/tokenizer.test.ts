import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { Tokenizer } from '@huggingface/tokenizers';
import { expect, test } from 'vitest';
import { fastEncoder } from '../../scripts/pretrain/fast-encode.ts';
import {
  SPECIAL_TOKENS,
  TOKENIZER_CONFIG,
  type TokenizerJson,
  trainTokenizer,
  VOCABULARY_SIZE,
} from '../../scripts/pretrain/tokenizer.ts';

const folder = join(import.meta.dirname, '../../models/lift-nano');
const stored: TokenizerJson = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'));
const storedConfig = JSON.parse(readFileSync(join(folder, 'tokenizer_config.json'), 'utf8'));
const library = new Tokenizer(stored, storedConfig);
const libraryIds = (text: string) => library.encode(text, { add_special_tokens: false }).ids;
const encode = fastEncoder(stored);

function sourceTexts(): string[] {
  const texts: string[] = [];
  const walk = (path: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) walk(join(path, entry.name));
      else if (/\.(ts|md|json|js)$/.test(entry.name)) texts.push(readFileSync(join(path, entry.name), 'utf8'));
    }
  };
  for (const part of ['scripts', 'test/pretrain', 'node_modules/minisearch/src', 'node_modules/postcss/lib']) {
    walk(join(import.meta.dirname, '../..', part));
  }
  return texts;
}

const oddTexts = [
  ' ',
  '\n\n\n   \n\t x',
  'a\r\nb\rc\u2028d\u00a0e\ufeff',
  '日本語のテキスト, Ελληνικά, العربية 123 ٣٤',
  'e\u0301 👩‍👩‍👧 \u{10ffff} \u0000\u0001\u007f',
  '"\\u{1F600}" // ------------------------------------------',
  '  leading and trailing  ',
];

test('the stored tokenizer has the agreed vocabulary and stays small', () => {
  const vocabulary = Object.entries(stored.model.vocab);
  expect(vocabulary).toHaveLength(VOCABULARY_SIZE);
  expect(new Set(vocabulary.map(([, id]) => id)).size).toBe(VOCABULARY_SIZE);
  SPECIAL_TOKENS.forEach((token, id) => {
    expect(stored.model.vocab[token]).toBe(id);
    expect(libraryIds(token)).toEqual([id]);
  });
  expect(statSync(join(folder, 'tokenizer.json')).size).toBeLessThan(400_000);
  expect(storedConfig).toEqual(JSON.parse(JSON.stringify(TOKENIZER_CONFIG)));
});

test('source text and odd text come back exactly, and the fast encoder gives the library ids', () => {
  for (const text of [...sourceTexts().filter((source) => !source.includes('<|')), ...oddTexts]) {
    const ids = encode(text);
    expect(ids).toEqual(libraryIds(text));
    expect(library.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false })).toBe(text);
  }
});

test('every code point comes back exactly', () => {
  const characters: string[] = [];
  for (let point = 0; point < 0x30000; point++) {
    if (point < 0xd800 || point > 0xdfff) characters.push(String.fromCodePoint(point));
  }
  for (let start = 0; start < characters.length; start += 4096) {
    const text = characters.slice(start, start + 4096).join('');
    const ids = encode(text);
    expect(library.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false })).toBe(text);
  }
});

test('special tokens in plain text are ordinary text for the fast encoder', () => {
  const ids = encode('a <|im_end|> b');
  expect(Math.min(...ids)).toBeGreaterThanOrEqual(SPECIAL_TOKENS.length);
  expect(library.decode(ids)).toBe('a <|im_end|> b');
});

test('the chat template is ChatML', () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Where is it?' },
  ];
  expect(new Template(storedConfig.chat_template).render({ messages, add_generation_prompt: true })).toBe(
    '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhere is it?<|im_end|>\n<|im_start|>assistant\n',
  );
});

test('training gives the same tokenizer for the same texts', () => {
  const texts = sourceTexts().slice(0, 10);
  const trained = trainTokenizer(texts, 500);
  expect(trained).toEqual(trainTokenizer(texts, 500));
  expect(Object.keys(trained.model.vocab)).toHaveLength(500);
  const own = new Tokenizer(trained, TOKENIZER_CONFIG);
  expect(fastEncoder(trained)(texts[0]!)).toEqual(own.encode(texts[0]!, { add_special_tokens: false }).ids);
});
