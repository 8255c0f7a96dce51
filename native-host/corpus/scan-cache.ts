// What the last scan of a folder found out about each file, so that a file that did not change is not read again.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { WalkedFile } from '../../workspace/walk.ts';
import { writeWhole } from './write-whole.ts';

/** Counts up with every change of what makes a file a document. */
const SCAN_VERSION = 1;

/** A file that changes twice within a tick of the clock that stamps it looks unchanged; so much younger files are read again. */
const CLOCK_TICK_NANOSECONDS = 100_000_000n;
const COARSE_CLOCK_TICK_NANOSECONDS = 2_000_000_000n;

/** What reading a file gave: a document's hash, or the reason why it is none. */
export type Scanned = { hash: string } | { reason: string };

export interface ScanCache {
  /** What is known of a file that looks the same as when it was scanned; null when it must be read. */
  known(file: WalkedFile): Scanned | null;
  /** Remembers a file. The time is that before its attributes were read, in nanoseconds since 1970. */
  remember(file: WalkedFile, scanned: Scanned, time: bigint): void;
  /** Writes the cache, with only the files that were asked for or remembered. Nothing is written when nothing changed. */
  save(): Promise<void>;
}

/** Opens the cache in a file. A missing, broken or outdated one is empty: everything is read again. The rules are what decides beside the contents. */
export async function openScanCache(file: string, rules: unknown): Promise<ScanCache> {
  const header = JSON.stringify({ scanVersion: SCAN_VERSION, rules });
  const old = await readEntries(file, header);
  const kept = new Map<string, string>();
  let changed = false;
  return {
    known(walked) {
      const line = old.get(walked.path);
      const stamp = stampOf(walked);
      if (!line?.startsWith(stamp)) return null;
      kept.set(walked.path, line);
      const result = line.slice(stamp.length);
      return result.startsWith('#') ? { hash: result.slice(1) } : { reason: JSON.parse(result) as string };
    },
    remember(walked, scanned, time) {
      const tick =
        walked.modifiedNanoseconds % 1_000_000_000n === 0n ? COARSE_CLOCK_TICK_NANOSECONDS : CLOCK_TICK_NANOSECONDS;
      if (walked.modifiedNanoseconds > time - tick) return;
      kept.set(
        walked.path,
        stampOf(walked) + ('hash' in scanned ? `#${scanned.hash}` : JSON.stringify(scanned.reason)),
      );
      changed = true;
    },
    async save() {
      if (!changed && kept.size === old.size) return;
      const body = [...kept].map(([path, line]) => `${JSON.stringify(path)}\t${line}\n`).join('');
      await writeWhole(file, `${header}\t${checksum(body)}\n${body}`);
    },
  };
}

function stampOf(file: WalkedFile): string {
  return `${file.size} ${file.modifiedNanoseconds} ${file.inode}\t`;
}

async function readEntries(file: string, header: string): Promise<Map<string, string>> {
  const entries = new Map<string, string>();
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return entries;
  }
  const headEnd = text.indexOf('\n');
  const body = text.slice(headEnd + 1);
  if (text.slice(0, headEnd) !== `${header}\t${checksum(body)}`) return entries;
  for (let start = 0; start < body.length; ) {
    const end = body.indexOf('\n', start);
    const tab = body.indexOf('\t', start);
    entries.set(JSON.parse(body.slice(start, tab)) as string, body.slice(tab + 1, end));
    start = end + 1;
  }
  return entries;
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
