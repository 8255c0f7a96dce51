import { describe, expect, it } from 'vitest';
import type { Document } from '../../native-host/corpus/documents.ts';
import { openEvidence } from '../../native-host/generate/evidence.ts';
import { linesOf, passagesOf } from '../../native-host/generate/passages.ts';
import { questionTerms, termsOf } from '../../native-host/generate/terms.ts';

function document(path: string, text: string): Document {
  return { path, text, hash: '', language: path.endsWith('.md') ? 'markdown' : 'typescript' };
}

const filler = (name: string, lines: number) =>
  Array.from({ length: lines }, (_, index) => `const ${name}${index} = compute${index}(${index});`).join('\n');

const documents = [
  document(
    'lib/http-header.ts',
    `${filler('alpha', 40)}\n\nexport function parseHTTPHeader(text: string) {\n  return text;\n}\n`,
  ),
  document('lib/cache.ts', `// Vacuum removes what nobody reads.\nexport class Cache {\n  max_entry_count = 12;\n}\n`),
  document(
    'lib/user.ts',
    `import { parseHTTPHeader } from './http-header.ts';\n${filler('beta', 20)}\nparseHTTPHeader('');\n`,
  ),
  document('README.md', '# Project\n\n## Install\n\nRun the installer.\n'),
];

describe('terms', () => {
  it('keeps identifiers whole and gives their parts', () => {
    expect(termsOf('parseHTTPHeader2(max_entry_count)')).toEqual([
      'parsehttpheader2',
      'parse',
      'http',
      'header',
      '2',
      'max_entry_count',
      'max',
      'entry',
      'count',
    ]);
    expect(termsOf('lib/http-header.ts')).toEqual(['lib', 'http', 'header', 'ts']);
    expect(termsOf('größe Überlauf 名前')).toEqual(['größe', 'überlauf', '名前']);
  });

  it('drops what every question says, unless nothing else is there', () => {
    expect(questionTerms('Where is the function parseHTTPHeader defined?')).toEqual([
      'parsehttpheader',
      'parse',
      'http',
      'header',
    ]);
    expect(questionTerms('What is it?')).toEqual(['what', 'is', 'it']);
  });
});

describe('passages', () => {
  it('cover every line once, in 20 to 30 lines, between declarations where it can', () => {
    const text = Array.from({ length: 12 }, (_, index) => `function f${index}() {\n${'  step();\n'.repeat(9)}}\n`).join(
      '\n',
    );
    const lines = linesOf(text);
    const spans = passagesOf(lines);
    expect(spans[0]!.startLine).toBe(1);
    expect(spans.at(-1)!.endLine).toBe(lines.length);
    for (const [index, span] of spans.entries()) {
      if (index > 0) expect(span.startLine).toBe(spans[index - 1]!.endLine + 1);
      expect(lines[span.startLine - 1]).toMatch(/^function/);
    }
    for (const { startLine, endLine } of spans.slice(0, -1)) {
      expect(endLine - startLine + 1).toBeGreaterThanOrEqual(20);
      expect(endLine - startLine + 1).toBeLessThanOrEqual(30);
    }
  });

  it('counts lines as editors do', () => {
    expect(linesOf('a\r\nb\rc\n')).toEqual(['a', 'b', 'c']);
    expect(linesOf('')).toEqual(['']);
    expect(passagesOf(linesOf('one'))).toEqual([{ startLine: 1, endLine: 1 }]);
  });
});

describe('evidence', () => {
  it('puts the declaration before its uses, with the right lines', () => {
    const [first, second] = openEvidence(documents).search('Where is parseHTTPHeader defined?', 5);
    expect(first!.path).toBe('lib/http-header.ts');
    expect(first!.text).toContain('export function parseHTTPHeader');
    const lines = documents[0]!.text.split('\n');
    expect(first!.text).toBe(lines.slice(first!.startLine - 1, first!.endLine).join('\n'));
    expect(second!.path).not.toBe('');
  });

  it.each([
    ['What does vacuuming do?', 'lib/cache.ts'],
    ['How many entries, entry count at most?', 'lib/cache.ts'],
    ['what is in lib/user.ts', 'lib/user.ts'],
    ['how do I install this', 'README.md'],
  ])('%s', (question, path) => {
    expect(openEvidence(documents).search(question, 1)[0]!.path).toBe(path);
  });

  it('prefers the paths that are named to it, and shows them even when nothing matches', () => {
    const evidence = openEvidence(documents);
    const paths = (boostPaths: string[]) => evidence.search('header', 4, { boostPaths }).map(({ path }) => path);
    expect(paths([])[0]).toBe('lib/http-header.ts');
    expect(paths(['lib/cache.ts'])).toContain('lib/cache.ts');
    expect(paths(['lib/missing.ts'])).toEqual(paths([]));
    expect(evidence.search('header', 4, { boostPaths: ['lib/user.ts'] })[0]!.score).toBeGreaterThan(0);
  });

  it('follows changes and removals', () => {
    const evidence = openEvidence(documents);
    evidence.put(document('lib/cache.ts', 'export class Store {}\n'));
    expect(evidence.search('vacuum', 3)).toEqual([]);
    expect(evidence.search('Store', 3).map(({ path }) => path)).toEqual(['lib/cache.ts']);
    evidence.remove('lib/cache.ts');
    evidence.remove('lib/never-there.ts');
    expect(evidence.search('Store', 3)).toEqual([]);
    evidence.put(documents[1]!);
    expect(evidence.search('vacuum', 3).map(({ path }) => path)).toEqual(['lib/cache.ts']);
    expect(evidence.has('max_entry_count') && evidence.has('parseHTTPHeader') && evidence.has('readme')).toBe(true);
    expect(evidence.has('nowhere') || evidence.has('')).toBe(false);
  });

  it('stays within its limit, most important first, and says what it left out', () => {
    const evidence = openEvidence([...documents, document('test/large.test.ts', filler('gamma', 400))], 8);
    expect(evidence.leftOut).toEqual(['test/large.test.ts']);
    expect(evidence.passages).toBeLessThanOrEqual(8);
    evidence.put(document('test/large.test.ts', 'small'));
    expect(evidence.leftOut).toEqual([]);
  });

  it('takes strange questions', () => {
    const evidence = openEvidence(documents);
    for (const question of ['', '???', '__proto__ constructor', 'x'.repeat(10_000), '\u0000\ud800', '^(a+)+$']) {
      expect(() => evidence.search(question, 3)).not.toThrow();
    }
    expect(evidence.search('header', 0)).toEqual([]);
    expect(openEvidence([]).search('header', 3)).toEqual([]);
  });

  it('indexes a hundred thousand lines', () => {
    const many = Array.from({ length: 250 }, (_, index) =>
      document(`src/file${index}.ts`, filler(`value${index}_`, 400)),
    );
    const evidence = openEvidence(many);
    expect(evidence.leftOut).toEqual([]);
    expect(evidence.search('where is value117_333', 1)[0]).toMatchObject({ path: 'src/file117.ts' });
  });
});
