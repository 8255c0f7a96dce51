import { expect, test } from 'vitest';
import { focusCitations } from '../../native-host/generate/citation-focus.ts';

const symbols = new Map([
  ['parseHeader', [{ path: 'lib/parse.js', startLine: 15, endLine: 40 }]],
  ['Parser.read', [{ path: 'lib/parse.js', startLine: 50, endLine: 60 }]],
  ['twice', [3, 9].map((startLine) => ({ path: 'lib/parse.js', startLine, endLine: startLine + 1 }))],
]);
const wholeFile = { path: 'lib/parse.js', startLine: 1, endLine: 90 };

test('a whole file is narrowed to the one thing that the question names in it', () => {
  const focus = (question: string) => focusCitations([wholeFile], question, symbols);
  expect(focus('Where is parseHeader defined?')).toEqual([{ path: 'lib/parse.js', startLine: 15, endLine: 40 }]);
  expect(focus('Who wrote Parser.read.')).toEqual([{ path: 'lib/parse.js', startLine: 50, endLine: 60 }]);
});

test('nothing is narrowed where the question names nothing in the file, or what could be several places', () => {
  expect(focusCitations([wholeFile], 'What is this for?', symbols)).toEqual([wholeFile]);
  expect(focusCitations([wholeFile], 'Where is twice?', symbols)).toEqual([wholeFile]);
  const other = { path: 'lib/other.js', startLine: 1, endLine: 9 };
  const lines = { path: 'lib/parse.js', startLine: 4, endLine: 9 };
  expect(focusCitations([other, lines], 'Where is parseHeader?', symbols)).toEqual([other, lines]);
});
