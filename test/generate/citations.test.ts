import { describe, expect, it } from 'vitest';
import { type CitationCorpus, citationsOf } from '../../native-host/generate/citations.ts';
import { symbolPlaces } from '../../native-host/generate/symbol-places.ts';

const lineCounts = new Map([
  ['lib/a.ts', 40],
  ['lib/deep/b.ts', 10],
  ['src/index.ts', 5],
  ['test/index.ts', 5],
  ['README.md', 12],
  ['src/main.c', 9],
  ['app/[id]/page.tsx', 7],
  ['.github/workflows/ci.yml', 20],
  ['Makefile', 3],
]);
const symbol = (name: string, line: number, endLine: number, container: string | null = null) => ({
  name,
  line,
  endLine,
  container,
});
const corpus: CitationCorpus = {
  paths: new Set(lineCounts.keys()),
  lineCount: (path) => lineCounts.get(path)!,
  symbols: symbolPlaces([
    {
      path: 'lib/a.ts',
      symbols: [symbol('parseHeader', 3, 9), symbol('Reader', 12, 30), symbol('read', 14, 20, 'Reader')],
    },
    { path: 'lib/deep/b.ts', symbols: [symbol('MAX_SIZE', 2, 2), symbol('open', 4, 8)] },
    { path: 'src/index.ts', symbols: [symbol('open', 1, 5)] },
  ]),
  hasWord: (word) => ['headerLength', 'npm'].includes(word),
};
const check = (answer: string) => citationsOf(answer, corpus);
const paths = (answer: string) =>
  check(answer).citations.map(({ path, startLine, endLine }) => `${path}:${startLine}-${endLine}`);

describe('paths', () => {
  it.each([
    ['See lib/a.ts.', 'lib/a.ts:1-40'],
    ['It is in `lib/a.ts:12`.', 'lib/a.ts:12-12'],
    ['It is in lib/a.ts:12:5, I think', 'lib/a.ts:12-12'],
    ['(lib/a.ts:3-9)', 'lib/a.ts:3-9'],
    ['[here](lib/a.ts#L3-L9)', 'lib/a.ts:3-9'],
    ['`lib/a.ts`, line 7', 'lib/a.ts:7-7'],
    ['`lib/a.ts` (lines 7-9)', 'lib/a.ts:7-9'],
    ['lib/a.ts on line 7', 'lib/a.ts:7-7'],
    ['a.ts', 'lib/a.ts:1-40'],
    ['**b.ts**:', 'lib/deep/b.ts:1-10'],
    ['deep/b.ts', 'lib/deep/b.ts:1-10'],
    ['./lib/a.ts', 'lib/a.ts:1-40'],
    ['lib\\deep\\b.ts', 'lib/deep/b.ts:1-10'],
    ['/home/me/project/lib/a.ts:2', 'lib/a.ts:2-2'],
    ['`lib/a`', 'lib/a.ts:1-40'],
    ['main.c', 'src/main.c:1-9'],
    ['app/[id]/page.tsx', 'app/[id]/page.tsx:1-7'],
    ['.github/workflows/ci.yml', '.github/workflows/ci.yml:1-20'],
    ['`Makefile`', 'Makefile:1-3'],
  ])('%s', (answer, citation) => {
    expect(check(answer)).toEqual({ citations: [expect.anything()], unknownPaths: [], unknownSymbols: [] });
    expect(paths(answer)).toEqual([citation]);
  });

  it('brings line numbers back into the file, the right way round', () => {
    expect(paths('`lib/deep/b.ts:8-400`, `lib/deep/b.ts:900`, `lib/a.ts:9-3`, lib/a.ts:0')).toEqual([
      'lib/deep/b.ts:8-10',
      'lib/deep/b.ts:10-10',
      'lib/a.ts:3-9',
      'lib/a.ts:1-1',
    ]);
  });

  it.each([
    ['lib/missing.ts', 'lib/missing.ts'],
    ['`missing.ts:4` is it', 'missing.ts'],
    ['Look at `src/parser/`', 'src/parser/'],
    ['`./nowhere`', './nowhere'],
    ['other/a.tsx', 'other/a.tsx'],
  ])('tells the unknown path in %s', (answer, path) => {
    expect(check(answer)).toEqual({ citations: [], unknownPaths: [path], unknownSymbols: [] });
  });

  it.each([
    'Use and/or, client/server, 1/2, I/O.',
    'See https://example.com/lib/missing.ts or mail me@example.com.',
    'See github.com/a/b.ts',
    'Node.js and Vue.js are not files; e.g. i.e. 1.2.3 v2.0.',
    'Send `text/plain` or `application/json`, from `node:fs/promises` and `fs/promises`.',
    'The folder `lib/deep` and src/ are there.',
    'index.ts is in two folders.',
    'options.c and this.r',
  ])('is quiet about %s', (answer) => {
    expect(check(answer)).toEqual({ citations: [], unknownPaths: [], unknownSymbols: [] });
  });
});

describe('symbols', () => {
  it.each([
    ['`parseHeader` reads it', 'lib/a.ts:3-9'],
    ['`parseHeader(text, 3)`', 'lib/a.ts:3-9'],
    ['call parseHeader() first', 'lib/a.ts:3-9'],
    ['parseHeader does', 'lib/a.ts:3-9'],
    ['at most MAX_SIZE bytes', 'lib/deep/b.ts:2-2'],
    ['`Reader.read()`', 'lib/a.ts:14-20'],
    ['`Reader::read`', 'lib/a.ts:14-20'],
    ['`reader.read`', 'lib/a.ts:14-20'],
    ['`new Reader()`', 'lib/a.ts:12-30'],
    ['read', 'lib/a.ts:14-20'],
  ])('%s', (answer, citation) => {
    expect(check(answer)).toEqual({ citations: [expect.anything()], unknownPaths: [], unknownSymbols: [] });
    expect(paths(answer)).toEqual([citation]);
  });

  it('cites a name that two files declare only where the answer names one of them', () => {
    expect(paths('`open` opens it')).toEqual([]);
    expect(paths('`open` in src/index.ts')).toEqual(['src/index.ts:1-5']);
    expect(paths('`open` in lib/deep/b.ts:4')).toEqual(['lib/deep/b.ts:4-8', 'lib/deep/b.ts:4-4']);
  });

  it('tells unknown names, and only those', () => {
    const answer = '`parseBody` calls readAll(), then some_helper and `Reader.close`; `headerLength` and `npm` occur.';
    expect(check(answer).unknownSymbols).toEqual(['parseBody', 'readAll', 'some_helper', 'Reader.close']);
    expect(check('`const`, `null`, `JSON.stringify()`, `console.log(x)`, `a + b`, JavaScript').unknownSymbols).toEqual(
      [],
    );
  });
});

describe('whole answers', () => {
  it('keeps the order of the answer and names each place once', () => {
    const answer = 'In `lib/deep/b.ts:4` and `parseHeader` (lib/a.ts:3-9), again lib/deep/b.ts:4.';
    expect(paths(answer)).toEqual(['lib/deep/b.ts:4-4', 'lib/a.ts:3-9']);
  });

  it('leaves code blocks alone, closed or still being written', () => {
    const block = '```ts\nimport { x } from "./missing.ts"; newThing();\n';
    const nothing = { citations: [], unknownPaths: [], unknownSymbols: [] };
    expect(check(block)).toEqual(nothing);
    expect(check(`${block}\`\`\`\nSee a.ts`)).toMatchObject({ citations: [{ path: 'lib/a.ts' }], unknownPaths: [] });
    expect(check('~~~\nmissing.ts\n~~~')).toEqual(nothing);
  });

  it('can be asked for every prefix of a streamed answer', () => {
    const answer = 'It is in `lib/a.ts:3-9`, see `Reader.read()` and (lib/missing.ts).\n```\ncode\n```\nDone.';
    for (let length = 0; length <= answer.length; length++) expect(() => check(answer.slice(0, length))).not.toThrow();
    expect(check(answer)).toMatchObject({ unknownPaths: ['lib/missing.ts'], unknownSymbols: [] });
  });

  it('gets through degenerate answers', () => {
    for (const unit of [
      '(',
      '.',
      '/',
      'a/',
      '`',
      'A',
      'aA',
      '_a',
      '[',
      'a.',
      '```\n',
      'a,',
      ':1',
      '~',
      '``',
      'lib/a.ts:',
    ]) {
      expect(() => check(unit.repeat(Math.ceil(20_000 / unit.length)))).not.toThrow();
    }
  });
});
