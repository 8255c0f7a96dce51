/** `lift bench scan`: reading a folder for the first time, and again when little or nothing changed. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Corpus, readCorpus } from '../corpus/documents.ts';
import { uniformNumbers } from '../model/random.ts';
import { type BenchRow, peakMegabytes } from './bench-row.ts';

export interface ScanOptions {
  /** A folder to read; without it one of 50,000 files is made and removed again. */
  folder?: string;
  signal?: AbortSignal;
}

const generatedFiles = 50_000;
const filesInFolder = 50;

/** Times of reading a folder's documents. A first scan finds its files in the system's cache when they are new. */
export async function benchScan({ folder, signal }: ScanOptions): Promise<BenchRow[]> {
  const temporary = await mkdtemp(path.join(tmpdir(), 'lift-bench-'));
  try {
    const scanned = folder ?? path.join(temporary, 'repository');
    if (folder === undefined) await generateFiles(scanned, signal);
    const options = { cacheFile: path.join(temporary, 'scan'), ...(signal === undefined ? {} : { signal }) };
    const timed = async (): Promise<{ corpus: Corpus; seconds: number }> => {
      const started = performance.now();
      const corpus = await readCorpus(scanned, options);
      return { corpus, seconds: (performance.now() - started) / 1000 };
    };
    const first = await timed();
    // Files that are younger than a tick of the file system's clock are read once more.
    await timed();
    const unchanged = await timed();
    return [
      { name: 'documents', value: first.corpus.documents.length, unit: '' },
      { name: 'skipped', value: first.corpus.skipped.length, unit: '' },
      { name: 'first scan', value: first.seconds, unit: 's' },
      { name: 'scan again, unchanged', value: unchanged.seconds, unit: 's' },
      { name: 'peak memory', value: peakMegabytes(), unit: 'MB' },
    ];
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Sources of about 2 KB, 50 to a folder, no two alike. */
async function generateFiles(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const uniform = uniformNumbers(4);
  for (let start = 0; start < generatedFiles; start += filesInFolder) {
    signal?.throwIfAborted();
    const group = Math.floor(start / filesInFolder);
    const inner = path.join(folder, `part-${group % 40}`, `module-${group}`);
    await mkdir(inner, { recursive: true });
    const files = Array.from({ length: filesInFolder }, (_, i) => {
      const name = `file-${start + i}`;
      return writeFile(path.join(inner, `${name}.ts`), sourceText(start + i, uniform));
    });
    await Promise.all(files);
  }
}

function sourceText(index: number, uniform: () => number): string {
  const lines = Array.from({ length: 30 }, (_, i) => {
    const value = Math.floor(uniform() * 1e6);
    return `export const setting${index}_${i} = ${value}; // one of ${i + 1} settings of part ${index}`;
  });
  return `${lines.join('\n')}\n`;
}
