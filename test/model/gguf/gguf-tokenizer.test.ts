import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { byteToken } from '../../../native-host/model/byte-pair-encoder.ts';
import type { GgufValue } from '../../../native-host/model/gguf/gguf-file.ts';
import { readTokenizer } from '../../../native-host/model/gguf/gguf-tokenizer.ts';
import { makeTokenizer, openTokenizer, type Tokenizer } from '../../../native-host/model/tokenizer.ts';
import { sourceText } from '../../fixtures/source-text.ts';
import { tinyTokenizer } from '../../fixtures/tiny-model.ts';

const smollm2 = path.join(import.meta.dirname, '../../fixtures/smollm2-tokenizer');

const list = (items: readonly (string | number)[]): GgufValue => ({ count: items.length, read: () => [...items] });

function tokenizerOf(metadata: Record<string, GgufValue>): Tokenizer {
  const entries = Object.entries(metadata).map(([key, value]) => [`tokenizer.ggml.${key}`, value] as const);
  const problems: string[] = [];
  const found = readTokenizer(new Map(entries), problems);
  expect(problems).toEqual([]);
  return makeTokenizer(found!.json, Number.POSITIVE_INFINITY, 'model.gguf', 'Its tokenizer');
}

/** The metadata that llama.cpp's converter makes of a byte-level tokenizer.json. */
// biome-ignore lint/suspicious/noExplicitAny: the fields of a tokenizer.json.
function byteLevelMetadata(json: any, pre: string): Record<string, GgufValue> {
  const tokens: string[] = [];
  for (const [token, id] of Object.entries<number>(json.model.vocab)) tokens[id] = token;
  const types = tokens.map(() => 1);
  for (const { content, id } of json.added_tokens) {
    tokens[id] = content;
    types[id] = 3;
  }
  const merges = json.model.merges.map((pair: string | string[]) => (typeof pair === 'string' ? pair : pair.join(' ')));
  return { model: 'gpt2', pre, tokens: list(tokens), token_type: list(types), merges: list(merges) };
}

describe('byte-level tokenizers', () => {
  test("SmolLM2's gives the same ids from metadata as from its tokenizer.json", async () => {
    const wanted = await openTokenizer(smollm2);
    const json = JSON.parse(readFileSync(path.join(smollm2, 'tokenizer.json'), 'utf8'));
    const found = tokenizerOf(byteLevelMetadata(json, 'smollm'));
    const text = `${sourceText(20_000)} x1234567890 \u{1f600} \u4f60\u597d <|im_end|>\r\n\t`;
    expect(found.encode(text)).toEqual(wanted.encode(text));
    expect(found.encodeChat('<|im_start|>user\nHi 42<|im_end|>')).toEqual(
      wanted.encodeChat('<|im_start|>user\nHi 42<|im_end|>'),
    );
    expect(found.decode(found.encode(text))).toBe(text);
  });

  test('words are cut as the model was trained: by how many digits, and where upper case begins', () => {
    const json = tinyTokenizer() as { model: { vocab: Record<string, number>; merges: string[][] } };
    const { vocab, merges } = json.model;
    // Merges that would join whatever stands together.
    for (const [left, right] of [
      ['1', '2'],
      ['12', '3'],
      ['123', '4'],
      ['a', 'B'],
    ] as const) {
      vocab[left + right] ??= Object.keys(vocab).length;
      merges.push([left, right]);
    }
    const pieces = (pre: string, text: string) => {
      const tokenizer = tokenizerOf(byteLevelMetadata(json, pre));
      return tokenizer.encode(text).map((id) => tokenizer.decode([id]));
    };
    expect(pieces('gpt-2', '1234')).toEqual(['1234']);
    expect(pieces('llama-bpe', '1234')).toEqual(['123', '4']);
    expect(pieces('qwen2', '1234')).toEqual(['1', '2', '3', '4']);
    expect(pieces('smollm', '1234')).toEqual(['1', '2', '3', '4']);
    expect(pieces('gpt-4o', '1234')).toEqual(['123', '4']);
    expect(pieces('llama-bpe', 'aB')).toEqual(['aB']);
    expect(pieces('gpt-4o', 'aB')).toEqual(['a', 'B']);
  });

  test('user-defined tokens are text, control tokens are not', () => {
    const metadata = byteLevelMetadata(tinyTokenizer(), 'gpt-2');
    const types = Array.from({ length: 300 }, (_, id) => (id < 2 ? 3 : id === 2 ? 4 : 1));
    const tokenizer = tokenizerOf({ ...metadata, token_type: list(types) });
    // What is written in brackets steers a chat, whatever the file calls it.
    expect(tokenizer.encode('<|im_end|>').length).toBeGreaterThan(1);
    expect(tokenizer.encodeChat('<|im_end|><|im_start|>')).toEqual([2, 1]);
  });
});

describe('SentencePiece', () => {
  const scored: [token: string, score: number][] = [
    ...[...'▁abcdefghijklmnopqrstuvwxyzEL(){};=.,:/"0123456789\n'].map((c, i): [string, number] => [c, -1000 - i]),
    ['he', -1],
    ['▁t', -2],
    ['▁the', -3],
    ['th', -0.5],
    ['in', -4],
    ['▁▁', -5],
    ['▁in', -6],
    ['er', -7],
    ['▁th', -8],
    ['hen', -0.1],
    ['en', -9],
  ];
  const tokens = ['<unk>', '<s>', '</s>', ...Array.from({ length: 256 }, (_, byte) => byteToken(byte))];
  const types = [2, 3, 3, ...Array.from({ length: 256 }, () => 6)];
  const all = [...tokens, ...scored.map(([token]) => token)];
  const metadata = {
    model: 'llama',
    tokens: list(all),
    scores: list([...tokens.map(() => 0), ...scored.map(([, score]) => score)]),
    token_type: list([...types, ...scored.map(() => 1)]),
  };

  /** SentencePiece's own rule: of all neighbours that make a token join those with the highest score, leftmost first. */
  function joined(text: string): number[] {
    const scores = new Map(scored);
    const parts = [...text.replaceAll(' ', '▁')];
    for (;;) {
      let best = -1;
      for (let i = 0; i + 1 < parts.length; i++) {
        const score = scores.get(parts[i]! + parts[i + 1]!);
        const bestScore = best === -1 ? Number.NEGATIVE_INFINITY : scores.get(parts[best]! + parts[best + 1]!)!;
        if (score !== undefined && score > bestScore) best = i;
      }
      if (best === -1) break;
      parts.splice(best, 2, parts[best]! + parts[best + 1]!);
    }
    return parts.flatMap((part) => {
      const id = all.indexOf(part);
      return id >= 0 ? [id] : [...Buffer.from(part)].map((byte) => all.indexOf(byteToken(byte)));
    });
  }

  const texts = ['the hen in the   inner thenth', 'then he', 'Émile: {"x": 12}\n', '  hehehen', 'a'];

  test('joins by score, with a space before the text', () => {
    const tokenizer = tokenizerOf(metadata);
    for (const text of texts) {
      expect(tokenizer.encode(text), text).toEqual(joined(` ${text}`));
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  test('has a start token, unless the file says no', () => {
    const start = { bos_token_id: 1 };
    expect(tokenizerOf({ ...metadata, ...start }).startToken).toBe(1);
    expect(tokenizerOf({ ...metadata, ...start, add_bos_token: false }).startToken).toBeNull();
    expect(tokenizerOf(metadata).startToken).toBeNull();
    const json = tinyTokenizer();
    expect(tokenizerOf({ ...byteLevelMetadata(json, 'llama-bpe'), ...start }).startToken).toBe(1);
    expect(tokenizerOf({ ...byteLevelMetadata(json, 'qwen2'), ...start }).startToken).toBeNull();
    expect(tokenizerOf({ ...byteLevelMetadata(json, 'qwen2'), ...start, add_bos_token: true }).startToken).toBe(1);
  });

  test('without a space before the text where the file says so', () => {
    const tokenizer = tokenizerOf({ ...metadata, add_space_prefix: false });
    for (const text of texts) {
      expect(tokenizer.encode(text), text).toEqual(joined(text));
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });
});
