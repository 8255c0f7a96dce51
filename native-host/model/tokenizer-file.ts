/** tokenizer.json, checked: what the parts of the tokenizer are made from. */

import { type ByteLevelWords, byteCharacters } from './byte-level.ts';
import { type BytePairModel, byteToken, MAX_TOKEN_ID } from './byte-pair-encoder.ts';
import { isRecord } from './model-files.ts';

export interface AddedToken {
  id: number;
  content: string;
  /** It steers a chat (end of turn and the like); in the text of a file it is only text. */
  isControl: boolean;
  singleWord: boolean;
  /** It takes the white space before and after it with it. */
  stripsLeft: boolean;
  stripsRight: boolean;
}

export interface TokenizerFile {
  model: BytePairModel;
  addedTokens: AddedToken[];
  /** Set where the characters of tokens stand for bytes: how text is cut into words at the end. */
  byteLevel: ByteLevelWords | null;
  /** The steps before that. */
  preTokenizers: Record<string, unknown>[];
  /** Text may come back changed (Unicode normal forms, a space put before it). */
  isLossy: boolean;
}

/** Checks the parsed file; what is wrong is added to `problems`, and then the result is null. */
export function parseTokenizerFile(
  json: Record<string, unknown>,
  vocabSize: number,
  problems: string[],
): TokenizerFile | null {
  const { model } = json;
  if (!isRecord(model)) problems.push('It has no model.');
  else if ((model.type ?? 'BPE') !== 'BPE') {
    problems.push(`Its model is of type ${JSON.stringify(model.type)}; only "BPE" is supported.`);
  }
  if (!isRecord(model) || problems.length > 0) return null;

  for (const name of ['continuing_subword_prefix', 'end_of_word_suffix', 'dropout']) {
    if (model[name]) problems.push(`Its model has ${name} ${JSON.stringify(model[name])}, which is not supported.`);
  }
  const preTokenizers = stepsOf(json.pre_tokenizer, 'pretokenizers', problems);
  const normalizers = stepsOf(json.normalizer, 'normalizers', problems);
  const decoders = stepsOf(json.decoder, 'decoders', problems);
  for (const step of preTokenizers) checkPreTokenizer(step, problems);
  const isByteLevel = decoders.length === 1 && decoders[0]!.type === 'ByteLevel';
  if (decoders.length === 0) problems.push('It has no decoder, which turns tokens back into text.');
  const byteLevelSteps = preTokenizers.filter((step) => step.type === 'ByteLevel');
  const last = isByteLevel ? preTokenizers.pop() : undefined;
  if (byteLevelSteps.length !== (isByteLevel ? 1 : 0) || (isByteLevel && last?.type !== 'ByteLevel')) {
    problems.push('"ByteLevel" must be its decoder and the last step of its pre_tokenizer, or neither.');
  }

  const vocabulary = readVocabulary(model.vocab, vocabSize, problems);
  const merges = readMerges(model.merges, vocabulary, problems);
  const addedTokens = readAddedTokens(json.added_tokens ?? [], vocabulary, vocabSize, problems);
  const byteFallback = model.byte_fallback === true;
  const unknown = typeof model.unk_token === 'string' ? model.unk_token : null;
  const unknownId = unknown === null ? null : (vocabulary.get(unknown) ?? null);
  const alphabet = isByteLevel
    ? byteCharacters()
    : byteFallback
      ? Array.from({ length: 256 }, (_, i) => byteToken(i))
      : [];
  const lacking = alphabet.filter((character, byte) => isByteOfText(byte) && !vocabulary.has(character));
  if (lacking.length > 0) {
    problems.push(`Its vocabulary lacks ${lacking.length} of the bytes that text needs, the first is ${lacking[0]}.`);
  }
  if (alphabet.length === 0 && unknownId === null) {
    problems.push('Its vocabulary has neither bytes nor an unk_token for characters that it does not know.');
  }
  if (problems.length > 0) return null;
  return {
    model: {
      isByteLevel,
      vocabulary,
      merges,
      byteFallback,
      unknownId,
      fuseUnknown: model.fuse_unk === true,
      ignoreMerges: model.ignore_merges === true,
    },
    addedTokens,
    byteLevel: isByteLevel
      ? { addPrefixSpace: last?.add_prefix_space === true, splitsWords: last?.use_regex !== false }
      : null,
    preTokenizers,
    isLossy: !isByteLevel || normalizers.length > 0 || last?.add_prefix_space === true,
  };
}

/**
 * White space, visible ASCII, and the UTF-8 of all assigned characters but some rare ones. Real vocabularies lack other
 * bytes, those of control characters for instance; the original implementation leaves such characters out, and so does
 * this one.
 */
export function isByteOfText(byte: number): boolean {
  return (
    (byte >= 0x20 && byte < 0x7f) ||
    [0x09, 0x0a, 0x0d].includes(byte) ||
    (byte >= 0x80 && byte <= 0xf0 && byte !== 0xc0 && byte !== 0xc1)
  );
}

/** The steps of a component: none for null, those of a Sequence, or itself. */
function stepsOf(component: unknown, listName: string, problems: string[]): Record<string, unknown>[] {
  if (component == null) return [];
  if (isRecord(component) && component.type === 'Sequence') {
    const list = component[listName];
    if (Array.isArray(list)) return list.flatMap((step) => stepsOf(step, listName, problems));
  } else if (isRecord(component) && typeof component.type === 'string') return [component];
  problems.push(`Its ${listName} are not steps with a type.`);
  return [];
}

/** What @huggingface/tokenizers would accept and do otherwise than the original, or never finish. */
function checkPreTokenizer(step: Record<string, unknown>, problems: string[]): void {
  const { type, length } = step;
  const behavior = `${step.invert === true ? 'inverted ' : ''}${step.behavior}`;
  if (type === 'FixedLength' && !(typeof length === 'number' && Number.isInteger(length) && length > 0)) {
    problems.push(`Its pre_tokenizer cuts text into pieces of length ${JSON.stringify(length)}.`);
  }
  const built = { Split: ['Isolated', 'inverted Removed'], Punctuation: ['Contiguous'] }[String(type)];
  if (built !== undefined && !built.includes(behavior)) {
    problems.push(`Its pre_tokenizer ${type} has behavior ${behavior}; ${built.join(' and ')} are supported.`);
  }
}

function readVocabulary(value: unknown, vocabSize: number, problems: string[]): Map<string, number> {
  const result = new Map<string, number>();
  if (!isRecord(value)) {
    problems.push('Its model has no vocab.');
    return result;
  }
  const wrong: string[] = [];
  const taken = new Set<number>();
  for (const [token, id] of Object.entries(value)) {
    if (!isTokenId(id, vocabSize) || taken.has(id)) wrong.push(`${JSON.stringify(token)}: ${JSON.stringify(id)}`);
    else {
      taken.add(id);
      result.set(token, id);
    }
  }
  if (wrong.length > 0) {
    problems.push(
      `${wrong.length} tokens have no whole number of their own below vocab_size, the first is ${wrong[0]}.`,
    );
  }
  return result;
}

function isTokenId(value: unknown, vocabSize: number): value is number {
  return (
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < Math.min(vocabSize, MAX_TOKEN_ID)
  );
}

function readMerges(value: unknown, vocabulary: Map<string, number>, problems: string[]): [string, string][] {
  if (!Array.isArray(value)) {
    problems.push('Its model has no merges.');
    return [];
  }
  const wrong: unknown[] = [];
  const merges: [string, string][] = [];
  for (const entry of value as unknown[]) {
    const pair: unknown = typeof entry === 'string' ? entry.split(' ') : entry;
    const [left, right] = Array.isArray(pair) && pair.length === 2 ? (pair as unknown[]) : [];
    const isKnown =
      typeof left === 'string' &&
      typeof right === 'string' &&
      vocabulary.has(left) &&
      vocabulary.has(right) &&
      vocabulary.has(left + right);
    if (isKnown) merges.push([left, right]);
    else wrong.push(entry);
  }
  if (wrong.length > 0) {
    problems.push(
      `${wrong.length} merges are not two tokens that make a third, the first is ${JSON.stringify(wrong[0])}.`,
    );
  }
  return merges;
}

function readAddedTokens(
  value: unknown,
  vocabulary: Map<string, number>,
  vocabSize: number,
  problems: string[],
): AddedToken[] {
  if (!Array.isArray(value)) {
    problems.push('Its added_tokens are not a list.');
    return [];
  }
  const tokenOfId = new Map([...vocabulary].map(([token, id]) => [id, token]));
  const result: AddedToken[] = [];
  for (const entry of value as unknown[]) {
    const { id, content } = isRecord(entry) ? entry : {};
    if (!isRecord(entry) || typeof content !== 'string' || content === '' || !isTokenId(id, MAX_TOKEN_ID)) {
      problems.push(`The added token ${JSON.stringify(entry)} has no content or no id.`);
    } else if ((tokenOfId.get(id) ?? content) !== content || (vocabulary.get(content) ?? id) !== id) {
      problems.push(`The added token ${JSON.stringify(content)} has the id ${id}, against another entry.`);
    } else if (id < vocabSize) {
      // Some fine-tunes add a padding token beyond the embedding; it can only ever be text.
      tokenOfId.set(id, content);
      result.push({
        id,
        content,
        isControl: entry.special === true || /^<.+>$/s.test(content),
        singleWord: entry.single_word === true,
        stripsLeft: entry.lstrip === true,
        stripsRight: entry.rstrip === true,
      });
    }
  }
  return result;
}
