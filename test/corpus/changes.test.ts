import { describe, expect, it } from 'vitest';
import { changeFacts, snapshotOf as snapshotFrom } from '../../native-host/corpus/changes.ts';
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
