import { expect, test } from 'vitest';
import { changedSpans, piecesOf, type TokenSpan } from '../../native-host/corpus/pieces.ts';
import { uniformNumbers } from '../../native-host/model/random.ts';

const uniform = uniformNumbers(7);
const below = (limit: number) => Math.floor(uniform() * limit);
/** Much of it repeats, as lines of code do. */
const randomTokens = (count: number, vocabulary: number) => Array.from({ length: count }, () => below(vocabulary));
const spansOf = (before: number[], now: number[]) => changedSpans(piecesOf(before).hashes, piecesOf(now));

test('pieces cover a document, and each ends where the next begins', () => {
  for (const count of [0, 1, 40, 5000]) {
    const { ends, hashes } = piecesOf(randomTokens(count, 4000));
    expect(ends.at(-1) ?? 0).toBe(count);
    expect(hashes).toHaveLength(ends.length);
    expect([...ends]).toEqual([...ends].sort((a, b) => a - b));
  }
  expect(piecesOf(new Array(1000).fill(5)).ends.length).toBeLessThan(1000 / 8);
  const { ends } = piecesOf(randomTokens(100_000, 4000));
  expect(100_000 / ends.length).toBeGreaterThan(10);
  expect(100_000 / ends.length).toBeLessThan(25);
});

test('nothing changed: no spans; nothing known: everything', () => {
  const tokens = randomTokens(3000, 500);
  expect(spansOf(tokens, tokens)).toEqual([]);
  expect(spansOf([], tokens)).toEqual([{ from: 0, to: 3000 }]);
  expect(spansOf(tokens, [])).toEqual([]);
});

test.each([
  ['something put in', (tokens: number[]) => tokens.toSpliced(100, 0, 9001, 9002, 9003)],
  ['something taken out', (tokens: number[]) => tokens.toSpliced(100, 30)],
  ['a token changed', (tokens: number[]) => tokens.with(100, 9001)],
])('%s near the top changes little, however long the document is', (_, edit) => {
  const tokens = randomTokens(20_000, 4000);
  const spans = spansOf(tokens, edit(tokens));
  expect(spans).not.toEqual([]);
  expect(spans[0]!.from).toBeGreaterThan(100 - 130);
  expect(spans.at(-1)!.to).toBeLessThan(103 + 130);
});

test('a tail that is cut off, and a head, are changes of what is next to them', () => {
  const tokens = randomTokens(5000, 4000);
  expect(spansOf(tokens, tokens.slice(0, 3000)).at(-1)!.to).toBe(3000);
  expect(spansOf(tokens, tokens.slice(2000))[0]!.from).toBe(0);
});

test('whatever is outside of the spans stood together before, for any edits', () => {
  for (let round = 0; round < 300; round++) {
    const vocabulary = [3, 40, 2000][round % 3]!;
    const before = randomTokens(below(1500), vocabulary);
    let now = before;
    for (let edits = below(6); edits > 0; edits--) {
      const at = below(now.length + 1);
      now = now.toSpliced(at, below(40), ...randomTokens(below(40), vocabulary));
      // Blocks move too.
      if (round % 5 === 0) now = [...now.slice(at), ...now.slice(0, at)];
    }
    const spans = spansOf(before, now);
    const text = `,${before.join(',')},`;
    for (const { from, to } of between(spans, now.length)) {
      expect(text).toContain(`,${now.slice(from, to).join(',')},`);
    }
    for (let i = 1; i < spans.length; i++) expect(spans[i]!.from).toBeGreaterThan(spans[i - 1]!.to);
  }
});

test('a switch that is turned in one of many equal blocks is seen', () => {
  const block = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  const before = Array.from({ length: 200 }, () => block).flat();
  const now = before.with(1203, 77);
  const spans = spansOf(before, now);
  expect(spans.some(({ from, to }) => from <= 1203 && to > 1203)).toBe(true);
});

/** The spans of at least two tokens that no span touches. */
function between(spans: readonly TokenSpan[], length: number): TokenSpan[] {
  const free: TokenSpan[] = [];
  let from = 0;
  for (const span of [...spans, { from: length, to: length }]) {
    // The tokens at a seam are in the span; up to them it is one piece of what was.
    if (span.from - from >= 2) free.push({ from, to: span.from });
    from = span.to;
  }
  return free;
}
