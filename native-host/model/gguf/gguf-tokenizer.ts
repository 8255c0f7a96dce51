/** A GGUF file's tokenizer as Hugging Face's tokenizer.json would say it. */
import type { GgufValue } from './gguf-file.ts';

type Metadata = ReadonlyMap<string, GgufValue>;
type Step = Record<string, unknown>;

/** Twice as many as any vocabulary known: a file of empty ones would take far more memory than its own size. */
const MOST_TOKENS = 2 ** 19;

/** What tokenizer.ggml.token_type says of a token. */
const TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

interface Token {
  text: string;
  id: number;
  type: number;
  score: number;
}

/** Patterns that cut text into words, as the models' own tokenizer.json have them. */
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const patternWithDigits = (digits: string) =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const [UPPER, LOWER] = ['[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'];
const GPT_4O =
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${CONTRACTIONS}?|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${CONTRACTIONS}?` +
  `|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`;

const split = (pattern: string): Step => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
});
const byteLevel = (splitsWords: boolean): Step => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: splitsWords,
});

interface WordRule {
  steps: Step[];
  normalizer?: Step;
  ignoreMerges?: boolean;
}

const llama3: WordRule = { steps: [split(patternWithDigits('\\p{N}{1,3}')), byteLevel(false)], ignoreMerges: true };
const qwen2: WordRule = { steps: [split(patternWithDigits('\\p{N}')), byteLevel(false)], normalizer: { type: 'NFC' } };

/** By tokenizer.ggml.pre. */
const WORD_RULES: ReadonlyMap<string, WordRule> = new Map([
  ['gpt-2', { steps: [byteLevel(true)] }],
  ['smollm', { steps: [{ type: 'Digits', individual_digits: true }, byteLevel(true)] }],
  ['llama-bpe', llama3],
  ['llama3', llama3],
  ['llama-v3', llama3],
  ['qwen2', qwen2],
  ['deepseek-r1-qwen', qwen2],
  ['gpt-4o', { steps: [split(GPT_4O), byteLevel(false)] }],
]);

export interface GgufTokenizer {
  /** The fields of tokenizer.json. */
  json: Record<string, unknown>;
  /** The text of the token whose id an entry of the metadata says; empty where there is none. */
  named(key: string): string;
}

/** Null, and problems, where the tokenizer is of a kind that is not read. */
export function readTokenizer(metadata: Metadata, problems: string[]): GgufTokenizer | null {
  const kind = metadata.get('tokenizer.ggml.model');
  const tokens = readTokens(metadata, problems);
  if (tokens === null) return null;
  const common = {
    version: '1.0',
    post_processor: startProcessor(metadata, tokens),
    added_tokens: tokens
      .filter(({ type }) => type === TYPES.control || type === TYPES.userDefined || type === TYPES.unknown)
      .map(({ text, id, type }) => ({ id, content: text, special: type !== TYPES.userDefined })),
  };
  const inVocabulary = tokens.filter(
    ({ type }) => ![TYPES.control, TYPES.userDefined, TYPES.unused].includes(type as 3),
  );
  // Not by assignment: a token may be called "__proto__".
  const vocab = Object.fromEntries(inVocabulary.map(({ text, id }) => [text, id]));
  const named = (key: string) => tokens[Number(metadata.get(key) ?? -1)]?.text ?? '';
  if (kind === 'gpt2') return { json: { ...common, ...byteLevelParts(metadata, vocab, problems) }, named };
  if (kind === 'llama') return { json: { ...common, ...sentencePieceParts(metadata, inVocabulary, vocab) }, named };
  problems.push(`tokenizer.ggml.model is ${JSON.stringify(kind ?? null)}; "gpt2" and "llama" are supported.`);
  return null;
}

function readTokens(metadata: Metadata, problems: string[]): Token[] | null {
  const list = (name: string) => {
    const value = metadata.get(`tokenizer.ggml.${name}`);
    return typeof value === 'object' ? value : null;
  };
  const texts = list('tokens');
  if (texts === null) {
    problems.push('It has no tokenizer.ggml.tokens. Get a file with the tokenizer in it.');
    return null;
  }
  if (texts.count > MOST_TOKENS) {
    problems.push(`It has ${texts.count} tokens; up to ${MOST_TOKENS} are supported.`);
    return null;
  }
  const [types, scores] = [list('token_type'), list('scores')];
  for (const [name, other] of Object.entries({ token_type: types, scores })) {
    if (other === null || other.count === texts.count) continue;
    problems.push(`tokenizer.ggml.${name} has ${other.count} items for ${texts.count} tokens.`);
    return null;
  }
  const typeValues = types?.read();
  const scoreValues = scores?.read();
  return texts.read().map((text, id) => ({
    text: String(text),
    id,
    type: Number(typeValues?.[id] ?? TYPES.normal),
    score: Number(scoreValues?.[id] ?? 0),
  }));
}

/** Where the file does not say it, as llama.cpp does: SentencePiece's models and Llama 3 have a start token. */
function startProcessor(metadata: Metadata, tokens: readonly Token[]): Step | null {
  const isUsual =
    metadata.get('tokenizer.ggml.model') === 'llama' ||
    WORD_RULES.get(String(metadata.get('tokenizer.ggml.pre'))) === llama3;
  const start = tokens[Number(metadata.get('tokenizer.ggml.bos_token_id') ?? -1)];
  if (start === undefined || !(metadata.get('tokenizer.ggml.add_bos_token') ?? isUsual)) return null;
  return {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: start.text, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { [start.text]: { id: start.text, ids: [start.id], tokens: [start.text] } },
  };
}

function byteLevelParts(metadata: Metadata, vocab: Record<string, number>, problems: string[]): Step {
  const pre = metadata.get('tokenizer.ggml.pre');
  const rule = WORD_RULES.get(String(pre));
  if (rule === undefined) {
    const known = [...WORD_RULES.keys()].join(', ');
    problems.push(`tokenizer.ggml.pre is ${JSON.stringify(pre ?? null)}; words are cut as ${known} do.`);
  }
  const merges = metadata.get('tokenizer.ggml.merges');
  return {
    normalizer: rule?.normalizer ?? null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: rule?.steps ?? [] },
    decoder: byteLevel(true),
    model: {
      type: 'BPE',
      vocab,
      merges: typeof merges === 'object' ? merges.read() : null,
      ignore_merges: rule?.ignoreMerges === true,
    },
  };
}

/**
 * SentencePiece joins, of neighbouring tokens, those first that make the token with the highest score. As merges in the
 * order of scores that is what Hugging Face's converter makes of it.
 */
function sentencePieceParts(metadata: Metadata, tokens: readonly Token[], vocab: Record<string, number>): Step {
  const prefixed = metadata.get('tokenizer.ggml.add_space_prefix') !== false;
  const space = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const unknown = tokens.find(({ type }) => type === TYPES.unknown);
  const ids = new Map(Object.entries(vocab));
  return {
    normalizer: { type: 'Sequence', normalizers: prefixed ? [{ type: 'Prepend', prepend: '▁' }, space] : [space] },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      vocab,
      merges: mergesByScore(
        tokens.filter(({ type }) => type === TYPES.normal),
        ids,
      ),
      byte_fallback: true,
      fuse_unk: true,
      unk_token: unknown?.text ?? null,
    },
  };
}

function mergesByScore(tokens: readonly Token[], ids: ReadonlyMap<string, number>): [string, string][] {
  const merges: { left: string; right: string; score: number; ofLeft: number; ofRight: number }[] = [];
  for (const { text, score } of tokens) {
    let end = 0;
    for (const character of text) {
      end += character.length;
      const [left, right] = [text.slice(0, end), text.slice(end)];
      const [ofLeft, ofRight] = [ids.get(left), ids.get(right)];
      if (ofLeft !== undefined && ofRight !== undefined) merges.push({ left, right, score, ofLeft, ofRight });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.ofLeft - b.ofLeft || a.ofRight - b.ofRight);
  return merges.map(({ left, right }) => [left, right]);
}
