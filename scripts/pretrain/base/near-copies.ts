// Packages hold the same code several times: built for two module systems, vendored, in two versions. One is enough.
import type { PretrainingDocument } from '../corpus.ts';
import { shinglesOf } from '../excluded.ts';

/** Of all shingles one in so many is remembered, which ones is told by their hash: the same text gives the same ones. */
const SAMPLE = 6;
const LARGEST_KNOWN_SHARE = 0.5;

/** Passes on what is mostly new; `report` is told of each document that is not. */
export async function* withoutNearCopies(
  documents: AsyncIterable<PretrainingDocument>,
  report: (document: PretrainingDocument) => void,
): AsyncGenerator<PretrainingDocument> {
  const seen = new Set<number>();
  for await (const document of documents) {
    const lines = document.text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
    const sampled = shinglesOf(lines).filter((shingle) => shingle % SAMPLE === 0);
    const known = sampled.filter((shingle) => seen.has(shingle)).length;
    if (sampled.length > 0 && known / sampled.length > LARGEST_KNOWN_SHARE) {
      report(document);
      continue;
    }
    for (const shingle of sampled) seen.add(shingle);
    yield document;
  }
}
