import { expect, test } from 'vitest';
import { factKinds, wordingsOf } from '../../../native-host/corpus/questions/wordings.ts';
import { changeTemplates } from '../../../native-host/corpus/questions/wordings-changes.ts';
import { unseenKinds, unseenWordingsOf } from '../../../native-host/study/eval/unseen-wordings.ts';

/** Slots that give back their own names in braces. */
const slots = new Proxy({} as Record<string, string>, { get: (_, slot) => `{${String(slot)}}` });

test('every kind of fact that has held-back wordings has two that nobody trains on', () => {
  const kinds = factKinds.filter((kind) => wordingsOf({ kind, slots }).some(({ heldBack }) => heldBack));
  expect([...unseenKinds].sort()).toEqual([...kinds].sort());
  expect(unseenWordingsOf({ kind: Object.keys(changeTemplates)[0]!, slots })).toBeNull();
});

test.each(unseenKinds)('%s: they are no wording of training, and ask with the same words of the fact', (kind) => {
  const letters = (text: string) => text.toLowerCase().replace(/[^a-z{}]/g, '');
  const known = wordingsOf({ kind, slots }).map(({ text }) => text);
  const slotsIn = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const text of unseenWordingsOf({ kind, slots })!) {
    expect(known.map(letters)).not.toContain(letters(text));
    expect(slotsIn(text)).toEqual(slotsIn(known[0]!));
  }
});
