// Next-token loss on documents cut into rows that begin with their path, as the segments of LIFT do.
import { shuffled, uniformNumbers } from '../../native-host/model/random.ts';
import { type PackedBatch, pack, type TrainingItem } from '../../native-host/train/packing.ts';
import type { ShardDocument } from './corpus.ts';
import type { BatchSource } from './pretrain.ts';
import { TEXT } from './tokenizer.ts';

const longestPath = 24;

/** Rows of 256 tokens, and in the last third of the stage every other batch rows of 512. */
export const languageBatches: BatchSource = async ({ tokens, documents, seed }) => {
  const training = documents.filter(({ validation }) => !validation);
  const short = rowStream(tokens, training, 256, seed);
  const long = rowStream(tokens, training, 512, seed + 1);
  let count = 0;
  return (progress) => {
    count += 1;
    return progress > 0.66 && count % 2 === 0 ? fill(long, 4, 512) : fill(short, 8, 256);
  };
};

/** A fixed set of held-out packages' rows. */
export function validationBatches(tokens: Uint16Array, documents: readonly ShardDocument[]): PackedBatch[] {
  const rows = rowStream(
    tokens,
    documents.filter(({ validation }) => validation),
    256,
    7,
  );
  return Array.from({ length: 16 }, () => fill(rows, 8, 256));
}

function fill(rows: Generator<TrainingItem>, count: number, length: number): PackedBatch {
  const items = Array.from({ length: count }, () => rows.next().value as TrainingItem);
  return pack(items, { rows: count, length })[0]!;
}

/** Rows of all documents in random order, again and again, each time cut at other places. */
export function* rowStream(
  tokens: Uint16Array,
  documents: readonly ShardDocument[],
  length: number,
  seed: number,
): Generator<TrainingItem> {
  const uniform = uniformNumbers(seed);
  for (;;) {
    const rows: { document: ShardDocument; start: number; header: number }[] = [];
    for (const document of documents) {
      const header = headerLength(tokens, document);
      const room = length - Math.min(header, longestPath);
      const shift = Math.floor(uniform() * room);
      for (let start = document.start + header - shift; start < document.end; start += room) {
        rows.push({ document, start: Math.max(start, document.start + header), header });
      }
    }
    for (const { document, start, header } of shuffled(rows, uniform)) {
      yield rowAt(tokens, document, header, start, length);
    }
  }
}

/** A row of a document, from any place of it on. */
export function randomRow(
  tokens: Uint16Array,
  document: ShardDocument,
  length: number,
  uniform: () => number,
): TrainingItem {
  const header = headerLength(tokens, document);
  const room = Math.max(0, document.end - document.start - header - length / 2);
  return rowAt(tokens, document, header, document.start + header + Math.floor(room * uniform()), length);
}

/** The path's tokens and the marks around it. */
function headerLength(tokens: Uint16Array, { start }: ShardDocument): number {
  return tokens.indexOf(TEXT, start) + 1 - start;
}

function rowAt(
  tokens: Uint16Array,
  document: ShardDocument,
  header: number,
  start: number,
  length: number,
): TrainingItem {
  const head = headerTokens(tokens.subarray(document.start, document.start + header));
  const body = tokens.subarray(start, Math.min(start + length - head.length, document.end));
  const row = [...head, ...body];
  return { tokens: row, weights: row.map((_, i) => (i < head.length ? 0 : 1)) };
}

/** The path's own tokens, the start of a very long one left out. */
function headerTokens(header: Uint16Array): number[] {
  if (header.length <= longestPath) return [...header];
  return [header[0]!, ...header.subarray(header.length - longestPath + 1)];
}
