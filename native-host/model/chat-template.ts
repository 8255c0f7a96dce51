/** Renders a conversation as the model was trained to read it, with the folder's own Jinja template. */
import { Template } from '@huggingface/jinja';
import { ModelError, reasonOf } from './model-error.ts';
import { isRecord, readModelJson, readModelText } from './model-files.ts';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface ChatTemplate {
  /** Throws where the template refuses the conversation, for instance because roles do not alternate. */
  render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string;
}

/** ChatML, which most chat models of these families use. A model that brings no template is a base model, or says nothing. */
const CHATML = `{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

const ADVICE = 'Correct the template, or remove it to use ChatML.';

/**
 * The template in chat_template.jinja comes first, then that of tokenizer_config.json, then ChatML. Throws ModelError
 * where the template is broken: it is tried once.
 */
export async function openChatTemplate(folder: string): Promise<ChatTemplate> {
  const tokenizerConfig = (await readModelJson(folder, 'tokenizer_config.json')) ?? {};
  const source = (await readModelText(folder, 'chat_template.jinja')) ?? templateOf(tokenizerConfig, folder);
  const tokens = {
    bos_token: specialToken(tokenizerConfig.bos_token),
    eos_token: specialToken(tokenizerConfig.eos_token),
    pad_token: specialToken(tokenizerConfig.pad_token),
  };
  return makeChatTemplate(source, tokens, folder);
}

/** A template, ChatML for null, and the special tokens that it may name. `subject` names the model in errors. */
export function makeChatTemplate(
  source: string | null,
  tokens: { bos_token: string; eos_token: string; pad_token: string },
  subject: string,
): ChatTemplate {
  const problem = (error: unknown) => new ModelError(subject, [`Its chat template fails: ${reasonOf(error)}.`], ADVICE);
  let template: Template;
  try {
    template = new Template(source ?? CHATML);
    boundRanges(template.parsed);
  } catch (error) {
    throw problem(error);
  }
  const globals = { ...tokens, [BOUNDED_RANGE]: boundedRange };
  const renderAsIs = (messages: readonly ChatMessage[], addGenerationPrompt: boolean): string =>
    template.render({
      ...globals,
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: addGenerationPrompt,
    });

  const question: ChatMessage = { role: 'user', content: 'question-7f3a' };
  try {
    if (!renderAsIs([question], true).includes(question.content)) throw new Error('it leaves out what the user says');
  } catch (error) {
    throw problem(error);
  }
  if (keepsSystemMessage(renderAsIs, question)) return { render: renderAsIs };
  // Some templates refuse or drop a system message: then it opens the first thing that the user says.
  return { render: (messages, addGenerationPrompt) => renderAsIs(withoutSystem(messages), addGenerationPrompt) };
}

function templateOf(tokenizerConfig: Record<string, unknown>, folder: string): string | null {
  const value = tokenizerConfig.chat_template ?? null;
  if (value === null || typeof value === 'string') return value;
  // Several templates, by name: others than the default are for tools and documents.
  const named = Array.isArray(value) ? value.find((entry) => isRecord(entry) && entry.name === 'default') : undefined;
  if (isRecord(named) && typeof named.template === 'string') return named.template;
  throw new ModelError(
    folder,
    ['chat_template of tokenizer_config.json is no template and has no default one.'],
    ADVICE,
  );
}

/** Written as text, or as an object with its content. */
function specialToken(value: unknown): string {
  if (typeof value === 'string') return value;
  return isRecord(value) && typeof value.content === 'string' ? value.content : '';
}

const LONGEST_RANGE = 10_000;
const BOUNDED_RANGE = 'bounded_range';

/** Calls of range() become calls of boundedRange: the library lets nobody replace a name of its own. */
function boundRanges(node: unknown): void {
  if (Array.isArray(node)) for (const child of node) boundRanges(child);
  else if (node instanceof Map) for (const [key, child] of node) boundRanges([key, child]);
  else if (isRecord(node)) {
    const { callee } = node;
    if (isRecord(callee) && callee.type === 'Identifier' && callee.value === 'range') callee.value = BOUNDED_RANGE;
    for (const child of Object.values(node)) boundRanges(child);
  }
}

/** Jinja's range(); the library's would fill the memory where a damaged template counts to a huge number. */
function boundedRange(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= LONGEST_RANGE))
    throw new RangeError(`range(${start}, ${stop}, ${step}) is too long for a chat template`);
  return Array.from({ length }, (_, i) => start + i * step);
}

function keepsSystemMessage(render: ChatTemplate['render'], question: ChatMessage): boolean {
  const system: ChatMessage = { role: 'system', content: 'instructions-c41e' };
  try {
    return render([system, question], true).includes(system.content);
  } catch {
    return false;
  }
}

function withoutSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const [first, second, ...others] = messages;
  if (first?.role !== 'system') return [...messages];
  if (second?.role !== 'user') return [{ role: 'user', content: first.content }, ...messages.slice(1)];
  return [{ role: 'user', content: `${first.content}\n\n${second.content}` }, ...others];
}
