import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ChatMessage, openChatTemplate } from '../../native-host/model/chat-template.ts';
import { ModelError } from '../../native-host/model/model-error.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';

const conversation: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Hi' },
  { role: 'user', content: 'Bye' },
];

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lift-template-'));
});

async function open(tokenizerConfig: object) {
  await writeFile(path.join(folder, 'tokenizer_config.json'), JSON.stringify(tokenizerConfig));
  return openChatTemplate(folder);
}

const CHATML =
  '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n' +
  '<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n';

describe('openChatTemplate', () => {
  test('without a template it is ChatML', async () => {
    const template = await openChatTemplate(folder);
    expect(template.render(conversation, false)).toBe(CHATML);
    expect(template.render(conversation, true)).toBe(`${CHATML}<|im_start|>assistant\n`);
    expect((await open({ eos_token: '</s>' })).render(conversation, false)).toBe(CHATML);
  });

  test("the folder's template", async () => {
    await makeTinyModel(folder);
    expect((await openChatTemplate(folder)).render(conversation, true)).toBe(`${CHATML}<|im_start|>assistant\n`);
  });

  test('chat_template.jinja comes before tokenizer_config.json, and named templates have a default', async () => {
    const said = '{% for message in messages %}[{{ message.content }}]{% endfor %}';
    const named = [
      { name: 'tool_use', template: 'no' },
      { name: 'default', template: said },
    ];
    expect((await open({ chat_template: named })).render(conversation, true)).toBe('[Be brief.][Hello][Hi][Bye]');
    await writeFile(path.join(folder, 'chat_template.jinja'), `file: ${said}`);
    expect((await openChatTemplate(folder)).render(conversation, true)).toBe('file: [Be brief.][Hello][Hi][Bye]');
  });

  test('special tokens, written as text or as objects', async () => {
    const template = await open({
      bos_token: { content: '<s>', lstrip: false },
      eos_token: '</s>',
      chat_template:
        '{{ bos_token }}{% for message in messages %}{{ message.content + eos_token }}{% endfor %}{{ pad_token }}',
    });
    expect(template.render(conversation.slice(1, 3), false)).toBe('<s>Hello</s>Hi</s>');
  });

  test('what a template raises is told; a system message that it refuses opens what the user says', async () => {
    const mistral =
      "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
      "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}" +
      "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}" +
      "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}";
    const template = await open({ bos_token: '<s>', eos_token: '</s>', chat_template: mistral });
    expect(template.render(conversation, true)).toBe('<s>[INST] Be brief.\n\nHello [/INST]Hi</s>[INST] Bye [/INST]');
    expect(template.render(conversation.slice(0, 1), true)).toBe('<s>[INST] Be brief. [/INST]');
    const twoQuestions = [conversation[1]!, conversation[3]!];
    expect(() => template.render(twoQuestions, true)).toThrow('roles must alternate');
  });

  test('broken templates are refused when they are opened', async () => {
    const cases: [unknown, string][] = [
      ['{% for message in messages %}', 'fails'],
      ['{{ nothing.at.all }}', 'fails'],
      ['{{ raise_exception("never") }}', 'never'],
      ['constant', 'leaves out what the user says'],
      ['{% for i in range(99999999999) %}{% endfor %}', 'too long for a chat template'],
      [[{ name: 'tools', template: 'x' }], 'no template'],
      [42, 'no template'],
    ];
    for (const [chatTemplate, message] of cases) {
      const opened = open({ chat_template: chatTemplate });
      await expect(opened).rejects.toThrow(message);
      await expect(opened).rejects.toThrow(ModelError);
    }
    await writeFile(path.join(folder, 'tokenizer_config.json'), 'x');
    await expect(openChatTemplate(folder)).rejects.toThrow('tokenizer_config.json is not valid JSON');
  });

  test('range works as in Jinja', async () => {
    const numbers = '{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(7, 1, -3) %}{{ i }}{% endfor %}';
    const template = await open({ chat_template: `${numbers}{{ messages[0].content }}` });
    expect(template.render(conversation, false)).toBe('01274Be brief.');
  });
});
