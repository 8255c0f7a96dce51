/** Absorptions that were interrupted, as checkpoints keep them. */
import type { Use } from '../corpus/importance.ts';
import type { OptimizerSettings } from '../graph/ops/optimizer.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import { StoreError } from '../store/store-error.ts';
import type { LiftPosition } from '../train/lift.ts';
import type { TrainerState } from '../train/trainer.ts';

/** Everything, a refresh of the version that was current, or everything from zero though it is known. */
export type Work = 'full' | 'refresh' | 'anew';

export interface Interrupted {
  work: Work;
  /** Hash of what the repository held. */
  tree: string;
  position: LiftPosition;
  /** Of all that is random in it: whoever goes on with it has to have the same. */
  seed: number;
  /** Whether its first epoch leaves out what the version that was current knows. */
  leavesOutKnown: boolean;
  /** Whether its first epochs visit parts of a large corpus. */
  byParts: boolean;
  /** What it learned first. */
  use: Omit<Use, 'ranks'>;
  /** How much of what the base wrote its epoch had. */
  written: number;
  /** Whether its budget was spent: going on takes another one. */
  isSpent: boolean;
  state: TrainerState;
  /** The version that was current. */
  version: number | null;
}

export async function saveInterrupted(
  adapter: AdapterFolder,
  layout: AdapterLayout,
  interrupted: Omit<Interrupted, 'version'>,
): Promise<void> {
  const { state, ...rest } = interrupted;
  const { vector, first, second, step } = state;
  await adapter.saveCheckpoint({ layout, vector, m: first, v: second, step, state: rest });
}

/** Null if there is none of this layout that `optimizer` can go on from. Damaged checkpoints count as none. */
export async function loadInterrupted(
  adapter: AdapterFolder,
  layout: AdapterLayout,
  optimizer: OptimizerSettings,
): Promise<Interrupted | null> {
  const checkpoint = await adapter.loadCheckpoint().catch((error: unknown) => {
    if (error instanceof StoreError) return null;
    throw error;
  });
  if (checkpoint?.layout.kind !== layout.kind || checkpoint.layout.length !== layout.length) return null;
  if (checkpoint.v === null && optimizer.name === 'adamw') return null;
  const {
    work,
    tree,
    position,
    seed = 1,
    leavesOutKnown = false,
    byParts = false,
    written = 0,
    isSpent = false,
    use = { first: [], recent: [] },
  } = checkpoint.state as Partial<Interrupted>;
  if (work === undefined || tree === undefined || position === undefined) return null;
  const { vector, m: first, v: second, step, version } = checkpoint;
  const state = { vector, first, second, step };
  return { work, tree, position, seed, leavesOutKnown, byParts, written, isSpent, use, state, version };
}
