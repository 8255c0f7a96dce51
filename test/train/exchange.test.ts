import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChatTemplate, openChatTemplate } from '../../native-host/model/chat-template.ts';
import { renderExchange } from '../../native-host/train/exchange.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lift-exchange-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The template, and how often it was run. */
async function counted(source: string): Promise<{ template: ChatTemplate; runs: () => number }> {
  await writeFile(join(folder, 'chat_template.jinja'), source);
  const { render } = await openChatTemplate(folder);
  let runs = 0;
  const template: ChatTemplate = {
    render(messages, addGenerationPrompt) {
      runs += 1;
      return render(messages, addGenerationPrompt);
    },
  };
  return { template, runs: () => runs };
}

const chatMl =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}';

const templates = {
  'one that repeats what is said': chatMl,
  'one that trims': chatMl.replace('m.content', 'm.content | trim'),
  'one that drops thoughts':
    "{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
  'one that says the question twice': '{% for m in messages %}{{ m.content }}|{{ m.content }};{% endfor %}',
};
const exchanges: [string, string][] = [
  ['Where is parseHeader defined?', 'src/header.ts'],
  ['  Where? ', ' here\n'],
  ['$& and $1', '<think>not said</think>said'],
  ['answer-9e2b', 'question-5c1d'],
];

test.each(Object.entries(templates))('%s gives what running it gives', async (_, source) => {
  const { template } = await counted(source);
  for (const [question, answer] of exchanges) {
    const asked = { role: 'user' as const, content: question };
    expect(renderExchange(template, question, answer)).toEqual({
      prompt: template.render([asked], true),
      whole: template.render([asked, { role: 'assistant', content: answer }], false),
    });
  }
});

test('a template that repeats what is said is run a few times, however many questions there are', async () => {
  const { template, runs } = await counted(chatMl);
  renderExchange(template, 'Where?', 'here');
  const first = runs();
  for (let i = 0; i < 100; i++) renderExchange(template, `Where is ${i}?`, 'here');
  expect(runs()).toBe(first);
});
