import { describe, expect, it } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { defaultStride, segmentsOf } from '../../native-host/corpus/segments.ts';

const document = documentFrom('lib/a.ts', 'text');
const tokens = (count: number, from = 0) => Uint32Array.from({ length: count }, (_, index) => from + index);

describe('segmentsOf', () => {
  it('strides by three eighths of the length', () => {
    expect(defaultStride(2048)).toBe(768);
    expect(defaultStride(256)).toBe(96);
    expect(defaultStride(1)).toBe(1);
    expect(segmentsOf(document, tokens(20), 8).map((one) => one.start)).toEqual([0, 3, 6, 9, 12]);
  });

  it('covers every token, keeps the tail, and has no segment inside another', () => {
    for (let length = 0; length <= 60; length++) {
      for (const segmentLength of [1, 2, 7, 8, 16]) {
        const all = tokens(length);
        const segments = segmentsOf(document, all, segmentLength);
        expect(new Set(segments.flatMap((one) => [...one.tokens])).size).toBe(length);
        expect(segments.length).toBe(
          length === 0 ? 0 : Math.max(1, Math.ceil((length - segmentLength) / defaultStride(segmentLength)) + 1),
        );
        let previousEnd = 0;
        for (const { start, tokens: span } of segments) {
          expect(span).toEqual(all.slice(start, start + segmentLength));
          expect(start + span.length).toBeGreaterThan(previousEnd);
          previousEnd = start + span.length;
        }
      }
    }
  });

  it('makes one segment of a short document', () => {
    expect(segmentsOf(document, Uint32Array.of(5, 6), 8)).toMatchObject([
      { path: 'lib/a.ts', documentHash: document.hash, start: 0, tokens: Uint32Array.of(5, 6) },
    ]);
  });

  it('names a segment by path and tokens alone', () => {
    const [first] = segmentsOf(document, tokens(8), 8);
    const [other] = segmentsOf(documentFrom('lib/b.ts', 'text'), tokens(8), 8);
    const [edited] = segmentsOf(documentFrom('lib/a.ts', 'another text'), tokens(8), 8);
    expect(first?.hash).toMatch(/^[0-9a-f]{32}$/);
    expect(edited?.hash).toBe(first?.hash);
    expect(other?.hash).not.toBe(first?.hash);
    expect(segmentsOf(document, Uint32Array.of(0x1_0001), 8)[0]?.hash).not.toBe(
      segmentsOf(document, Uint32Array.of(1), 8)[0]?.hash,
    );
  });

  it('changes only the segments near an edit that keeps the length', () => {
    const before = tokens(200);
    const after = before.with(100, 9999);
    const hashes = (list: Uint32Array) => segmentsOf(document, list, 16).map((one) => one.hash);
    const known = new Set(hashes(before));
    const fresh = hashes(after).filter((hash) => !known.has(hash));
    expect(fresh.length).toBeGreaterThan(0);
    expect(fresh.length).toBeLessThanOrEqual(3);
  });

  it('refuses lengths and strides that would leave tokens out', () => {
    expect(() => segmentsOf(document, Uint32Array.of(1), 0)).toThrow(/segment length/);
    expect(() => segmentsOf(document, Uint32Array.of(1), 8, 9)).toThrow(/left out/);
    expect(() => segmentsOf(document, Uint32Array.of(1), 8, 0)).toThrow(/stride/);
    expect(() => segmentsOf(document, Uint32Array.of(1), 8.5)).toThrow(/integer/);
  });
});
