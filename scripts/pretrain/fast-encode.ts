// Encodes whole corpora: the same ids as the tokenizer library gives for plain text, but each distinct word is merged
// once and then looked up.
import { byteCharacters, bytesOf, wordsOf } from './bpe.ts';
import type { TokenizerJson } from './tokenizer.ts';

const PAIR = 65_536;
const LARGEST_CACHE = 500_000;

/** Returns an encoder of plain text; special tokens that occur in it are ordinary text. */
export function fastEncoder(tokenizer: TokenizerJson): (text: string) => number[] {
  const { vocab, merges } = tokenizer.model;
  const byteIds = byteCharacters.map((character) => vocab[character]!);
  const ranks = new Map<number, { rank: number; id: number }>();
  merges.forEach(([left, right], rank) => {
    ranks.set(vocab[left]! * PAIR + vocab[right]!, { rank, id: vocab[left + right]! });
  });
  const cache = new Map<string, number[]>();

  const merged = (word: string): number[] => {
    const ids = bytesOf(word).map((byte) => byteIds[byte]!);
    while (ids.length > 1) {
      let best: { rank: number; id: number } | undefined;
      let at = 0;
      for (let i = 0; i + 1 < ids.length; i++) {
        const found = ranks.get(ids[i]! * PAIR + ids[i + 1]!);
        if (found && (!best || found.rank < best.rank)) {
          best = found;
          at = i;
        }
      }
      if (!best) break;
      ids.splice(at, 2, best.id);
    }
    return ids;
  };

  return (text) => {
    const ids: number[] = [];
    for (const word of wordsOf(text)) {
      let found = cache.get(word);
      if (!found) {
        found = merged(word);
        if (cache.size >= LARGEST_CACHE) cache.clear();
        cache.set(word, found);
      }
      for (const id of found) ids.push(id);
    }
    return ids;
  };
}
