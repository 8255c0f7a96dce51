/** Text to token ids and back, from a Hugging Face tokenizer.json with a BPE model (byte-level or with byte fallback). */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { byteLevelWords } from './byte-level.ts';
import { bytePairEncoder } from './byte-pair-encoder.ts';
import { ModelError, reasonOf } from './model-error.ts';
import { DOWNLOAD_AGAIN, isRecord, readModelJson } from './model-files.ts';
import { byteLevelDecoder, listDecoder, type StreamDecoder } from './token-decoder.ts';
import { type AddedToken, isByteOfText, parseTokenizerFile } from './tokenizer-file.ts';

export interface Tokenizer {
  /**
   * Ids of plain text: nothing is added, and what looks like a special token in it stays text. As in the original
   * implementation, characters that the vocabulary cannot express (some control characters) have no ids.
   */
  encode(text: string): number[];
  /** Ids of a rendered chat, in which special tokens are recognised, except inside what `literal` returned. */
  encodeChat(text: string): number[];
  /** Text to put into a chat template, marked so that encodeChat reads special tokens in it as plain text. */
  literal(text: string): string;
  decode(ids: readonly number[]): string;
  /** One more than the largest id; the model's embedding may have more rows. */
  vocabSize: number;
  /** What the model saw before every text that it was trained on (<s>, <bos>); null where that was nothing. */
  startToken: number | null;
  tokenId(token: string): number | null;
  streamDecoder(): StreamDecoder;
}

/** A noncharacter of Unicode, which text does not contain: it stands before a special token that is only text. */
const LITERAL = '\ufdd0';
/** After LITERAL: that character itself. */
const ITSELF = '\ufdd1';

/** Reads tokenizer.json, and vocab_size from config.json. Throws one ModelError with everything that is wrong. */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  const json = await readModelJson(folder, 'tokenizer.json');
  if (json === null) {
    const advice =
      "Save the tokenizer as tokenizer.json (Hugging Face transformers' fast tokenizer) beside the weights.";
    throw new ModelError(folder, ['There is no tokenizer.json.'], advice);
  }
  const vocabSize = (await readModelJson(folder, 'config.json'))?.vocab_size;
  const rows = typeof vocabSize === 'number' ? vocabSize : Number.POSITIVE_INFINITY;
  return makeTokenizer(json, rows, folder, 'tokenizer.json');
}

/**
 * The tokenizer that a parsed tokenizer.json describes, of which ids below `embeddingRows` can be used. `origin` names it
 * within `subject` in errors. Throws one ModelError with everything that is wrong.
 */
export function makeTokenizer(
  json: Record<string, unknown>,
  embeddingRows: number,
  subject: string,
  origin: string,
): Tokenizer {
  const problems: string[] = [];
  try {
    const tokenizer = tokenizerFrom(json, embeddingRows, problems);
    if (tokenizer !== null) return tokenizer;
  } catch (error) {
    problems.push(`A part of it is broken: ${reasonOf(error)}.`);
  }
  throw new ModelError(
    subject,
    problems.map((problem) => `${origin}: ${problem}`),
    DOWNLOAD_AGAIN,
  );
}

function tokenizerFrom(json: Record<string, unknown>, embeddingRows: number, problems: string[]): Tokenizer | null {
  const file = parseTokenizerFile(json, embeddingRows, problems);
  if (file === null) return null;
  const { byteLevel } = file;
  const { vocabulary } = file.model;
  const encodeWord = bytePairEncoder(file.model);
  // The library supplies every step but the last ones, which are where the time goes: words to bytes, and the model.
  const library = new LibraryTokenizer(
    {
      normalizer: null,
      post_processor: null,
      ...json,
      pre_tokenizer: { type: 'Sequence', pretokenizers: file.preTokenizers },
      added_tokens: [],
      model: { type: 'BPE', vocab: {}, merges: [] },
    },
    {},
  );
  const addedIds = new Map(file.addedTokens.map(({ content, id }) => [content, id]));
  const tokens: string[] = [];
  for (const [token, id] of [...vocabulary, ...addedIds]) tokens[id] = token;
  const { decode, streamDecoder } =
    byteLevel !== null
      ? byteLevelDecoder(tokens, new Set(addedIds.values()))
      : listDecoder(tokens, (found) => library.decoder!.decode(found));

  const control = file.addedTokens.filter((token) => token.isControl);
  const inText = addedTokenPattern(file.addedTokens.filter((token) => !token.isControl));
  const inChat = addedTokenPattern(file.addedTokens);
  const controlStarts = control.length === 0 ? null : new RegExp(`(?=${alternatives(control)})`, 'gu');
  const byContent = new Map(file.addedTokens.map((token) => [token.content, token]));

  /** `sectionIndex` counts the sections between added tokens: some tokenizers put a space before the first one only. */
  function encodeSection(text: string, sectionIndex: number, ids: number[]): void {
    if (text === '') return;
    const normal = library.normalizer?.normalize(text) ?? text;
    const parts = library.pre_tokenizer!.pre_tokenize(normal, { section_index: sectionIndex });
    for (const part of parts) {
      const words = byteLevel === null ? [part] : byteLevelWords(part, byteLevel);
      for (const word of words) for (const id of encodeWord(word)) ids.push(id);
    }
  }

  function encodeSections(text: string, pattern: RegExp | null, ordinary: (section: string) => string): number[] {
    const ids: number[] = [];
    let sectionIndex = 0;
    let start = 0;
    for (const match of pattern === null ? [] : text.matchAll(pattern)) {
      const { id, content, stripsLeft, stripsRight } = byContent.get(match[0])!;
      const section = text.slice(start, match.index);
      encodeSection(ordinary(stripsLeft ? section.trimEnd() : section), sectionIndex, ids);
      ids.push(id);
      sectionIndex += section === '' ? 1 : 2;
      start = Math.max(start, match.index + content.length);
      if (stripsRight) start += /^\s*/.exec(text.slice(start))![0].length;
    }
    encodeSection(ordinary(text.slice(start)), sectionIndex, ids);
    return ids;
  }

  const tokenizer: Tokenizer = {
    encode: (text) => encodeSections(text, inText, (section) => section),
    encodeChat: (text) => encodeSections(text, inChat, withoutMarks),
    literal(text) {
      const escaped = text.replaceAll(LITERAL, LITERAL + ITSELF);
      return controlStarts === null ? escaped : escaped.replace(controlStarts, LITERAL);
    },
    decode,
    streamDecoder,
    vocabSize: tokens.length,
    startToken: startTokenOf(json.post_processor, tokens.length),
    tokenId: (token) => addedIds.get(token) ?? vocabulary.get(token) ?? null,
  };
  checkRoundTrip(tokenizer, file.isLossy, problems);
  return problems.length === 0 ? tokenizer : null;
}

/** The first token that the file's post-processor adds to a text. */
function startTokenOf(processor: unknown, vocabSize: number): number | null {
  if (!isRecord(processor)) return null;
  if (processor.type === 'Sequence' && Array.isArray(processor.processors)) {
    return processor.processors.map((step) => startTokenOf(step, vocabSize)).find((id) => id !== null) ?? null;
  }
  if (processor.type !== 'TemplateProcessing' || !Array.isArray(processor.single)) return null;
  const [first] = processor.single as unknown[];
  const special = isRecord(first) && isRecord(first.SpecialToken) ? first.SpecialToken.id : undefined;
  const described = isRecord(processor.special_tokens) ? processor.special_tokens[String(special)] : undefined;
  const [id] = isRecord(described) && Array.isArray(described.ids) ? (described.ids as unknown[]) : [];
  return Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize ? (id as number) : null;
}

function withoutMarks(text: string): string {
  return text.includes(LITERAL)
    ? text.replace(/\ufdd0(\ufdd1?)/g, (_, itself) => (itself === '' ? '' : LITERAL))
    : text;
}

/** Finds added tokens, of several that begin at the same place the longest; null where there are none. */
function addedTokenPattern(tokens: readonly AddedToken[]): RegExp | null {
  return tokens.length === 0 ? null : new RegExp(`(?<!${LITERAL})(?:${alternatives(tokens)})`, 'gu');
}

function alternatives(tokens: readonly AddedToken[]): string {
  return [...tokens]
    .sort((a, b) => b.content.length - a.content.length)
    .map(({ content, singleWord }) => {
      const escaped = content.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
      return singleWord ? `(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])` : escaped;
    })
    .join('|');
}

/** A damaged tokenizer can be well-formed and yet lose text. */
function checkRoundTrip(tokenizer: Tokenizer, isLossy: boolean, problems: string[]): void {
  const source =
    'export function sum(a, B) {\n\treturn a + B; // 1234 "quoted" <tag/>\n}\n\n\n    if (x != null) { y[0] = `z`; }';
  const latin = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code)).filter(
    (_, code) => isByteOfText(code) || code > 0x7f,
  );
  const text = isLossy ? source : `${source}${latin.join('')} \u4f60\u597d \u{1f600} \u05d0\u0301\r\n`;
  const decoded = tokenizer.decode(tokenizer.encode(text));
  if ((isLossy ? decoded.trimStart() : decoded) !== text) problems.push('Text does not come back from its tokens.');
}
