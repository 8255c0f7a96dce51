// Code that is explained without the comment that explains it.
import { expect, test } from 'vitest';
import type { Document } from '../../native-host/corpus/documents.ts';
import { factsOf } from '../../native-host/corpus/questions/facts.ts';
import { explainedBy } from '../../scripts/pretrain/explained.ts';

async function explainedIn(path: string, language: string, text: string) {
  const document: Document = { path, language, text, hash: path };
  const facts = await factsOf([document]);
  return facts.flatMap((fact) => explainedBy(fact, document) ?? []);
}

test('a function and the file that it stands in', async () => {
  const code = 'export function clamp(value, low, high) {\n  return Math.min(high, Math.max(low, value));\n}';
  const text = `// Arithmetic on single numbers.\n\nimport { x } from './x.js';\n\n/** Keeps a value between two bounds. */\n${code}\n\n/** Rounds to even. */\nexport const even = 2;\n`;
  expect(await explainedIn('numbers.js', 'javascript', text)).toEqual([
    expect.objectContaining({
      name: '',
      answer: 'Arithmetic on single numbers',
      text: expect.stringMatching(/^import/),
    }),
    { path: 'numbers.js', name: 'clamp', answer: 'Keeps a value between two bounds', text: `${code}\n` },
  ]);
});

test('a documentation string of Python is not shown', async () => {
  const text =
    'def clamp(value, low, high):\n    """Keep a value between two bounds.\n\n    More of it.\n    """\n    return min(high, max(low, value))\n';
  expect(await explainedIn('numbers.py', 'python', text)).toEqual([
    {
      path: 'numbers.py',
      name: 'clamp',
      answer: 'Keep a value between two bounds',
      text: 'def clamp(value, low, high):\n    return min(high, max(low, value))\n',
    },
  ]);
});

test('code that says the same again is left out', async () => {
  const text = '/** Opens the outermost gate. */\nfunction open() {\n  // Opens the outermost gate.\n  return 1;\n}\n';
  expect(await explainedIn('gate.js', 'javascript', text)).toEqual([]);
});
