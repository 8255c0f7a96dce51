import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Contexts } from '../../../native-host/study/eval/contexts.ts';
import { mostNeedles, plantNeedles } from '../../../native-host/study/eval/needles.ts';
import { parseReferenceQuestions } from '../../../native-host/study/eval/reference-questions.ts';
import { type Repository, readRepository } from '../../../native-host/study/repository.ts';
import { encodeConversation } from '../../../native-host/train/items.ts';
import { StudyFixture, smallRepository } from '../study-fixture.ts';

let fixture: StudyFixture;
let repository: Repository;

beforeAll(async () => {
  fixture = await StudyFixture.open();
  const python = 'import os\n\ndef first(items):\n    """The first.\n\n    Of all.\n    """\n\n    return items[0]\n';
  const folder = await fixture.repository('haystack', {
    ...smallRepository(),
    'tools/first.py': python,
    'data.json': '{\n\n"a": 1\n\n}\n',
    'one-line.ts': 'export const one = 1;\n',
  });
  repository = await readRepository(folder, fixture.model.tokenizer, null);
});
afterAll(() => fixture.close());

describe('needles', () => {
  test('stand once in one document each, on a line of their own that the language takes for a comment', () => {
    const { repository: planted, needles } = plantNeedles(repository, fixture.model.tokenizer, 5, 1);
    expect(needles).toHaveLength(5);
    expect(new Set(needles.map(({ path }) => path)).size).toBe(5);
    for (const { path, sentence, question, answer } of needles) {
      const holders = planted.documents.filter(({ text }) => text.includes(answer));
      expect(holders.map((document) => document.path)).toEqual([path]);
      const line = holders[0]!.text.split('\n').find((candidate) => candidate.includes(sentence));
      expect(line).toBe({ ts: `// ${sentence}`, py: `# ${sentence}`, md: sentence }[path.split('.').at(-1)!]);
      expect(question).not.toContain(answer);
    }
    expect(planted.tree).not.toBe(repository.tree);
    for (const { path, text } of planted.documents) {
      expect([...planted.tokens.get(path)!]).toEqual(fixture.model.tokenizer.encode(text));
    }
  });

  test('leave all other lines as they were, and the given repository too', () => {
    const { tree } = repository;
    const { repository: planted, needles } = plantNeedles(repository, fixture.model.tokenizer, 100, 2);
    const sentences = needles.map(({ sentence }) => sentence);
    const original = new Map(repository.documents.map(({ path, text }) => [path, text]));
    for (const { path, text } of planted.documents) {
      const lines = text.split('\n');
      const at = lines.findIndex((line) => sentences.some((sentence) => line.endsWith(sentence)));
      if (at >= 0) lines.splice(at - 1, 2);
      expect(lines.join('\n')).toBe(original.get(path));
    }
    expect(repository.tree).toBe(tree);
  });

  test('are the same for the same seed, and as many as there is room for', () => {
    const plant = (count: number, seed: number) =>
      plantNeedles(repository, fixture.model.tokenizer, count, seed).needles;
    expect(plant(4, 7)).toEqual(plant(4, 7));
    expect(plant(4, 7)).not.toEqual(plant(4, 8));
    const paths = plant(mostNeedles, 1).map(({ path }) => path);
    expect(paths).not.toContain('data.json');
    expect(paths).not.toContain('one-line.ts');
    expect(paths).toContain('tools/first.py');
    expect(paths.length).toBeLessThan(repository.documents.length);
    expect(plant(0, 1)).toEqual([]);
  });

  test('stand at the margin, not in the middle of a function', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { repository: planted } = plantNeedles(repository, fixture.model.tokenizer, mostNeedles, seed);
      const { text } = planted.documents.find(({ path }) => path === 'tools/first.py')!;
      expect(text).toMatch(/^import os\n\n# The access code [^\n]+\n\ndef first/);
    }
  });
});

describe('questions of a file', () => {
  test('are read line by line, with or without a path', () => {
    const text =
      '{"question":"Why?","answer":"So."}\r\n\n{"question":"Where?","answer":"Here.","path":"a.ts","id":7}\n';
    expect(parseReferenceQuestions(text, 'set.jsonl')).toEqual([
      { question: 'Why?', answer: 'So.' },
      { question: 'Where?', answer: 'Here.', path: 'a.ts' },
    ]);
  });

  test.each([
    ['{"question":"Why?"', /line 1: it is not JSON/],
    ['{"question":"Why?","answer":"So."}\n[1]', /line 2: "question" is missing/],
    ['null', /line 1: "question" is missing/],
    ['{"question":" ","answer":"So."}', /"question" is missing/],
    ['{"question":"Why?","answer":5}', /"answer" is missing or no text/],
    ['{"question":"Why?","answer":"So.","path":1}', /"path" is no text/],
    ['\n\n', /holds no question/],
  ])('are refused with the line: %s', (text, message) => {
    expect(() => parseReferenceQuestions(text, 'set.jsonl')).toThrow(message);
    expect(() => parseReferenceQuestions(text, 'set.jsonl')).toThrow(/^set\.jsonl/);
  });
});

describe('what is shown beside a question', () => {
  const asked = { question: 'What is carolLimit?', path: 'src/delta.ts' };
  const contexts = () => new Contexts(repository, fixture.model.tokenizer, 400);

  test('is nothing, the file of the question, or what is found', () => {
    const shown = (source: 'nothing' | 'openFile' | 'evidence') =>
      contexts().promptFor(source, asked, 48).messages.at(-1)!.content;
    expect(shown('nothing')).toBe(asked.question);
    expect(shown('openFile')).toMatch(/^\[src\/delta\.ts\]\n[\s\S]*deltaLimit = 121;[\s\S]*What is carolLimit\?$/);
    expect(shown('evidence')).toMatch(/\[src\/carol\.ts\]\n[\s\S]*carolLimit = 114;[\s\S]*What is carolLimit\?$/);
  });

  test('is the file that is found first where the question names none', () => {
    const [message] = contexts().promptFor('openFile', { question: asked.question }, 48).messages;
    expect(message!.content).toMatch(/^\[src\/carol\.ts\]/);
  });

  test('fits the window with the answer', () => {
    const { model } = fixture;
    for (const source of ['openFile', 'evidence'] as const) {
      const prompt = encodeConversation(
        model,
        new Contexts(repository, model.tokenizer, 200).promptFor(source, asked, 48).messages,
        true,
      );
      expect(prompt.length).toBeLessThanOrEqual(200 - 48);
    }
    expect(() => contexts().promptFor('evidence', { question: 'why '.repeat(400) }, 48)).toThrow(/shorter/);
  });
});
