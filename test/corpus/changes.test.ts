import { describe, expect, it } from 'vitest';
import { changeFacts, snapshotOf as snapshotFrom, toldFacts } from '../../native-host/corpus/changes.ts';
import { type Document, documentFrom } from '../../native-host/corpus/documents.ts';
import { factKey } from '../../native-host/corpus/questions/fact.ts';
import { factsOf } from '../../native-host/corpus/questions/facts.ts';
import { readRepository } from '../../native-host/corpus/questions/repository.ts';
import { wordingsOf } from '../../native-host/corpus/questions/wordings.ts';

const documentsFrom = (files: Record<string, string>): Document[] =>
  Object.entries(files).map(([path, text]) => documentFrom(path, text));

const snapshotOf = async (documents: readonly Document[]) => snapshotFrom(documents, await readRepository(documents));

async function changes(before: Record<string, string>, after: Record<string, string>): Promise<string[]> {
  const previous = JSON.parse(JSON.stringify(await snapshotOf(documentsFrom(before))));
  const facts = changeFacts(previous, await snapshotOf(documentsFrom(after)));
  return facts.map((fact) => `${fact.kind} ${fact.subject} -> ${fact.answer}`);
}

const start = {
  'a.ts': 'export function one() {}\nexport function two() {}\n',
  'b.ts': 'export class Box { open() {} }\n',
  'README.md': '# Hello\n',
};

describe('changeFacts', () => {
  it('says nothing when nothing changed', async () => {
    expect(await changes(start, start)).toEqual([]);
    expect(await changes(start, { ...start, 'c.ts': 'export function three() {}\n' })).toEqual([]);
  });

  it('sees a renamed file, and not its symbols one by one', async () => {
    const { 'a.ts': text, ...others } = start;
    expect(await changes(start, { ...others, 'lib/a2.ts': text })).toEqual(['renamed a.ts -> lib/a2.ts']);
  });

  it('sees a symbol that moved to another file', async () => {
    const after = {
      ...start,
      'a.ts': 'export function one() {}\n',
      'b.ts': `${start['b.ts']}export function two() {}\n`,
    };
    expect(await changes(start, after)).toEqual(['moved two -> b.ts']);
  });

  it('sees files and symbols that are gone', async () => {
    const { 'b.ts': _, ...others } = start;
    expect(await changes(start, { ...others, 'a.ts': 'export function one() {}\n' })).toEqual([
      'removed Box -> removed',
      'removed Box.open -> removed',
      'removed b.ts -> removed',
      'removed two -> removed',
      'stays one -> a.ts',
    ]);
  });

  it('says of as many symbols as are gone that they are still there, in the same words', async () => {
    const names = ['red', 'green', 'blue', 'black', 'white', 'brown'];
    const file = (all: string[]) => all.map((name) => `export function ${name}() {}\n`).join('');
    const before = { 'colours.ts': file(names), 'two.ts': 'export function one() {}\nexport function two() {}\n' };
    const after = { ...before, 'two.ts': '\n' };
    const said = await changes(before, after);
    expect(said.filter((fact) => fact.startsWith('removed'))).toEqual([
      'removed one -> removed',
      'removed two -> removed',
    ]);
    expect(said.filter((fact) => fact.startsWith('stays'))).toEqual([
      'stays black -> colours.ts',
      'stays red -> colours.ts',
    ]);
    const asked = (kind: string) => wordingsOf({ kind, slots: { name: 'red' } }).map(({ text }) => text);
    expect(asked('stays')).toEqual(asked('removed'));
  });

  it('says nothing of names that stand in several files', async () => {
    expect(await changes(start, { ...start, 'c.ts': 'export function one(a) {}\n' })).toEqual([]);
    expect(await changes({ ...start, 'c.ts': 'export function one(a) {}\n' }, start)).toEqual([
      'removed c.ts -> removed',
      'stays two -> a.ts',
    ]);
  });

  it('does not guess between two copies', async () => {
    const { 'a.ts': text, ...others } = start;
    const found = await changes(start, { ...others, 'x.ts': text, 'y.ts': text });
    expect(found).toEqual(['removed a.ts -> removed', 'stays Box -> b.ts']);
  });

  it('survives names that every object has', async () => {
    expect(await changes({ 'a.js': 'export function toString() {}\n' }, { 'b.js': '1\n' })).toEqual([
      'removed a.js -> removed',
      'removed toString -> removed',
    ]);
  });

  it('makes facts that contradict where a symbol was', async () => {
    const previous = await snapshotOf(documentsFrom(start));
    const [gone] = changeFacts(previous, await snapshotOf(documentsFrom({ ...start, 'b.ts': '// nothing\n' })));
    const defined = (await factsOf(documentsFrom(start))).find(
      (fact) => fact.kind === 'defined-in' && fact.subject === 'Box',
    );
    expect(gone && factKey(gone)).toBe(defined && factKey(defined));
    expect(gone?.kind).toBe('removed');
    expect(gone && wordingsOf(gone)[0]?.text).toBe('Does Box still exist?');
  });
});

describe('toldFacts', () => {
  /** What is told where all questions about the files before were learned, besides what changeFacts says. */
  async function told(before: Record<string, string>, after: Record<string, string>): Promise<string[]> {
    const asked = (await factsOf(documentsFrom(before))).map((fact) => ({ key: factKey(fact), path: fact.path }));
    const holding = new Set((await factsOf(documentsFrom(after))).map(factKey));
    const [previous, current] = [await snapshotOf(documentsFrom(before)), await snapshotOf(documentsFrom(after))];
    const changed = changeFacts(previous, current).length;
    const facts = toldFacts(previous, current, asked, holding).slice(changed);
    return facts.map((fact) => `${wordingsOf(fact)[0]!.text} ${fact.answer}`);
  }

  const files = {
    'lib/a.ts':
      "import { helper } from './b';\nexport function one(size, name) { return two(size); }\nfunction two(x) {}\n",
    'lib/b.ts': 'export function helper(width) { return 1; }\n',
  };

  it('answers every question about a removed file and its symbols with that', async () => {
    const { 'lib/b.ts': kept } = files;
    const facts = await told(files, { 'lib/b.ts': kept });
    expect(facts).toContain('Where is one defined? removed');
    expect(facts).toContain('What are the parameters of one? removed');
    expect(facts).toContain('Which functions of this repository does one call? removed');
    expect(facts).toContain('What is the path of a.ts? removed');
    expect(facts).toContain('Which symbols does lib/a.ts define? removed');
    expect(facts).toContain('From which module does lib/a.ts import helper? removed');
    expect(facts.join()).not.toMatch(/(is|of) helper|b\.ts/);
  });

  it('answers questions about a renamed file with its new path', async () => {
    const { 'lib/b.ts': text, 'lib/a.ts': other } = files;
    const facts = await told(files, { 'lib/a.ts': other.replace('./b', './c'), 'lib/c.ts': text });
    expect(facts).toContain('What is the path of b.ts? lib/c.ts');
    expect(facts).toContain('Which symbols does lib/b.ts define? lib/c.ts');
    expect(facts.join()).not.toMatch(/helper/);
  });

  it('says nothing of what still holds, nor of what only is not asked any more', async () => {
    expect(await told(files, files)).toEqual([]);
    expect(await told(files, { ...files, 'lib/b.ts': `${files['lib/b.ts']}const one = 1;\n` })).toEqual([]);
  });

  it('tells of a removed folder no more than a refresh can learn, and of all of it', async () => {
    const folder = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        `old/f${i}.js`,
        `export function first${i}(a) {}\nfunction second${i}(b) {}\n`,
      ]),
    );
    const asked = (await factsOf(documentsFrom(folder))).map((fact) => ({ key: factKey(fact), path: fact.path }));
    const facts = toldFacts(await snapshotOf(documentsFrom(folder)), await snapshotOf([]), asked, new Set());
    expect(facts).toHaveLength(200);
    expect(new Set(facts.map(({ path }) => path)).size).toBe(40);
    expect(new Set(facts.map(({ kind }) => kind)).size).toBeGreaterThan(4);
  });
});
