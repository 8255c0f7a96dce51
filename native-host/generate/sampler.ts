// Picks the next token from the model's logits. A sampler is a function that a factory returns.
import { uniformNumbers } from '../model/random.ts';

export interface SamplerOptions {
  /** 0 takes the likeliest token always; 1 samples as the model says; up to 10. */
  temperature: number;
  /** Only the likeliest tokens whose probabilities first reach this sum are sampled from; 1 keeps all. */
  topP?: number;
  /** The same seed and logits give the same tokens. */
  seed?: number;
  /** Above 1, logits of the last 64 tokens that this sampler gave are weakened by this factor, as in CTRL (arXiv 1909.05858). */
  repetitionPenalty?: number;
}

const REMEMBERED_TOKENS = 64;

/** A function from logits [V] to a token id. It throws when the logits hold no answer, such as NaN. */
export function sampler(options: SamplerOptions): (logits: Float32Array) => number {
  const { temperature, topP = 1, seed = 0, repetitionPenalty = 1 } = options;
  requireBetween('temperature', temperature, 0, 10);
  requireBetween('topP', topP, 0, 1);
  requireBetween('repetitionPenalty', repetitionPenalty, 1, 10);
  const uniform = uniformNumbers(seed);
  const recent: number[] = [];
  return (logits) => {
    const penalized = repetitionPenalty === 1 ? logits : weakened(logits, recent, repetitionPenalty);
    const best = likeliest(penalized);
    const id =
      temperature === 0 || penalized[best] === Number.POSITIVE_INFINITY
        ? best
        : sampled(penalized, penalized[best]!, temperature, topP, uniform());
    recent.push(id);
    if (recent.length > REMEMBERED_TOKENS) recent.shift();
    return id;
  };
}

/** The first of the largest logits. */
function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (Number.isNaN(logit)) {
      throw new Error(
        `The model gave no number for token ${id}. Its weights or the adapter may be damaged: try without the adapter`,
      );
    }
    if (logit > logits[best]!) best = id;
  }
  if (logits.length === 0 || logits[best] === Number.NEGATIVE_INFINITY) {
    throw new Error(
      `The model rules out all of its ${logits.length} tokens. Its weights or the adapter may be damaged: try without the adapter`,
    );
  }
  return best;
}

function sampled(logits: Float32Array, largest: number, temperature: number, topP: number, point: number): number {
  const weights = new Float64Array(logits.length);
  let sum = 0;
  for (let id = 0; id < logits.length; id++) {
    const weight = Math.exp((logits[id]! - largest) / temperature);
    weights[id] = weight;
    sum += weight;
  }
  if (topP >= 1) return atPoint(weights.keys(), weights, point * sum);
  // All tokens below this weight together hold less than 1 − topP, so they need not be sorted.
  const least = ((1 - topP) * sum) / logits.length;
  const candidates: number[] = [];
  for (let id = 0; id < weights.length; id++) if (weights[id]! >= least) candidates.push(id);
  candidates.sort((a, b) => weights[b]! - weights[a]! || a - b);
  let kept = 0;
  let keptSum = 0;
  do keptSum += weights[candidates[kept++]!]!;
  while (kept < candidates.length && keptSum < topP * sum);
  return atPoint(candidates.slice(0, kept), weights, point * keptSum);
}

/** The id at which the running sum of weights passes the point. */
function atPoint(ids: Iterable<number>, weights: Float64Array, point: number): number {
  let left = point;
  let last = 0;
  for (const id of ids) {
    if (weights[id] === 0) continue;
    last = id;
    left -= weights[id]!;
    if (left < 0) return id;
  }
  return last;
}

function weakened(logits: Float32Array, recent: readonly number[], penalty: number): Float32Array {
  const result = logits.slice();
  for (const id of new Set(recent)) {
    const logit = result[id];
    if (logit !== undefined) result[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
  return result;
}

function requireBetween(name: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most))
    throw new RangeError(`${name} must be from ${least} to ${most}, got ${value}`);
}
