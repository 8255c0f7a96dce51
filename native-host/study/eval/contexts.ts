/** What a model is shown beside a question, by arm. */
import { type Evidence, openEvidence } from '../../generate/evidence.ts';
import { buildPrompt, type Prompt } from '../../generate/prompt.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import type { Repository } from '../repository.ts';
import type { ContextSource } from './arms.ts';

const passages = 4;
/** A chat template may add more than the prompt's allowance for it. */
const spareTokens = 32;

export class Contexts {
  private readonly texts: ReadonlyMap<string, string>;
  private readonly evidence: Evidence;

  /** `window`: most tokens of prompt and answer together. */
  constructor(
    repository: Pick<Repository, 'documents'>,
    private readonly tokenizer: Tokenizer,
    private readonly window: number,
  ) {
    this.texts = new Map(repository.documents.map(({ path, text }) => [path, text]));
    this.evidence = openEvidence(repository.documents);
  }

  /**
   * The conversation that ends with the question, and the bare question where `lift ask` would let an adapter answer both.
   * Without texts it is the bare question, as training asks it; with texts the prompt that `lift ask` would pack. `path`: the
   * file that the question is about; without one, that of the passage which is found first. `reserve`: tokens kept for the answer. Errors: Error where the question alone does not fit.
   */
  promptFor(
    source: ContextSource,
    { question, path }: { question: string; path?: string },
    reserve: number,
  ): Pick<Prompt, 'messages' | 'bare'> {
    if (source === 'nothing') return { messages: [{ role: 'user', content: question }], bare: null };
    const open = source === 'openFile' ? (path ?? this.evidence.search(question, 1)[0]?.path) : undefined;
    const text = open === undefined ? undefined : this.texts.get(open);
    return buildPrompt({
      question,
      outline: '',
      dirty: [],
      openFiles: open === undefined || text === undefined ? [] : [{ path: open, text }],
      evidence: source === 'evidence' ? this.evidence.search(question, passages) : [],
      conversation: [],
      window: this.window,
      reserve: reserve + spareTokens,
      countTokens: (part) => this.tokenizer.encode(part).length,
    });
  }
}
