/** The likeliest tokens after a text, as a teacher sees them: what a student is to find as likely. */

/** More say little: they hold nearly all of what a language model thinks likely. */
export const topCount = 20;

/** Of n positions, one after another: ids and log probabilities [n · 20], of each position the likeliest token first. */
export interface TopTokens {
  ids: Uint32Array;
  logProbabilities: Float32Array;
}

/**
 * The likeliest tokens of logits [n · V], with log softmax over all V. Of equal logits the lower id comes first.
 * Errors: RangeError where V is less than 20 or does not divide the logits.
 */
export function topTokens(logits: Float32Array, vocabSize: number): TopTokens {
  const rows = logits.length / vocabSize;
  if (vocabSize < topCount || !Number.isInteger(rows))
    throw new RangeError(`${logits.length} logits are not those of some positions with ${vocabSize} tokens each`);
  const ids = new Uint32Array(rows * topCount);
  const logProbabilities = new Float32Array(rows * topCount);
  for (let row = 0; row < rows; row++) {
    const of = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
    const likeliest = likeliestOf(of);
    const highest = of[likeliest[0]!]!;
    let sum = 0;
    for (const logit of of) sum += Math.exp(logit - highest);
    const logSum = highest + Math.log(sum);
    for (const [i, id] of likeliest.entries()) {
      ids[row * topCount + i] = id;
      logProbabilities[row * topCount + i] = of[id]! - logSum;
    }
  }
  return { ids, logProbabilities };
}

function likeliestOf(logits: Float32Array): number[] {
  const best: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (best.length === topCount && logit <= least) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]!]! < logit) at -= 1;
    best.splice(at, 0, id);
    if (best.length > topCount) best.pop();
    least = logits[best.at(-1)!]!;
  }
  return best;
}

/** Those of several texts, one after another. */
export function joinedTopTokens(parts: readonly TopTokens[]): TopTokens {
  const length = parts.reduce((sum, { ids }) => sum + ids.length, 0);
  const ids = new Uint32Array(length);
  const logProbabilities = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    ids.set(part.ids, at);
    logProbabilities.set(part.logProbabilities, at);
    at += part.ids.length;
  }
  return { ids, logProbabilities };
}
