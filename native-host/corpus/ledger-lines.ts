// The lines of a ledger's file: JSON behind a checksum that covers the lines before it too, so that a line changed, lost or swapped shows.
import { createHash } from 'node:crypto';

export class LedgerError extends Error {
  override name = 'LedgerError';
}

/** The checksum that the first line builds on. */
export const firstChecksum = 'lift ledger 1';

/** A line with its line break, and the checksum that the next one builds on. */
export function formatLine(value: unknown, previousChecksum: string): { line: string; checksum: string } {
  const json = JSON.stringify(value);
  const checksum = checksumOf(json, previousChecksum);
  return { line: `${checksum} ${json}\n`, checksum };
}

export interface ReadLines {
  values: unknown[];
  /** Bytes of the whole lines. */
  bytes: number;
  /** Bytes of a torn last line, which a kill leaves; they are to be cut off. */
  tornBytes: number;
  checksum: string;
}

/** Reads whole lines. Throws a LedgerError that names the line when one before the last is damaged. */
export function readLines(content: Buffer, file: string): ReadLines {
  const values: unknown[] = [];
  let checksum = firstChecksum;
  let start = 0;
  while (start < content.length) {
    const end = content.indexOf(0x0a, start);
    const value = end < 0 ? undefined : readLine(content.toString('utf8', start, end), checksum);
    if (value === undefined) {
      if (end >= 0 && end + 1 < content.length) {
        throw new LedgerError(
          `Line ${values.length + 1} of the ledger ${file} is damaged. Delete the file to absorb the folder anew, or restore it from a copy.`,
        );
      }
      break;
    }
    values.push(value.value);
    checksum = value.checksum;
    start = end + 1;
  }
  return { values, bytes: start, tornBytes: content.length - start, checksum };
}

function readLine(line: string, previousChecksum: string): { value: unknown; checksum: string } | undefined {
  const space = line.indexOf(' ');
  const json = line.slice(space + 1);
  const checksum = checksumOf(json, previousChecksum);
  if (line.slice(0, Math.max(space, 0)) !== checksum) return undefined;
  return { value: JSON.parse(json) as unknown, checksum };
}

function checksumOf(json: string, previousChecksum: string): string {
  return createHash('sha256').update(previousChecksum).update(json).digest('hex').slice(0, 16);
}
