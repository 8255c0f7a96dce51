import { describe, expect, it } from 'vitest';
import { sectionsOf } from '../../native-host/corpus/questions/markdown.ts';
import { firstSentence } from '../../native-host/corpus/questions/prose.ts';

describe('firstSentence', () => {
  it.each([
    ['Reads a file. Then closes it.', 'Reads a file'],
    ['Reads a file, e.g. a.txt, and closes it.', 'Reads a file, e.g. a.txt, and closes it'],
    ['Does it work? Yes.', 'Does it work?'],
    ['Reads `a` and **b** of [the docs](http://x).\n\nMore.', 'Reads a and b of the docs'],
    ['Reads one\n  line after another', 'Reads one line after another'],
    ['Reads version 1.2 of the file.', 'Reads version 1.2 of the file'],
    [
      'Reads the whole file at once when it is small enough, otherwise it reads it in slices of one megabyte each, and so on and on.',
      'Reads the whole file at once when it is small enough',
    ],
  ])('of %j', (text, sentence) => {
    expect(firstSentence(text)).toBe(sentence);
  });

  it.each([
    ['Copyright 2020 Someone.'],
    ['Licensed under the MIT license.'],
    ['eslint-disable no-console'],
    ['TODO: write this later on.'],
    ['const a = b + c;'],
    ['if (a && b) { return c; }'],
    ['---------------------------'],
    ['too short'],
    [''],
    ['word '.repeat(50)],
    ['https://example.org/a/b/c is it'],
  ])('is none in %j', (text) => {
    expect(firstSentence(text)).toBeNull();
  });
});

describe('sectionsOf', () => {
  it('finds headings of both kinds, outside of code', () => {
    const sections = sectionsOf(
      [
        '---',
        'title: x',
        '---',
        '# Title #',
        '',
        '![badge](x)',
        'A tool for tests.',
        '',
        '```sh',
        '# no heading',
        '```',
        '~~~~',
        '## nor this',
        '~~~',
        '~~~~',
        '## With `code` and [link](x) {#anchor}',
        '- a list',
        '',
        'Underlined',
        '==========',
        'The text below it is here. And more.',
        '',
        'Lower',
        '-----',
        'The options are:',
        '- one',
        '    # indented code',
        '| a | b |',
        '|---|---|',
        '',
        'text',
        '* * *',
      ].join('\r\n'),
    );
    expect(sections.map((one) => [one.level, one.heading, one.line, one.firstSentence])).toEqual([
      [1, 'Title', 4, 'A tool for tests'],
      [2, 'With code and link', 16, null],
      [1, 'Underlined', 19, 'The text below it is here'],
      [2, 'Lower', 23, null],
    ]);
  });

  it('has none in a text without headings', () => {
    expect(sectionsOf('')).toEqual([]);
    expect(sectionsOf('just text\n\n---\n\nmore\n')).toEqual([]);
    expect(sectionsOf('---\nnever closed\n# Title\n')).toMatchObject([{ heading: 'Title' }]);
  });
});
