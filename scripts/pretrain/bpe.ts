// Byte-level byte-pair encoding: how text is cut into words, and which pairs are worth a token.

/**
 * Cuts text into words; merges never cross them. Made for source text and a small vocabulary: identifiers fall apart at
 * case changes, so that their parts are shared; digits stand alone; white space that holds a line break is one word
 * together with the indentation after it. Classes are spelled out, because `\s` differs between regex engines.
 */
export const WORD_PATTERN = [
  ' ?\\p{Lu}?\\p{Ll}+',
  ' ?\\p{Lu}+(?!\\p{Ll})',
  ' ?[\\p{Lt}\\p{Lm}\\p{Lo}]+',
  '\\p{N}',
  '[\\t-\\r ]*[\\r\\n][\\t-\\r ]*',
  ' ?[^\\t-\\r \\p{L}\\p{N}]+',
  '[\\t-\\r ]+(?![^\\t-\\r ])',
  '[\\t-\\r ]',
].join('|');

/** GPT-2's alphabet: a printable character for each byte. */
export const byteCharacters: string[] = (() => {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

const encoder = new TextEncoder();

export function bytesOf(word: string): number[] {
  return Array.from(encoder.encode(word));
}

export function wordsOf(text: string): string[] {
  return text.match(new RegExp(WORD_PATTERN, 'gu')) ?? [];
}

export function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

const PAIR = 65_536;

/**
 * Learns `merges` pairs, most frequent first; units 0–255 are bytes and merge k makes unit 256 + k. Counts change only
 * around the words that a merge touches. Ties go to the lower pair, so equal counts give equal merges.
 */
export function trainMerges(counts: Map<string, number>, merges: number): [number, number][] {
  const words: number[][] = [];
  const weights: number[] = [];
  const pairCounts = new Map<number, number>();
  const pairWords = new Map<number, Set<number>>();
  const add = (pair: number, weight: number, word: number) => {
    pairCounts.set(pair, (pairCounts.get(pair) ?? 0) + weight);
    const found = pairWords.get(pair);
    if (found) found.add(word);
    else pairWords.set(pair, new Set([word]));
  };
  for (const [word, count] of counts) {
    const units = bytesOf(word);
    if (units.length < 2) continue;
    for (let i = 0; i + 1 < units.length; i++) add(units[i]! * PAIR + units[i + 1]!, count, words.length);
    words.push(units);
    weights.push(count);
  }
  const learned: [number, number][] = [];
  while (learned.length < merges) {
    let best = -1;
    let bestCount = 1;
    for (const [pair, count] of pairCounts) {
      if (count > bestCount || (count === bestCount && pair < best)) {
        best = pair;
        bestCount = count;
      }
    }
    if (best < 0) break;
    const left = Math.floor(best / PAIR);
    const right = best % PAIR;
    const unit = 256 + learned.length;
    learned.push([left, right]);
    for (const index of pairWords.get(best)!) {
      const units = words[index]!;
      const weight = weights[index]!;
      for (let i = 0; i + 1 < units.length; i++) {
        if (units[i] !== left || units[i + 1] !== right) continue;
        if (i > 0) {
          add(units[i - 1]! * PAIR + left, -weight, index);
          add(units[i - 1]! * PAIR + unit, weight, index);
        }
        if (i + 2 < units.length) {
          add(right * PAIR + units[i + 2]!, -weight, index);
          add(unit * PAIR + units[i + 2]!, weight, index);
        }
        units.splice(i, 2, unit);
      }
    }
    pairCounts.delete(best);
    pairWords.delete(best);
  }
  return learned;
}
