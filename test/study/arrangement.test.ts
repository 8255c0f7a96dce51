import { expect, test } from 'vitest';
import type { AdapterVersion } from '../../native-host/store/manifest.ts';
import { chooseArrangement, holderOf } from '../../native-host/study/arrangement.ts';

const few = 40_000;
const many = 400_000;

test.each([
  ['auto', null, 5, few, 'whole', /^One adapter for all 5 packages: 40,000 tokens are no more than the 128,000/],
  ['auto', null, 5, 128_000, 'whole', /no more than/],
  ['auto', null, 5, 128_001, 'each', /^An adapter for each of 5 packages: 128,001 tokens are more than the 128,000/],
  ['auto', 'whole', 5, many, 'whole', /^One adapter for all 5 packages, as before\.$/],
  ['auto', 'each', 5, few, 'each', /^An adapter for each of 5 packages, as before\.$/],
  ['each', 'whole', 5, few, 'each', /as asked for\. Until it is finished, what was there answers\.$/],
  ['whole', 'each', 5, many, 'whole', /as asked for\. Until it is finished, what was there answers\.$/],
  ['each', 'each', 5, few, 'each', /as asked for\.$/],
  ['each', null, 5, few, 'each', /as asked for\.$/],
  ['auto', null, 1, many, 'whole', /^$/],
  ['auto', null, 0, many, 'whole', /^$/],
  ['each', null, 1, many, 'whole', /fewer than two packages are declared/],
] as const)(
  'asked for %s, before %s, %i packages of %i tokens: %s',
  (asked, before, packages, tokens, arrangement, why) => {
    const chosen = chooseArrangement({ asked, before, packages, tokens });
    expect(chosen.arrangement).toBe(arrangement);
    expect(chosen.reason).toMatch(why);
  },
);

const version = (note: Record<string, unknown>): AdapterVersion => ({
  version: 1,
  created: '2026-11-22T00:00:00.000Z',
  bytes: 1,
  sha256: '',
  note,
});
const finished = version({ whole: true });
const unfinished = version({ whole: false });
/** Made elsewhere: nothing says how much of the text it has seen. */
const imported = version({ imported: '/x' });

test.each([
  ['each', finished, finished, 'own'],
  ['each', imported, finished, 'own'],
  ['each', unfinished, finished, 'whole'],
  ['each', unfinished, unfinished, 'whole'],
  ['each', unfinished, null, 'own'],
  ['each', null, unfinished, 'whole'],
  ['each', null, null, null],
  ['whole', finished, finished, 'whole'],
  ['whole', finished, unfinished, 'own'],
  ['whole', unfinished, unfinished, 'own'],
  ['whole', null, unfinished, 'whole'],
  ['whole', unfinished, null, 'own'],
  ['whole', null, null, null],
] as const)('%s: own %j, whole %j: %s answers', (arrangement, own, whole, holder) => {
  expect(holderOf(arrangement, own, whole)).toBe(holder);
});
