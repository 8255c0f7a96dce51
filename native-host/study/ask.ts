/** Answering a question about a folder with the adapted model, what is open, and what is found. */
import type { AskParams, AskResult, OpenFile, ShownPart } from '../../protocol/host.ts';
import { secretByName, secretInText } from '../corpus/secrets.ts';
import { focusCitations } from '../generate/citation-focus.ts';
import { citationsOf } from '../generate/citations.ts';
import type { Decoder } from '../generate/decode.ts';
import type { Evidence } from '../generate/evidence.ts';
import { buildPrompt, comparedConversations, LARGEST_TINY_WINDOW } from '../generate/prompt.ts';
import { sampler } from '../generate/sampler.ts';
import { surestAnswer } from '../generate/surest.ts';
import type { BaseModel } from '../model/open-model.ts';
import { encodeConversation } from '../train/items.ts';
import type { Lookup } from './lookup.ts';

/** Passages that are looked up where nobody says how many. */
const standardEvidence = 4;

/** What is known of the folder as it is now, made when it is asked for. */
export interface FolderLookup {
  /** To search in, which is sooner there. */
  evidence(): Promise<Evidence>;
  whole(): Promise<Lookup>;
}

/**
 * Streams an answer. Nothing is looked up before it is needed, so that a large folder's first answer does not wait for what
 * only its citations are checked with. `dirty`:
 * texts that the adapter has not learned, which win over it. An open file with a secret is not shown. A model that remembers
 * better than it reads answers with and without texts, and gives the answer that it is surer of.
 */
export async function ask(
  model: BaseModel,
  decoder: Decoder,
  lookup: FolderLookup,
  params: Omit<AskParams, 'askId' | 'folder' | 'useAdapter'>,
  dirty: readonly { path: string; text: string }[],
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<Omit<AskResult, 'version'>> {
  const reserve = Math.min(params.maxTokens, Math.floor(decoder.window / 4));
  const openFiles = params.openFiles.filter((file) => !holdsSecret(file));
  const boostPaths = openFiles.map(({ path }) => path);
  const { evidence = standardEvidence } = params;
  const isTiny = decoder.window <= LARGEST_TINY_WINDOW;
  const outlined = evidence > 0 && !isTiny ? await lookup.whole() : null;
  const found = evidence > 0 ? await lookup.evidence() : null;
  const prompt = buildPrompt({
    question: params.question,
    outline: outlined?.outline() ?? '',
    dirty,
    openFiles,
    evidence: found?.search(params.question, evidence, { boostPaths }) ?? [],
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
  const asked = comparedConversations(prompt, decoder.hasAdapter);
  const prompts = asked.map((messages) => encodeConversation(model, messages, true));
  const longest = Math.max(...prompts.map(({ length }) => length));
  const { generated, prompt: chosen } = await surestAnswer(decoder, prompts, {
    maxTokens: Math.min(params.maxTokens, decoder.window - longest),
    sample: sampler({ temperature: params.temperature, topP: params.topP }),
    stopTokens: model.endTokens,
    signal,
    onToken: (id) => emit(stream.push(id)),
  });
  emit(stream.end());
  const known = await lookup.whole();
  const checked = citationsOf(answer, {
    paths: known.paths,
    symbols: known.symbols,
    lineCount: (path) => known.lineCount(path),
    hasWord: (word) => known.evidence.has(word),
  });
  const { firstTokenMs, tokensPerSecond } = generated;
  const citations = focusCitations(checked.citations, params.question, known.symbols);
  const secrets = params.openFiles
    .filter(holdsSecret)
    .map(({ path }): ShownPart => ({ kind: 'open', path, state: 'left out' }));
  const shown = [...prompt.shown, ...secrets];
  const fromMemory = asked[chosen] === prompt.bare ? { fromMemory: true as const } : {};
  return { answer, ...checked, citations, shown, ...fromMemory, firstTokenMs, tokensPerSecond };
}

/** What a model is shown it may say, and answers are kept. */
function holdsSecret({ path, text }: OpenFile): boolean {
  return secretByName(path) !== null || secretInText(text) !== null;
}
