/** Answering a question about a folder with the adapted model, what is open, and what is found. */
import type { AskParams, AskResult, OpenFile, ShownPart } from '../../protocol/host.ts';
import { readRepository as readSymbols } from '../corpus/questions/repository.ts';
import { secretByName, secretInText } from '../corpus/secrets.ts';
import { focusCitations } from '../generate/citation-focus.ts';
import { citationsOf } from '../generate/citations.ts';
import type { Decoder } from '../generate/decode.ts';
import { type Evidence, openEvidence } from '../generate/evidence.ts';
import { outlineOf } from '../generate/outline.ts';
import { buildPrompt } from '../generate/prompt.ts';
import { sampler } from '../generate/sampler.ts';
import { type SymbolPlace, symbolPlaces } from '../generate/symbol-places.ts';
import type { BaseModel } from '../model/open-model.ts';
import { encodeConversation } from '../train/items.ts';
import type { Repository } from './repository.ts';

/** What is looked up about a repository while answering. */
export interface Lookup {
  evidence: Evidence;
  outline: string;
  symbols: Map<string, SymbolPlace[]>;
  lines: Map<string, number>;
}

const outlineTokens = 400;

/** Indexes the documents for evidence, outline and citations. */
export async function openLookup(repository: Repository, model: BaseModel): Promise<Lookup> {
  const { documents } = repository;
  const source = await readSymbols(documents);
  const count = (text: string) => model.tokenizer.encode(text).length;
  return {
    evidence: openEvidence(documents),
    outline: outlineOf(documents, source.files, outlineTokens, count),
    symbols: symbolPlaces(source.files),
    lines: new Map(documents.map(({ path, text }) => [path, text.split('\n').length])),
  };
}

/** Streams an answer. `dirty`: texts that the adapter has not learned, which win over it. An open file with a secret is not shown. */
export async function ask(
  model: BaseModel,
  decoder: Decoder,
  lookup: Lookup,
  params: Omit<AskParams, 'askId' | 'folder' | 'useAdapter' | 'evidence'> & { evidence: number },
  dirty: readonly { path: string; text: string }[],
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<Omit<AskResult, 'version'>> {
  const reserve = Math.min(params.maxTokens, Math.floor(decoder.window / 4));
  const openFiles = params.openFiles.filter((file) => !holdsSecret(file));
  const boostPaths = openFiles.map(({ path }) => path);
  const evidence = params.evidence > 0 ? lookup.evidence.search(params.question, params.evidence, { boostPaths }) : [];
  const prompt = buildPrompt({
    question: params.question,
    outline: params.evidence > 0 ? lookup.outline : '',
    dirty,
    openFiles,
    evidence,
    conversation: params.conversation,
    window: decoder.window,
    reserve,
    countTokens: (text) => model.tokenizer.encode(text).length,
  });
  const stream = model.tokenizer.streamDecoder();
  let answer = '';
  const emit = (text: string) => {
    answer += text;
    if (text !== '') onText(text);
  };
  const ids = encodeConversation(model, prompt.messages, true);
  const generated = await decoder.generate(ids, {
    maxTokens: Math.min(params.maxTokens, decoder.window - ids.length),
    sample: sampler({ temperature: params.temperature, topP: params.topP }),
    stopTokens: model.endTokens,
    signal,
    onToken: (id) => emit(stream.push(id)),
  });
  emit(stream.end());
  const checked = citationsOf(answer, {
    paths: new Set(lookup.lines.keys()),
    symbols: lookup.symbols,
    lineCount: (path) => lookup.lines.get(path) ?? 1,
    hasWord: (word) => lookup.evidence.has(word),
  });
  const { firstTokenMs, tokensPerSecond } = generated;
  const citations = focusCitations(checked.citations, params.question, lookup.symbols);
  const secrets = params.openFiles
    .filter(holdsSecret)
    .map(({ path }): ShownPart => ({ kind: 'open', path, state: 'left out' }));
  const shown = [...prompt.shown, ...secrets];
  return { answer, ...checked, citations, shown, firstTokenMs, tokensPerSecond };
}

/** What a model is shown it may say, and answers are kept. */
function holdsSecret({ path, text }: OpenFile): boolean {
  return secretByName(path) !== null || secretInText(text) !== null;
}
