/** A checkpoint: adapter, optimizer state, step and the trainer's own state. */
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { WrittenFile } from './atomic-file.ts';
import { readVectorFile, writeVectorFile } from './vector-file.ts';

export interface Checkpoint {
  layout: AdapterLayout;
  /** `vector`, and the optimizer's moments `m` and, where it has second ones, `v`: layout.length values each. */
  vector: Float32Array;
  m: Float32Array;
  v: Float32Array | null;
  /** Optimizer steps done. */
  step: number;
  /** Plain JSON: random generator, schedule, position in the plan ... */
  state: Record<string, unknown>;
}

export interface LoadedCheckpoint extends Checkpoint {
  created: string;
  /** The version that was current when it was saved. */
  version: number | null;
  warnings: string[];
}

export function writeCheckpoint(
  path: string,
  { layout, vector, m, v, step, state }: Checkpoint,
  version: number | null,
): Promise<WrittenFile> {
  const vectors = new Map([['adapter', vector], ['m', m], ...(v === null ? [] : [['v', v] as const])]);
  return writeVectorFile(path, vectors, {
    format: 'lift-adapter-checkpoint',
    layout: JSON.stringify(layout),
    training: JSON.stringify({ step, state, version }),
  });
}

/** Throws DamagedFile unless the file is exactly the one that was written. */
export async function readCheckpoint(
  path: string,
  expected: WrittenFile,
): Promise<Checkpoint & { version: number | null }> {
  const { vectors, metadata } = await readVectorFile(path, expected);
  const [vector, m] = [vectors.get('adapter')!, vectors.get('m')!];
  const v = vectors.get('v') ?? null;
  return { layout: JSON.parse(metadata.layout!), vector, m, v, ...JSON.parse(metadata.training!) };
}
