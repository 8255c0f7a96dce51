import { describe, expect, it } from 'vitest';
import { sampler } from '../../native-host/generate/sampler.ts';

const logits = Float32Array.from([0, 1, 3, 3, -2]);

function draws(options: Parameters<typeof sampler>[0], count: number, from = logits): number[] {
  const next = sampler(options);
  return Array.from({ length: count }, () => next(from));
}

function shares(ids: number[], size: number): number[] {
  return Array.from({ length: size }, (_, id) => ids.filter((other) => other === id).length / ids.length);
}

function softmax(values: Float32Array, temperature: number): number[] {
  const weights = [...values].map((value) => Math.exp(value / temperature));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

describe('sampler', () => {
  it('takes the first of the likeliest at temperature 0', () => {
    expect(draws({ temperature: 0 }, 3)).toEqual([2, 2, 2]);
  });

  it.each([1, 0.7, 3])('samples as the model says at temperature %d', (temperature) => {
    const found = shares(draws({ temperature, seed: 1 }, 20_000), 5);
    for (const [id, share] of softmax(logits, temperature).entries()) expect(found[id]).toBeCloseTo(share, 1.7);
  });

  it('keeps only the likeliest tokens that reach top-p together', () => {
    const uneven = Float32Array.from([Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05)]);
    expect(new Set(draws({ temperature: 1, topP: 0.49 }, 500, uneven))).toEqual(new Set([0]));
    expect(new Set(draws({ temperature: 1, topP: 0.79 }, 500, uneven))).toEqual(new Set([0, 1]));
    const found = shares(draws({ temperature: 1, topP: 0.9, seed: 2 }, 20_000, uneven), 4);
    expect(found[3]).toBe(0);
    expect(found[0]).toBeCloseTo(0.5 / 0.95, 1.7);
    expect(new Set(draws({ temperature: 1, topP: 0 }, 100, uneven))).toEqual(new Set([0]));
  });

  it('gives the same tokens for the same seed, and others for another', () => {
    const options = { temperature: 1, topP: 0.95, seed: 7 };
    expect(draws(options, 50)).toEqual(draws(options, 50));
    expect(draws(options, 50)).not.toEqual(draws({ ...options, seed: 8 }, 50));
  });

  it('works on a vocabulary of usual size, at extreme temperatures and with ruled-out tokens', () => {
    const large = Float32Array.from({ length: 50_000 }, (_, id) => (id === 49_999 ? 30 : Math.sin(id)));
    expect(draws({ temperature: 1e-9, topP: 0.9 }, 2, large)).toEqual([49_999, 49_999]);
    expect(new Set(draws({ temperature: 10, topP: 1, seed: 3 }, 200, large)).size).toBeGreaterThan(100);
    const masked = Float32Array.from([Number.NEGATIVE_INFINITY, 5, Number.NEGATIVE_INFINITY, 5]);
    expect(new Set(draws({ temperature: 5 }, 200, masked))).toEqual(new Set([1, 3]));
    expect(draws({ temperature: 1 }, 1, Float32Array.from([1, Number.POSITIVE_INFINITY]))).toEqual([1]);
  });

  it('weakens what it has given when asked to, and never changes the logits', () => {
    const close = Float32Array.from([1, 1.9, 2]);
    const before = [...close];
    expect(draws({ temperature: 0, repetitionPenalty: 1.5 }, 3, close)).toEqual([2, 1, 2]);
    expect([...close]).toEqual(before);
  });

  it.each([
    [[0, Number.NaN], 'no number for token 1'],
    [[Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY], 'rules out all of its 2 tokens'],
    [[], 'rules out all of its 0 tokens'],
  ])('says so when the logits %j hold no answer', (values, message) => {
    for (const temperature of [0, 1]) {
      expect(() => sampler({ temperature })(Float32Array.from(values))).toThrow(message);
    }
  });

  it.each([
    { temperature: -1 },
    { temperature: Number.NaN },
    { temperature: 1, topP: 1.1 },
    { temperature: 1, repetitionPenalty: 0 },
  ])('refuses %j', (options) => {
    expect(() => sampler(options)).toThrow(RangeError);
  });
});
