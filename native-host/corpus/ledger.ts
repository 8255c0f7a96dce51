// The ledger: what an adapter was trained on, how often, how well, and which version saw it. It decides what is new.
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { firstChecksum, formatLine, LedgerError, readLines } from './ledger-lines.ts';
import { type Fact, factKey } from './questions/fact.ts';
import type { Segment } from './segments.ts';
import { writeWhole } from './write-whole.ts';

/** Something that can be trained: a segment, or a question. */
export interface LedgerItem {
  /** The segment's hash or the fact's id. */
  hash: string;
  path: string;
  /** What it is about. Items with the same key and different hashes contradict each other. */
  key: string;
  /** An item about what is gone: it is never listed as vanished itself. */
  farewell?: boolean;
}

/** One or more trainings of an item. */
export interface LedgerEntry extends LedgerItem {
  /** How often since the last entry; 1 when left out. */
  times?: number;
  /** Mean loss of its tokens, in nats, when it was trained last. */
  loss: number;
  /** The version of the adapter that the training leads to. */
  version: number;
}

export interface KnownItem extends LedgerItem {
  times: number;
  loss: number;
  version: number;
}

export interface LedgerPlan {
  /** Never trained in this line of versions, or contradicted by something trained later. In the order given. */
  fresh: LedgerItem[];
  /** Trained and not contradicted since. */
  known: KnownItem[];
  /** What was trained last for keys that no item has any more. */
  vanished: KnownItem[];
}

/** Trainings of one item that lead to one version. */
interface Trained extends KnownItem {
  /** Place among all trainings: a higher one is later. */
  order: number;
}

export function segmentItem(segment: Segment): LedgerItem {
  return { hash: segment.hash, path: segment.path, key: `segment ${segment.path} ${segment.start}` };
}

export function factItem(fact: Fact): LedgerItem {
  const item = { hash: fact.id, path: fact.path, key: factKey(fact) };
  return ['moved', 'renamed', 'removed'].includes(fact.kind) ? { ...item, farewell: true } : item;
}

/**
 * Opens the ledger in a file, which is made when it is missing; only the process that trains may. A torn last line is cut off. With keepBytes
 * what was written after that position is cut off too: it belongs to training that was lost with a checkpoint. Throws a LedgerError when a line is
 * damaged or the file is shorter than keepBytes.
 */
export async function openLedger(file: string, options: { keepBytes?: number } = {}): Promise<Ledger> {
  await mkdir(dirname(file), { recursive: true });
  const content = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const { keepBytes = content.length } = options;
  if (content.length < keepBytes) {
    throw new LedgerError(
      `The ledger ${file} has ${content.length} bytes, the checkpoint knows of ${keepBytes}. Delete both to absorb the folder anew.`,
    );
  }
  const read = readLines(content.subarray(0, keepBytes), file);
  const handle = await open(file, content.length === 0 ? 'w+' : 'r+');
  if (read.bytes < content.length) await handle.truncate(read.bytes);
  return new Ledger(file, handle, read.values, read.bytes, read.checksum, content.length - read.bytes);
}

export class Ledger {
  private readonly trainings = new Map<string, Map<number, Trained>>();
  private readonly byKey = new Map<string, Set<string>>();
  private readonly parents = new Map<number, number>();
  private order = 0;
  private latest = 0;

  constructor(
    readonly file: string,
    private handle: FileHandle,
    values: readonly unknown[],
    private length: number,
    private checksum: string,
    /** Bytes that were cut off when it was opened. */
    readonly cutBytes: number,
  ) {
    for (const value of values) this.apply(value as LedgerEntry | { version: number; parent: number });
  }

  /** Bytes of the ledger: what a checkpoint remembers. */
  get bytes(): number {
    return this.length;
  }

  /** The highest version that anything was trained for; 0 when nothing was. */
  get latestVersion(): number {
    return this.latest;
  }

  /** Says from which version another one is trained, where that is not the one numbered before it: after a roll-back, on another branch. Parent 0: from nothing. */
  async beginVersion(version: number, parent: number): Promise<void> {
    if (parent >= version || parent < 0)
      throw new LedgerError(`Version ${version} cannot come from version ${parent}.`);
    await this.append([{ version, parent }]);
  }

  /** Writes down what was trained. */
  async record(entries: readonly LedgerEntry[]): Promise<void> {
    await this.append(entries);
  }

  /** What of the items is new to a version (the latest when left out), what it knows, and what it knows that is no more. */
  plan(items: readonly LedgerItem[], version = this.latest): LedgerPlan {
    const line = this.lineOf(version);
    const lastByKey = new Map<string, Trained>();
    for (const [key, hashes] of this.byKey) {
      for (const hash of hashes) {
        for (const training of this.trainings.get(hash)?.values() ?? []) {
          if (training.key !== key || !line.has(training.version)) continue;
          const last = lastByKey.get(key);
          if (!last || training.order > last.order) lastByKey.set(key, training);
        }
      }
    }
    const plan: LedgerPlan = { fresh: [], known: [], vanished: [] };
    const present = new Set<string>();
    for (const item of items) {
      present.add(item.key);
      const own = this.knownIn(item, line);
      const last = lastByKey.get(item.key);
      const contradicted = own && last && last.hash !== item.hash && last.order > own.order;
      if (own && !contradicted) plan.known.push({ ...item, times: own.times, loss: own.loss, version: own.version });
      else plan.fresh.push(item);
    }
    for (const [key, last] of lastByKey) {
      if (present.has(key) || last.farewell) continue;
      const { order: _, ...vanished } = last;
      plan.vanished.push(vanished);
    }
    return plan;
  }

  /** Writes the file anew, one line for each item and version. A position that a checkpoint remembers is void afterwards. */
  async compact(): Promise<void> {
    const trainings = [...this.trainings.values()].flatMap((versions) => [...versions.values()]);
    trainings.sort((a, b) => a.order - b.order);
    const parents = [...this.parents].map(([version, parent]) => ({ version, parent }));
    const { text, checksum } = linesOf(
      [...parents, ...trainings.map(({ order: _, ...entry }) => entry)],
      firstChecksum,
    );
    await this.handle.close();
    try {
      await writeWhole(this.file, text);
      this.length = Buffer.byteLength(text);
      this.checksum = checksum;
    } finally {
      this.handle = await open(this.file, 'r+');
    }
  }

  /** Makes sure that what was recorded outlives a crash of the machine. */
  async flush(): Promise<void> {
    await this.handle.sync();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private async append(values: readonly (LedgerEntry | { version: number; parent: number })[]): Promise<void> {
    if (values.length === 0) return;
    const { text, checksum } = linesOf(values, this.checksum);
    const bytes = Buffer.from(text);
    try {
      for (let written = 0; written < bytes.length; ) {
        written += (await this.handle.write(bytes, written, bytes.length - written, this.length + written))
          .bytesWritten;
      }
    } catch (error) {
      // Half a line, as a full disk leaves, would make the next one unreadable.
      await this.handle.truncate(this.length).catch(() => undefined);
      throw new LedgerError(
        `${bytes.length} bytes could not be added to the ledger ${this.file}: ${(error as Error).message}. Make room on that disk.`,
        { cause: error },
      );
    }
    this.length += bytes.length;
    this.checksum = checksum;
    for (const value of values) this.apply(value);
  }

  private apply(value: LedgerEntry | { version: number; parent: number }): void {
    this.latest = Math.max(this.latest, value.version);
    if ('parent' in value) {
      this.parents.set(value.version, value.parent);
      return;
    }
    const { hash, path, key, times = 1, loss, version } = value;
    const versions = this.trainings.get(hash) ?? new Map<number, Trained>();
    const before = versions.get(version)?.times ?? 0;
    const trained: Trained = { hash, path, key, times: before + times, loss, version, order: this.order++ };
    versions.set(version, value.farewell ? { ...trained, farewell: true } : trained);
    this.trainings.set(hash, versions);
    this.byKey.set(key, (this.byKey.get(key) ?? new Set()).add(hash));
  }

  /** The versions that a version was trained from, and itself. */
  private lineOf(version: number): Set<number> {
    const line = new Set<number>();
    for (let at = version; at > 0; at = this.parents.get(at) ?? at - 1) line.add(at);
    return line;
  }

  private knownIn(item: LedgerItem, line: ReadonlySet<number>): Trained | null {
    const trainings = [...(this.trainings.get(item.hash)?.values() ?? [])].filter(({ version }) => line.has(version));
    trainings.sort((a, b) => b.order - a.order);
    const [last] = trainings;
    return last ? { ...last, times: trainings.reduce((times, training) => times + training.times, 0) } : null;
  }
}

function linesOf(values: readonly unknown[], previousChecksum: string): { text: string; checksum: string } {
  let checksum = previousChecksum;
  let text = '';
  for (const value of values) {
    const formatted = formatLine(value, checksum);
    text += formatted.line;
    checksum = formatted.checksum;
  }
  return { text, checksum };
}
