import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readCorpus } from '../../native-host/corpus/documents.ts';
import { makeFact } from '../../native-host/corpus/questions/fact.ts';
import { factsOf } from '../../native-host/corpus/questions/facts.ts';
import { factKinds, slotsFor, wordingsOf } from '../../native-host/corpus/questions/wordings.ts';

const semver = fileURLToPath(new URL('../../node_modules/semver', import.meta.url));

const slots = {
  name: 'parseLine',
  parameters: 'text, start',
  value: "'abc'",
  key: 'main',
  path: 'lib/parse.js',
  folder: 'lib',
  file: 'parse.js',
  module: './scan.js',
  doc: 'Parses one line',
  heading: 'Usage',
  purpose: 'Reads lines',
};
const changes = ['moved', 'renamed', 'removed', 'stays'];

describe('wordingsOf', () => {
  it.each(factKinds.filter((kind) => !changes.includes(kind)))(
    'has twelve wordings and more for "%s", four of them held back',
    (kind) => {
      const wordings = wordingsOf({ kind, slots });
      expect(wordings.length).toBeGreaterThanOrEqual(16);
      expect(wordings.filter((one) => one.heldBack)).toHaveLength(4);
      expect(wordings.map((one) => one.index)).toEqual(wordings.map((_, index) => index));
      expect(new Set(wordings.map((one) => one.text.toLowerCase())).size).toBe(wordings.length);
      for (const { text } of wordings) {
        expect(text).not.toMatch(/[{}]/);
        // Every wording names the subject as it is.
        const named = Object.values(slots).filter((slot) => wordings[0]?.text.includes(slot));
        for (const slot of named) expect(text).toContain(slot);
      }
    },
  );

  it.each(changes)('only trains on what changed: "%s"', (kind) => {
    const wordings = wordingsOf({ kind, slots });
    expect(wordings.length).toBeGreaterThanOrEqual(12);
    expect(wordings.some((one) => one.heldBack)).toBe(false);
  });

  it('holds back wordings that share few words with the trained ones', () => {
    const words = (text: string) => new Set(text.toLowerCase().match(/[a-z]+/g));
    for (const kind of factKinds.filter((one) => !changes.includes(one))) {
      const blank = Object.fromEntries(Object.keys(slots).map((slot) => [slot, '#']));
      const wordings = wordingsOf({ kind, slots: blank });
      for (const held of wordings.filter((one) => one.heldBack)) {
        for (const trained of wordings.filter((one) => !one.heldBack)) {
          const [a, b] = [words(held.text), words(trained.text)];
          const shared = [...a].filter((word) => b.has(word)).length;
          expect(shared / new Set([...a, ...b]).size, `${held.text} / ${trained.text}`).toBeLessThan(0.65);
        }
      }
    }
  });

  it('gives the wordings of one kind the same places whatever the fact', () => {
    const one = makeFact({
      kind: 'defined-in',
      stratum: 'structure',
      path: 'a.ts',
      line: 1,
      subject: 'A',
      slots: { name: 'A' },
      answer: 'a.ts',
    });
    const two = { kind: 'defined-in', slots: { name: '$& $1' } };
    expect(wordingsOf(one).map((wording) => wording.text.replaceAll('A', () => '$& $1'))[0]).toBe(
      wordingsOf(two)[0]?.text,
    );
  });

  it('refuses kinds and slots that it does not know', () => {
    expect(() => wordingsOf({ kind: 'nonsense', slots })).toThrow(/nonsense/);
    expect(() => wordingsOf({ kind: 'signature', slots: {} })).toThrow(/name/);
  });
});

describe('slotsFor', () => {
  it('are those of each fact, by its kind and subject', async () => {
    const facts = await factsOf((await readCorpus(semver)).documents);
    const known = facts.filter(({ kind, subject }) => slotsFor(kind, subject) !== null);
    for (const { kind, subject, slots } of known) expect(slotsFor(kind, subject), `${kind} ${subject}`).toEqual(slots);
    expect(known.length).toBe(facts.length);
  });

  it('are unknown for a kind that nobody asks, and for a subject without what the question names', () => {
    expect(slotsFor('toString', 'x')).toBeNull();
    expect(slotsFor('import-source', 'x')).toBeNull();
  });
});
