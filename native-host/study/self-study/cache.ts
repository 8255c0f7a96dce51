/** What the base wrote, on disk beside the adapter: a file a passage, so that nothing is ever written twice. */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { narrowToFloat16, widenFloat16 } from '../../model/half-precision.ts';
import { makeFolder, namesIn, writeFileAtomically } from '../../store/atomic-file.ts';
import { topCount } from '../../train/top-tokens.ts';
import type { StudyKind } from './requests.ts';
import type { StudyItem } from './write.ts';

/** Raised when what is asked of the base, how it is filtered or the file's form changes. */
const format = 1;

export class StudyCache {
  /** `folder` null: nothing is kept. `modelKey`: hash of the base. */
  constructor(
    private readonly folder: string | null,
    private readonly modelKey: string,
  ) {}

  /** Null where nothing was written about this passage by this base, or the file is not what was written. */
  async read(passageHash: string): Promise<StudyItem[] | null> {
    if (this.folder === null) return null;
    const bytes = await readFile(this.file(this.folder, passageHash)).catch(() => null);
    return bytes === null ? null : decode(bytes);
  }

  async write(passageHash: string, items: readonly StudyItem[]): Promise<void> {
    if (this.folder === null) return;
    await makeFolder(this.folder);
    await writeFileAtomically(this.file(this.folder, passageHash), encode(items));
  }

  /** Removes what is about other passages than these. */
  async keepOnly(passageHashes: readonly string[]): Promise<void> {
    if (this.folder === null) return;
    const kept = new Set(passageHashes.map((hash) => this.name(hash)));
    for (const name of await namesIn(this.folder))
      if (!kept.has(name)) await rm(join(this.folder, name), { force: true });
  }

  private name(passageHash: string): string {
    const key = [format, this.modelKey, passageHash].join('\0');
    return `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.items`;
  }

  private file(folder: string, passageHash: string): string {
    return join(folder, this.name(passageHash));
  }
}

interface Header {
  items: { kind: StudyKind; question: string; answer: number[] }[];
  /** Of the items as JSON, and of what follows. */
  sha256: string;
}

/** The header's length, the header as JSON, all ids as uint32, all log probabilities as half precision floats. */
function encode(items: readonly StudyItem[]): Uint8Array[] {
  const ids = items.map(({ teacher }) => bytesOf(teacher.ids));
  const logProbabilities = items.map(({ teacher }) => bytesOf(narrowToFloat16(teacher.logProbabilities)));
  const data = [...ids, ...logProbabilities];
  const described = items.map(({ kind, question, answer }) => ({ kind, question, answer }));
  const header = Buffer.from(JSON.stringify({ items: described, sha256: hashOf(described, data) } satisfies Header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  return [length, header, ...data];
}

function decode(bytes: Buffer): StudyItem[] | null {
  if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32LE(0)) return null;
  const start = 4 + bytes.readUInt32LE(0);
  const header = headerOf(bytes.toString('utf8', 4, start));
  // A copy of its own begins where numbers of four bytes may.
  const data = Uint8Array.from(bytes.subarray(start));
  if (header === null || hashOf(header.items, [data]) !== header.sha256) return null;
  const { items } = header;
  const count = items.reduce((sum, { answer }) => sum + answer.length * topCount, 0);
  const ids = new Uint32Array(data.buffer, 0, count);
  const logProbabilities = new Float32Array(count);
  widenFloat16(new Uint16Array(data.buffer, 4 * count, count), logProbabilities);
  let at = 0;
  return items.map((item) => {
    const [from, to] = [at, at + item.answer.length * topCount];
    at = to;
    return { ...item, teacher: { ids: ids.slice(from, to), logProbabilities: logProbabilities.slice(from, to) } };
  });
}

function headerOf(text: string): Header | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function bytesOf(data: Uint32Array | Uint16Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function hashOf(items: unknown, parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256').update(JSON.stringify(items ?? null));
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}
