import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { beforeAll, describe, expect, test } from 'vitest';
import { byteToken } from '../../native-host/model/byte-pair-encoder.ts';
import { ModelError } from '../../native-host/model/model-error.ts';
import { openTokenizer, type Tokenizer } from '../../native-host/model/tokenizer.ts';
import { sourceText } from '../fixtures/source-text.ts';
import { tinyTokenizer } from '../fixtures/tiny-model.ts';

const smollm2 = path.join(import.meta.dirname, '../fixtures/smollm2-tokenizer');

// biome-ignore lint/suspicious/noExplicitAny: the tests take files apart and damage them.
type Json = Record<string, any>;

async function folderWith(tokenizerJson: unknown, config: unknown = null): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lift-tokenizer-'));
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson));
  if (config !== null) await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}

async function problems(tokenizerJson: unknown, config: unknown = null): Promise<string> {
  try {
    await openTokenizer(await folderWith(tokenizerJson, config));
  } catch (error) {
    if (error instanceof ModelError) return error.mismatches.join('\n');
    throw error;
  }
  return '';
}

function libraryIds(json: Json, text: string): number[] {
  return new LibraryTokenizer(json, {}).encode(text, { add_special_tokens: false }).ids;
}

/** Emits what the stream decoder gives token by token. */
function streamed(tokenizer: Tokenizer, ids: readonly number[]): string[] {
  const decoder = tokenizer.streamDecoder();
  return [...ids.map((id) => decoder.push(id)), decoder.end()];
}

/** As Llama 2's and Mistral's: characters with byte fallback, "▁" for a space, the whole text one word. */
function sentencePieceTokenizer(): Json {
  const vocab: Record<string, number> = { '<unk>': 0, '<s>': 1, '</s>': 2 };
  const add = (token: string) => {
    vocab[token] ??= Object.keys(vocab).length;
  };
  for (let byte = 0; byte < 256; byte++) add(byteToken(byte));
  for (const character of '▁abcdefghijklmnopqrstuvwxyz(){};=.,:é\n') add(character);
  const merges: string[] = [];
  for (const word of [
    '▁▁',
    '▁▁▁▁',
    '▁t',
    'he',
    '▁the',
    'in',
    'on',
    'er',
    '▁c',
    're',
    'st',
    'ing',
    '▁con',
    'function',
    'ab',
    'aa',
    'aaa',
  ]) {
    let left = word[0]!;
    for (const right of word.slice(1)) {
      if (!(left + right in vocab)) merges.push(`${left} ${right}`);
      left += right;
      add(left);
    }
  }
  return {
    version: '1.0',
    added_tokens: ['<unk>', '<s>', '</s>'].map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: { type: 'BPE', unk_token: '<unk>', fuse_unk: true, byte_fallback: true, vocab, merges },
  };
}

describe("SmolLM2's tokenizer", () => {
  let tokenizer: Tokenizer;
  let json: Json;
  let text: string;
  beforeAll(async () => {
    tokenizer = await openTokenizer(smollm2);
    json = JSON.parse(await readFile(path.join(smollm2, 'tokenizer.json'), 'utf8'));
    text = sourceText(1_000_000);
  });

  test('1 MB of source text comes back exactly, at once and as a stream', () => {
    const ids = tokenizer.encode(text);
    expect(ids.length).toBeLessThan(text.length / 2);
    expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < tokenizer.vocabSize)).toBe(true);
    expect(tokenizer.decode(ids) === text).toBe(true);
    expect(streamed(tokenizer, ids).join('') === text).toBe(true);
  });

  test('ids are those of the original implementation', () => {
    expect(tokenizer.vocabSize).toBe(49152);
    expect(tokenizer.encode('def hello_world():\n    return 42\n')).toEqual(
      libraryIds(json, 'def hello_world():\n    return 42\n'),
    );
    const part = text.slice(300_000, 360_000);
    // Without added tokens the library reads them as text too.
    expect(tokenizer.encode(part)).toEqual(libraryIds({ ...json, added_tokens: [] }, part));
    const mixed =
      "你好 \u{1f600}\u{1f468}\u200d\u{1f4bb} \u05e9\u05c1 e\u0301 ÿ\t\r\n\r\n  \u00a0x \u2028 12345 don't I'LL";
    expect(tokenizer.encode(mixed)).toEqual(libraryIds(json, mixed));
    expect(tokenizer.decode(tokenizer.encode(mixed))).toBe(mixed);
  });

  test('a byte order mark and every visible character come back', () => {
    const tricky = `\ufeffimport x\u0085\u00a0\u3000${String.fromCharCode(...Array.from({ length: 0x2000 }, (_, i) => 0xa0 + i))}`;
    expect(tokenizer.decode(tokenizer.encode(tricky))).toBe(tricky);
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.decode([])).toBe('');
  });

  test('very long words end', () => {
    for (const word of [' '.repeat(60_000), '\n'.repeat(60_000), 'ab'.repeat(30_000)]) {
      expect(tokenizer.decode(tokenizer.encode(word)) === word).toBe(true);
    }
  });

  test('special tokens in text are text, in a chat they are not', () => {
    const source = 'const END = "<|im_end|>"; // <filename>';
    const end = tokenizer.tokenId('<|im_end|>')!;
    expect(end).toBe(2);
    expect(tokenizer.encode(source)).not.toContain(end);
    expect(Math.min(...tokenizer.encode(source))).toBeGreaterThan(16);
    expect(tokenizer.decode(tokenizer.encode(source))).toBe(source);
    expect(tokenizer.encodeChat(source)).toEqual([
      ...tokenizer.encode('const END = "'),
      end,
      ...tokenizer.encode('"; // '),
      tokenizer.tokenId('<filename>'),
    ]);
    expect(tokenizer.encodeChat(source)).toEqual(libraryIds(json, source));
    expect(tokenizer.decode(tokenizer.encodeChat(source))).toBe(source);
  });

  test('literal text inside a chat stays text', () => {
    for (const content of [
      '<|im_end|>',
      'a<|im_start|>system\n',
      '<|im_<|im_end|>',
      '\ufdd0',
      'x\ufdd0\ufdd1<|im_end|>\ufdd0',
    ]) {
      const chat = `<|im_start|>user\n${tokenizer.literal(content)}<|im_end|>\n`;
      const ids = tokenizer.encodeChat(chat);
      expect([ids.filter((id) => id === 1).length, ids.filter((id) => id === 2).length]).toEqual([1, 1]);
      expect(tokenizer.decode(ids)).toBe(`<|im_start|>user\n${content}<|im_end|>\n`);
    }
    expect(tokenizer.literal('plain text')).toBe('plain text');
  });

  test('a stream never gives half a character', () => {
    const ids = tokenizer.encode('a\u{1f600}你\u{10348}z');
    const pieces = streamed(tokenizer, ids);
    expect(pieces.join('')).toBe('a\u{1f600}你\u{10348}z');
    expect(pieces.some((piece) => piece.includes('\ufffd'))).toBe(false);
    expect(pieces.length).toBeGreaterThan(6);
    // Cut inside the first emoji: what is left shows at the end.
    expect(streamed(tokenizer, tokenizer.encode('\u{1f600}').slice(0, -1)).join('')).toBe('\ufffd');
  });

  test('ids beyond the vocabulary have no text', () => {
    expect(tokenizer.decode([...tokenizer.encode('ab'), 60000])).toBe('ab');
    expect(streamed(tokenizer, [60000, ...tokenizer.encode('ab')]).join('')).toBe('ab');
    expect(tokenizer.tokenId('no such token')).toBe(null);
  });
});

describe('other kinds of tokenizers', () => {
  const text = sourceText(20_000).replaceAll('\t', '  ');

  test('the tiny one of the tests', async () => {
    const json = tinyTokenizer();
    const tokenizer = await openTokenizer(await folderWith(json));
    expect(tokenizer.vocabSize).toBe(300);
    expect(tokenizer.encode(text)).toEqual(libraryIds({ ...json, added_tokens: [] }, text));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test("words split by a pattern of the file, as Qwen's and Llama 3's", async () => {
    const pattern =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    const json: Json = tinyTokenizer();
    json.normalizer = { type: 'NFC' };
    json.model.ignore_merges = true;
    json.pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    };
    const tokenizer = await openTokenizer(await folderWith(json));
    expect(tokenizer.encode(text)).toEqual(libraryIds({ ...json, added_tokens: [] }, text));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.normalize('NFC'));
  });

  test("characters with byte fallback, as Llama 2's and Mistral's", async () => {
    const json = sentencePieceTokenizer();
    const tokenizer = await openTokenizer(await folderWith(json));
    expect(tokenizer.encode(text)).toEqual(libraryIds(json, text));
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    const mixed = 'the caf\u00e9 \u{1f600} \u4f60 aaaaaa';
    expect(tokenizer.encode(mixed)).toEqual(libraryIds(json, mixed));
    const pieces = streamed(tokenizer, tokenizer.encode(mixed));
    expect(pieces.join('')).toBe(mixed);
    expect(pieces.some((piece) => piece.includes('\ufffd'))).toBe(false);
    expect(streamed(tokenizer, tokenizer.encode('a \ufffd\ufffd b')).join('')).toBe('a \ufffd\ufffd b');
    expect(tokenizer.encode('</s>')).not.toContain(2);
    expect(tokenizer.encodeChat('<s>in</s>')).toEqual(libraryIds(json, '<s>in</s>'));
  });

  test('the token that texts begin with, by itself and after another step', async () => {
    const json = sentencePieceTokenizer();
    const start = { SpecialToken: { id: '<s>', type_id: 0 } };
    const template = {
      type: 'TemplateProcessing',
      single: [start, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    };
    const steps = { type: 'Sequence', processors: [{ type: 'ByteLevel', trim_offsets: false }, template] };
    for (const post_processor of [template, steps]) {
      const tokenizer = await openTokenizer(await folderWith({ ...json, post_processor }));
      const wanted = new LibraryTokenizer({ ...json, post_processor } as Json, {}).encode('the').ids;
      expect([tokenizer.startToken, ...tokenizer.encode('the')]).toEqual(wanted);
    }
    const without = { ...template, single: template.single.slice(1) };
    for (const post_processor of [null, without, { ...template, special_tokens: {} }, { type: 'TemplateProcessing' }]) {
      expect((await openTokenizer(await folderWith({ ...json, post_processor }))).startToken).toBeNull();
    }
  });

  test('a space before the first section only', async () => {
    const json = sentencePieceTokenizer();
    json.normalizer = null;
    json.pre_tokenizer = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: false };
    const tokenizer = await openTokenizer(await folderWith(json));
    for (const chat of ['the<s>the</s> the', '<s>the</s>in']) {
      expect(tokenizer.encodeChat(chat)).toEqual(libraryIds(json, chat));
    }
  });

  test('added tokens that are no control tokens count in plain text; white space around others is taken', async () => {
    const json: Json = tinyTokenizer();
    json.added_tokens.push(
      { id: 300, content: '    ', special: false },
      { id: 301, content: '        ', special: false },
      { id: 302, content: 'word', special: false, single_word: true },
      { id: 303, content: '<tool_call>', special: false },
      { id: 304, content: '<|strip|>', special: true, lstrip: true, rstrip: true },
      { id: 400, content: '<beyond>', special: true },
    );
    const tokenizer = await openTokenizer(await folderWith(json, { vocab_size: 305 }));
    expect(tokenizer.vocabSize).toBe(305);
    expect(tokenizer.encode('            x')).toEqual([301, 300, ...tokenizer.encode('x')]);
    expect(tokenizer.encode('word')).toEqual([302]);
    expect(tokenizer.encode('words')).not.toContain(302);
    expect(tokenizer.encode('<tool_call>')).not.toContain(303);
    expect(tokenizer.encodeChat('<tool_call>')).toEqual([303]);
    expect(tokenizer.encodeChat('a  <|strip|>\n b')).toEqual([...tokenizer.encode('a'), 304, ...tokenizer.encode('b')]);
    expect(tokenizer.encodeChat('<beyond>')).toEqual(tokenizer.encode('<beyond>'));
    expect(tokenizer.tokenId('<beyond>')).toBe(null);
  });
});

describe('broken tokenizers', () => {
  /** The tiny tokenizer with its parts changed. */
  function changed(change: (json: Json) => void): Json {
    const json = structuredClone(tinyTokenizer());
    change(json);
    return json;
  }

  test('no file, or none of this kind', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'lift-tokenizer-'));
    await expect(openTokenizer(folder)).rejects.toThrow('There is no tokenizer.json');
    await writeFile(path.join(folder, 'tokenizer.json'), '{"model":');
    await expect(openTokenizer(folder)).rejects.toThrow('not valid JSON');
    expect(await problems({})).toBe('tokenizer.json: It has no model.');
    expect(await problems(changed((json) => (json.model.type = 'Unigram')))).toContain('"Unigram"; only "BPE"');
  });

  test('each damaged part is named', async () => {
    const cases: [(json: Json) => void, string][] = [
      [(json) => delete json.model.vocab.a, 'lacks 1 of the bytes'],
      [(json) => (json.model.vocab.a = 9e15), '1 tokens have no whole number'],
      [(json) => (json.model.vocab.a = json.model.vocab.b), '1 tokens have no whole number of their own'],
      [(json) => (json.model.vocab = ['a']), 'no vocab'],
      [(json) => (json.model.merges = { a: 1 }), 'no merges'],
      [(json) => json.model.merges.push(['a', 7], 'x', 'zq zq', null), '4 merges'],
      [(json) => (json.added_tokens = 'x'), 'not a list'],
      [(json) => json.added_tokens.push({ id: 1e12, content: '<x>' }), 'has no content or no id'],
      [(json) => json.added_tokens.push({ id: 300, content: '' }), 'has no content or no id'],
      [(json) => json.added_tokens.push({ id: 5, content: '<x>' }), 'against another entry'],
      [(json) => (json.pre_tokenizer = null), 'ByteLevel'],
      [(json) => (json.decoder = null), 'no decoder'],
      [(json) => (json.decoder = { type: 'WordPiece' }), 'ByteLevel'],
      [(json) => (json.pre_tokenizer = { type: 'Sequence' }), 'not steps'],
      [(json) => (json.normalizer = { type: 'Unheard' }), 'Unknown Normalizer'],
      [(json) => (json.normalizer = { type: 'Lowercase' }), 'does not come back'],
      [(json) => (json.model.continuing_subword_prefix = '##'), 'continuing_subword_prefix'],
    ];
    for (const [change, message] of cases) expect(await problems(changed(change))).toContain(message);
    const step = (json: Json, value: object) => {
      json.pre_tokenizer = { type: 'Sequence', pretokenizers: [value, json.pre_tokenizer] };
    };
    expect(await problems(changed((json) => step(json, { type: 'FixedLength', length: 0 })))).toContain('length 0');
    expect(await problems(changed((json) => step(json, { type: 'UnicodeScripts' })))).toContain('Unknown PreTokenizer');
    const split = { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated', invert: false };
    expect(await problems(changed((json) => step(json, split)))).toContain('broken');
    const merged = { ...split, pattern: { String: ' ' }, behavior: 'MergedWithNext' };
    expect(await problems(changed((json) => step(json, merged)))).toContain('MergedWithNext');
    const removed = { ...split, pattern: { Regex: ' ' }, behavior: 'Removed' };
    expect(await problems(changed((json) => step(json, removed)))).toContain('Split has behavior Removed');
    const loses = { ...split, pattern: { Regex: '[a-z]+' }, behavior: 'Removed', invert: true };
    expect(await problems(changed((json) => step(json, loses)))).toContain('does not come back');
    expect(await problems(tinyTokenizer(), { vocab_size: 290 })).toContain('10 tokens have no whole number');
  });
});
