/** A question and its answer in a model's chat form, without running the template each time. */
import type { ChatTemplate } from '../model/chat-template.ts';

export interface Exchange {
  /** Up to where the answer begins. */
  prompt: string;
  whole: string;
}

/**
 * What a template puts around the question and the answer of a conversation of one turn. Most templates only ever put
 * the same text there, and running them is the dearest part of making a training item.
 */
interface Frame {
  promptParts: [string, string];
  wholeParts: [string, string, string];
}

const frames = new WeakMap<ChatTemplate, Frame | null>();

export function renderExchange(template: ChatTemplate, question: string, answer: string): Exchange {
  let frame = frames.get(template);
  if (frame === undefined) {
    frame = frameOf(template);
    frames.set(template, frame);
  }
  return frame === null ? rendered(template, question, answer) : framed(frame, question, answer);
}

function rendered(template: ChatTemplate, question: string, answer: string): Exchange {
  const asked = { role: 'user' as const, content: question };
  return {
    prompt: template.render([asked], true),
    whole: template.render([asked, { role: 'assistant', content: answer }], false),
  };
}

function framed({ promptParts, wholeParts }: Frame, question: string, answer: string): Exchange {
  return {
    prompt: promptParts[0] + question + promptParts[1],
    whole: wholeParts[0] + question + wholeParts[1] + answer + wholeParts[2],
  };
}

/** Contents that templates treat in ways of their own: trimmed, cut at a mark, escaped, left out. */
const trials: [question: string, answer: string][] = [
  ['Where?', 'src/a.ts'],
  ['  two\n\nlines \n', '\n `x`  '],
  ['', ''],
  ['a "quoted" <tag> & {{ braces }} {% block %} \\n', '<think>none</think> 1 </s> $& $1'],
  ['Wo liegt die Größe? 你好', "it's"],
];

/** Null where the template does something else with what is said than to put it between the same texts. */
function frameOf(template: ChatTemplate): Frame | null {
  const [question, answer] = ['question-5c1d', 'answer-9e2b'];
  const { prompt, whole } = rendered(template, question, answer);
  const promptParts = prompt.split(question);
  const wholeParts = whole.split(/question-5c1d|answer-9e2b/);
  if (promptParts.length !== 2 || wholeParts.length !== 3 || whole.indexOf(question) > whole.indexOf(answer))
    return null;
  const frame = { promptParts: promptParts as [string, string], wholeParts: wholeParts as [string, string, string] };
  const isSame = trials.every(([asked, answered]) => {
    const { prompt, whole } = rendered(template, asked, answered);
    const filled = framed(frame, asked, answered);
    return filled.prompt === prompt && filled.whole === whole;
  });
  return isSame ? frame : null;
}
