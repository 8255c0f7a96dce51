// What of the readable documents is worth one of few minutes of training: no tests, and of a large package a part.
import type { PretrainingDocument } from '../corpus.ts';

const TEST =
  /(^|\/)(__)?(tests?|testdata|testing|fixtures|spec|benches|benchmarks?)(__)?\/|(^|\/)(test_[^/]*|[^/]*[._-](test|tests|spec))\.\w+$|_test\.go$|conftest\.py$/;

/** Most characters of a package in a language: what the product's users write most of has most. */
const MOST: Record<string, number> = { go: 600_000, rust: 600_000, c: 600_000, cpp: 600_000, python: 1_800_000 };
const MOST_ELSE = 4_000_000;

/** Documents come in an order that says nothing of them, so the first ones are a fair part. */
export async function* balanced(documents: AsyncIterable<PretrainingDocument>): AsyncGenerator<PretrainingDocument> {
  const taken = new Map<string, number>();
  for await (const document of documents) {
    const { language, path, text } = document;
    if (TEST.test(path)) continue;
    const key = `${document.package} ${language}`;
    const size = (taken.get(key) ?? 0) + text.length;
    if (size > (MOST[language] ?? MOST_ELSE)) continue;
    taken.set(key, size);
    yield document;
  }
}
