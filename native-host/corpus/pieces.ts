/**
 * What of a document changed, token by token. Tokens are cut into pieces where their own values say so, so that an edit
 * moves the cuts around it and no others; two states of a document are compared piece by piece.
 */

/** Tokens from `from` up to and without `to`. */
export interface TokenSpan {
  from: number;
  to: number;
}

export interface Pieces {
  /** For each piece the index after its last token. */
  ends: Uint32Array;
  /** For each piece a hash of its tokens, never 0. */
  hashes: Uint32Array;
}

/** One of so many places is a cut. */
const meanPiece = 16;
const longestPiece = 128;
/** In place of the hash of a piece that was not learned: it equals none. */
export const unlearnedPiece = 0;

export function piecesOf(tokens: ArrayLike<number>): Pieces {
  const ends: number[] = [];
  const hashes: number[] = [];
  let hash = hashSeed;
  let start = 0;
  for (let i = 0; i < tokens.length; i++) {
    hash = Math.imul(hash ^ tokens[i]!, hashPrime);
    const isCut = mixed(tokens[i]!, tokens[i - 1] ?? 0) % meanPiece === 0;
    if (!isCut && i + 1 - start < longestPiece && i + 1 < tokens.length) continue;
    ends.push(i + 1);
    hashes.push(hash >>> 0 || 1);
    hash = hashSeed;
    start = i + 1;
  }
  return { ends: Uint32Array.from(ends), hashes: Uint32Array.from(hashes) };
}

/**
 * Where a document differs from a state of it whose pieces' hashes are `before`: tokens that are new, and the two tokens
 * around each place where something was taken out. Whatever lies between two spans stood together before as well.
 * Sorted, none touches the next.
 */
export function changedSpans(before: Uint32Array, { ends, hashes }: Pieces): TokenSpan[] {
  const places = placesBefore(before, hashes);
  const spans: TokenSpan[] = [];
  const length = ends.at(-1) ?? 0;
  const add = (from: number, to: number) => {
    const last = spans.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, Math.min(to, length));
    else spans.push({ from: Math.max(0, from), to: Math.min(to, length) });
  };
  let expected = 0;
  for (let i = 0; i < hashes.length; i++) {
    const start = ends[i - 1] ?? 0;
    const place = places[i]!;
    if (place === nowhere) add(start, ends[i]!);
    else {
      if (place !== expected) add(start - 1, start + 1);
      expected = place + 1;
    }
  }
  if (expected !== before.length && length > 0) add(length - 1, length);
  return spans;
}

const nowhere = -1;

/**
 * For each piece the index of the one that it was, or `nowhere`; those found ascend. Equal ends come first, then pieces
 * that occur once in both states, in the longest order they have in common, and from these whatever is equal beside them.
 */
function placesBefore(before: Uint32Array, now: Uint32Array): Int32Array {
  const places = new Int32Array(now.length).fill(nowhere);
  let lastNow = -1;
  let lastBefore = -1;
  const goOn = () => {
    while (lastNow + 1 < now.length && lastBefore + 1 < before.length && now[lastNow + 1] === before[lastBefore + 1]) {
      lastNow += 1;
      lastBefore += 1;
      places[lastNow] = lastBefore;
    }
  };
  const goBack = (fromNow: number, fromBefore: number) => {
    for (let i = fromNow, j = fromBefore; i > lastNow && j > lastBefore && now[i] === before[j]; i--, j--)
      places[i] = j;
  };
  goOn();
  for (const [i, j] of lastNow + 1 < now.length ? commonOrder(before, now) : []) {
    if (i <= lastNow || j <= lastBefore) continue;
    goBack(i, j);
    lastNow = i;
    lastBefore = j;
    goOn();
  }
  goBack(now.length - 1, before.length - 1);
  return places;
}

/** Pairs of indices (now, before) of pieces that occur once in each, both ascending, as many as there can be. */
function commonOrder(before: Uint32Array, now: Uint32Array): [number, number][] {
  const inBefore = onlyPlaces(before);
  const pairs = [...onlyPlaces(now)].flatMap(([hash, i]): [number, number][] => {
    const j = inBefore.get(hash) ?? nowhere;
    return i === nowhere || j === nowhere ? [] : [[i, j]];
  });
  // The longest ascending subsequence: for each length the pair that ends it lowest, and for each pair the one before it.
  const lowest: number[] = [];
  const previous = new Int32Array(pairs.length);
  for (const [at, [, j]] of pairs.entries()) {
    let low = 0;
    let high = lowest.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[lowest[middle]!]![1] < j) low = middle + 1;
      else high = middle;
    }
    previous[at] = low === 0 ? nowhere : lowest[low - 1]!;
    lowest[low] = at;
  }
  const order: [number, number][] = [];
  for (let at = lowest.at(-1) ?? nowhere; at !== nowhere; at = previous[at]!) order.push(pairs[at]!);
  return order.reverse();
}

/** The place of each hash; `nowhere` where it has several. In the order of first places. */
function onlyPlaces(hashes: Uint32Array): Map<number, number> {
  const places = new Map<number, number>();
  for (const [i, hash] of hashes.entries()) {
    if (hash !== unlearnedPiece) places.set(hash, places.has(hash) ? nowhere : i);
  }
  return places;
}

// FNV-1a over whole tokens: two pieces that differ in one token never have the same hash.
const hashSeed = 0x811c9dc5;
const hashPrime = 0x01000193;

function mixed(token: number, tokenBefore: number): number {
  const product = Math.imul(token ^ Math.imul(tokenBefore + 1, 0x85ebca6b), 0x9e3779b1);
  return (product ^ (product >>> 15)) >>> 0;
}
