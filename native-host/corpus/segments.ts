// Segments: overlapping token spans of a document, from which the text itself is learnt.
import { createHash } from 'node:crypto';
import type { Document } from './documents.ts';

export interface Segment {
  path: string;
  documentHash: string;
  /** Index of the first token in the document. */
  start: number;
  /** Shares the document's memory. */
  tokens: Uint32Array;
  /** Hash of path and tokens, 32 hex digits: the same text at another place of the same file is the same segment. */
  hash: string;
}

/** The stride of the LIFT paper: each segment starts 3ℓ/8 tokens after the one before. */
export function defaultStride(segmentLength: number): number {
  return Math.max(1, Math.round((3 * segmentLength) / 8));
}

/**
 * Spans of segmentLength tokens that start every stride tokens; every token is in one. The last one ends where the document ends and may be
 * shorter; none lies wholly in another; a document shorter than a segment is one segment. No tokens, no segments.
 */
export function segmentsOf(
  document: Document,
  tokens: Uint32Array,
  segmentLength: number,
  stride = defaultStride(segmentLength),
): Segment[] {
  if (!Number.isInteger(segmentLength) || segmentLength < 1)
    throw new RangeError(`A segment length of ${segmentLength} is not a positive integer.`);
  if (!Number.isInteger(stride) || stride < 1 || stride > segmentLength) {
    throw new RangeError(
      `A stride of ${stride} is not an integer from 1 to the segment length ${segmentLength}: tokens would be left out.`,
    );
  }
  const segments: Segment[] = [];
  const { path, hash: documentHash } = document;
  for (let start = 0; start < tokens.length; start += stride) {
    const span = tokens.subarray(start, start + segmentLength);
    segments.push({ path, documentHash, start, tokens: span, hash: hashOf(path, span) });
    if (start + segmentLength >= tokens.length) break;
  }
  return segments;
}

function hashOf(path: string, tokens: Uint32Array): string {
  return createHash('sha256')
    .update(path)
    .update('\0')
    .update(Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength))
    .digest('hex')
    .slice(0, 32);
}
