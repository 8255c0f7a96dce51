import { describe, expect, it } from 'vitest';
import type { Document } from '../../native-host/corpus/documents.ts';
import { renderContext } from '../../native-host/generate/context-format.ts';
import { outlineOf } from '../../native-host/generate/outline.ts';
import { buildPrompt, type PromptRequest } from '../../native-host/generate/prompt.ts';

/** About as a tokenizer would: words, single marks, line breaks. */
const countTokens = (text: string) => text.match(/\w{1,6}|[^\w\s]|\n|[ \t]{2,}/g)?.length ?? 0;

const numbered = (word: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${word} line ${index + 1}`).join('\n');

const base: PromptRequest = {
  question: 'Where is parseHeader defined?',
  outline: '',
  dirty: [],
  openFiles: [],
  evidence: [],
  conversation: [],
  window: 1024,
  reserve: 128,
  countTokens,
};
const passage = (path: string, text: string, startLine = 1) => ({
  path,
  text,
  startLine,
  endLine: startLine + text.split('\n').length - 1,
  score: 1,
});
const prompt = (change: Partial<PromptRequest>) => buildPrompt({ ...base, ...change });
const user = (change: Partial<PromptRequest>) => prompt(change).messages.at(-1)!.content;

describe('the context format', () => {
  it('is the question alone, or each text under its path and the question last', () => {
    expect(renderContext([], 'Why?')).toBe('Why?');
    const texts = [
      { path: 'a.ts', text: 'one\ntwo\n\n' },
      { path: 'lib/b.ts', text: '  three' },
    ];
    expect(renderContext(texts, 'Why?')).toBe('[a.ts]\none\ntwo\n\n[lib/b.ts]\n  three\n\nWhy?');
  });
});

describe('a question that memory may answer, too', () => {
  const bare = [{ role: 'user', content: base.question }];
  const code = 'function parseHeader() {}\nreturn';
  const evidence = [passage('lib/a.ts', code)];
  const open = { path: 'lib/a.ts', text: code };

  it('is asked bare as well where a tiny window has texts', () => {
    expect(prompt({ evidence }).bare).toEqual(bare);
    expect(prompt({ openFiles: [open] }).bare).toEqual(bare);
    // A click on a citation selects what is known.
    expect(prompt({ openFiles: [{ ...open, from: 1, to: 2, selection: { from: 1, to: 1 } }] }).bare).toEqual(bare);
  });

  it('is not where there are no texts, nor of a model that reads', () => {
    expect(prompt({}).bare).toBeNull();
    expect(prompt({ evidence, window: 4096 }).bare).toBeNull();
  });

  it('is left to the texts where a changed one has what it asks about', () => {
    const changed = { path: 'lib/a.ts', text: code };
    const other = { path: 'lib/b.ts', text: 'const parse = 1;\nconst header = 2;' };
    expect(prompt({ dirty: [changed] }).bare).toBeNull();
    // An open file with changes is shown as open.
    expect(prompt({ dirty: [changed], openFiles: [open] }).bare).toBeNull();
    expect(prompt({ dirty: [other] }).bare).toEqual(bare);
    expect(prompt({ dirty: [{ ...other, path: 'lib/parseHeader.ts' }] }).bare).toBeNull();
    expect(prompt({ dirty: [other], evidence }).bare).toEqual(bare);
  });
});

describe('a tiny window', () => {
  it('holds one bare user message', () => {
    expect(prompt({}).messages).toEqual([{ role: 'user', content: base.question }]);
    const request = {
      outline: 'a.ts',
      conversation: [{ question: 'q', answer: 'a' }],
      evidence: [passage('lib/a.ts', 'function parseHeader() {}\nreturn')],
    };
    expect(prompt(request).messages).toEqual([
      { role: 'user', content: '[lib/a.ts]\nfunction parseHeader() {}\nreturn\n\nWhere is parseHeader defined?' },
    ]);
    expect(prompt(request).shown).toEqual([
      { kind: 'conversation', state: 'left out' },
      { kind: 'outline', state: 'left out' },
      { kind: 'evidence', path: 'lib/a.ts', startLine: 1, endLine: 2, state: 'whole' },
    ]);
  });
});

describe('packing', () => {
  it('orders instructions, outline, dirty, open files, evidence, question', () => {
    const { messages, shown } = prompt({
      window: 4096,
      outline: 'lib/\n  a.ts',
      dirty: [{ path: 'lib/dirty.ts', text: 'parseHeader = 1' }],
      openFiles: [{ path: 'lib/open.ts', text: 'open text' }],
      evidence: [passage('lib/found.ts', 'found text')],
      conversation: [{ question: 'first?', answer: 'yes' }],
    });
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(messages[0]!.content).toMatch(/repository[\s\S]*Outline of the repository:\nlib\/\n {2}a\.ts$/);
    expect(messages.at(-1)!.content).toBe(
      '[lib/dirty.ts]\nparseHeader = 1\n\n[lib/open.ts]\nopen text\n\n[lib/found.ts]\nfound text\n\nWhere is parseHeader defined?',
    );
    expect(shown.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      'conversation whole',
      'outline whole',
      'dirty whole',
      'open whole',
      'evidence whole',
    ]);
  });

  it('shows the selection and the visible lines before the rest of an open file', () => {
    const text = numbered('word', 2000);
    const openFiles = [{ path: 'a.ts', text, from: 1000, to: 1010, selection: { from: 1500, to: 1503 } }];
    const content = user({ window: 256, reserve: 32, openFiles });
    expect(content).toContain('word line 1500\nword line 1501\nword line 1502\nword line 1503');
    expect(content).toContain(numbered('word', 1010).split('\n').slice(999).join('\n'));
  });

  it('joins neighbouring lines under one heading', () => {
    const openFiles = [{ path: 'a.ts', text: numbered('word', 70), from: 10, to: 20 }];
    const content = user({ openFiles });
    expect(content.match(/\[a\.ts\]/g)).toHaveLength(1);
    expect(content).toContain(numbered('word', 70));
  });

  it('never shows older text of a file that is open or dirty', () => {
    const content = user({
      evidence: [passage('a.ts', 'old parseHeader'), passage('b.ts', 'old too')],
      openFiles: [{ path: 'a.ts', text: 'new parseHeader' }],
      dirty: [
        { path: 'a.ts', text: 'saved parseHeader' },
        { path: 'b.ts', text: 'new too' },
      ],
    });
    expect(content).not.toContain('old');
    expect(content).not.toContain('saved');
    expect(content).toContain('[a.ts]\nnew parseHeader');
    expect(content).toContain('[b.ts]\nnew too');
  });

  it('picks the passages of a long dirty file that the question is about', () => {
    const text = `${numbered('other', 300)}\n\nfunction parseHeader() {\n  return 42;\n}\n\n${numbered('more', 300)}`;
    const { messages, shown } = prompt({ window: 400, dirty: [{ path: 'a.ts', text }] });
    expect(messages[0]!.content).toContain('return 42');
    expect(shown[0]).toMatchObject({ kind: 'dirty', path: 'a.ts', state: 'cut' });
  });

  it('drops the least relevant first as the window shrinks, and always keeps within it', () => {
    const request = {
      outline: numbered('outline', 100),
      dirty: [{ path: 'dirty.ts', text: numbered('parseHeader dirty', 60) }],
      openFiles: [{ path: 'open.ts', text: numbered('open', 400), from: 5, to: 30 }],
      evidence: Array.from({ length: 8 }, (_, index) => passage(`found${index}.ts`, numbered(`found${index}`, 25))),
      conversation: Array.from({ length: 6 }, (_, index) => ({ question: `q ${index}`, answer: numbered('said', 10) })),
    };
    let before = Number.POSITIVE_INFINITY;
    for (const window of [16_384, 8192, 4096, 2048, 1025, 1024, 512, 256, 192, 160]) {
      const { messages, tokens, shown } = prompt({ ...request, window });
      const counted = messages.reduce((sum, { content }) => sum + countTokens(content) + 8, 0);
      expect(tokens).toBe(counted);
      expect(counted).toBeLessThanOrEqual(window - 128);
      expect(messages.at(-1)!.content.endsWith(base.question)).toBe(true);
      const lines = messages.at(-1)!.content.split('\n').length;
      // Without outline and conversation a tiny window may hold more text than a larger one.
      if (window !== 1024) expect(lines).toBeLessThanOrEqual(before);
      before = lines;
      for (const { path, startLine, endLine, state } of shown) {
        if (path === undefined || state === 'left out') continue;
        if (path === 'open.ts') expect(messages.at(-1)!.content).toContain(`open line ${startLine}\n`);
        expect(endLine).toBeGreaterThanOrEqual(startLine!);
      }
      expect(new Set(shown.map(({ kind }) => kind))).toEqual(
        new Set(['conversation', 'outline', 'dirty', 'open', 'evidence']),
      );
    }
    const large = prompt({ ...request, window: 16_384 });
    expect(large.shown.every(({ state }) => state === 'whole')).toBe(true);
  });

  it('uses most of the window when there is enough to show', () => {
    for (const window of [512, 2048, 8192]) {
      const evidence = Array.from({ length: 120 }, (_, index) => passage(`f${index}.ts`, numbered('found', 25)));
      expect(prompt({ window, evidence }).tokens).toBeGreaterThan(0.9 * (window - 128));
    }
  });

  it('keeps the newest turns of a conversation', () => {
    const conversation = Array.from({ length: 100 }, (_, index) => ({ question: `question ${index}`, answer: 'yes' }));
    const { messages, shown } = prompt({ window: 1100, conversation });
    const questions = messages.filter(({ role }) => role === 'user').map(({ content }) => content);
    expect(questions.at(-2)).toBe('question 99');
    expect(questions).not.toContain('question 0');
    expect(shown).toEqual([{ kind: 'conversation', state: 'cut' }]);
  });

  it('says when the question alone is too long', () => {
    expect(() => prompt({ question: 'word '.repeat(2000) })).toThrow(
      /needs 2008 tokens and the model has room for 896/,
    );
    expect(() => prompt({ reserve: 2000 })).toThrow('room for 0');
  });

  it('counts no more than it must on huge inputs', () => {
    let counted = 0;
    const openFiles = [{ path: 'a.ts', text: numbered('word', 100_000), selection: { from: 1, to: 100_000 } }];
    const { tokens } = prompt({
      openFiles,
      window: 8192,
      countTokens: (text) => {
        counted += text.length;
        return countTokens(text);
      },
    });
    expect(tokens).toBeLessThanOrEqual(8192 - 128);
    expect(counted).toBeLessThan(2_000_000);
  });
});

describe('the outline', () => {
  const documents: Document[] = [
    'README.md',
    'package.json',
    'lib/index.js',
    'lib/parse.js',
    'lib/deep/read.js',
    ...Array.from({ length: 60 }, (_, index) => `test/case${index}.test.js`),
  ].map((path) => ({ path, text: '', hash: '', language: path.endsWith('.md') ? 'markdown' : 'javascript' }));
  const named = (name: string, kind: 'function' | 'constant' | 'method', container: string | null = null) => ({
    name,
    kind,
    container,
  });
  const symbols = [
    {
      path: 'lib/parse.js',
      symbols: [
        named('LIMIT', 'constant'),
        named('parse', 'function'),
        named('Parser', 'function'),
        named('next', 'method', 'Parser'),
      ],
    },
  ];

  it('is a tree of the important files with what they declare', () => {
    expect(outlineOf(documents, symbols, 50, countTokens)).toBe(
      [
        'README.md',
        'package.json',
        'lib/',
        '  index.js',
        '  parse.js: parse, Parser, LIMIT',
        '  deep/',
        '    read.js',
        '… 60 more files',
      ].join('\n'),
    );
  });

  it('fits every budget, and shows all when there is room', () => {
    for (const budget of [0, 1, 5, 10, 20, 40, 80, 160, 320, 1000]) {
      expect(countTokens(outlineOf(documents, symbols, budget, countTokens))).toBeLessThanOrEqual(budget);
    }
    const all = outlineOf(documents, symbols, 1000, countTokens);
    expect(all.split('\n')).toHaveLength(documents.length + 3);
    expect(all).not.toContain('more file');
    expect(outlineOf([], [], 100, countTokens)).toBe('');
  });
});
