/** Absorbing a folder: from what is on disk to a new version of its adapter, doing no more than the changes ask for. */
import type { AdapterKind } from '../model/adapter-layout.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import type { BudgetShare } from '../train/corpus-recipe.ts';
import type { LiftProgress, LiftResult } from '../train/lift.ts';
import type { Recipe } from '../train/recipe.ts';
import { Absorption } from './absorption.ts';
import type { MethodName } from './method.ts';
import { type Repository, readRepository, scanCacheFile } from './repository.ts';

export interface AbsorbRequest {
  epochs?: number;
  minutes?: number;
  /** What of the minutes this adapter has, where others share them. */
  share?: BudgetShare;
  seed?: number;
  adapterKind?: AdapterKind;
  /** Of LoRA. */
  rank?: number;
  /** What is done beside learning segments and questions; what earns its time unless told. */
  method?: readonly MethodName[];
  /** What is learned before all else: paths in the folder, of files or of folders. */
  first?: readonly string[];
  /** Only what was learned and has changed since, which takes seconds; not what was never learned, nor everything anew. */
  editsOnly?: boolean;
  /** Patterns of files to leave out, in the syntax of .gitignore. */
  exclude?: readonly string[];
  /** The folder as it was read before: what is the same is not tokenized again. */
  before?: Repository | null;
}

export interface AbsorbReport extends Partial<LiftProgress> {
  phase: 'scan' | 'questions' | 'train' | 'measure' | 'save';
  documents: number;
  tokens: number;
  steps: number;
  absorbed: number;
  /** How many documents the training state has seen in whole, in their present form. */
  documentsSeen: number;
  /** Of a monorepo whose packages each have an adapter: which one has its turn; all else is about all of them. */
  package?: { folder: string; number: number; of: number };
}

/** Errors: one that says what would fit, where nothing does. */
export type FitToMemory = (recipe: Recipe) => { recipe: Recipe; cost: string };

export interface AbsorbControl {
  signal: AbortSignal;
  /** Resolves at once unless paused. */
  whileRunning(): Promise<void>;
  onProgress(report: AbsorbReport): void;
  /** The folder was read: what follows is about this state of it. */
  onRead?(repository: Repository): void;
  /** The recipe as the machine can train it, and what that costs in a sentence. Unless told, it is taken as it is. */
  fitToMemory?: FitToMemory;
  /** In milliseconds: what the minutes of a budget are counted with; the machine's own unless told. */
  clock?(): number;
  /** At most this much work is lost by a kill, and the time that writing takes; 15 unless told. */
  secondsBetweenCheckpoints?: number;
  /** How often an epoch that takes long is interrupted to measure a sample; 20 unless told. */
  secondsBetweenSamples?: number;
}

export interface Absorbed {
  end: LiftResult['end'] | 'unchanged' | 'restored';
  repository: Repository;
  steps: number;
  trainedTokens: number;
  seconds: number;
  version: number | null;
  /** Share of the corpus's tokens that are predicted right. */
  absorbed: number;
  /** Documents that the version has not learned, or not in whole. */
  dirty: number;
  /** How it was trained and why so, in a line; empty where nothing was read. */
  recipe: string;
}

/**
 * Makes the adapter know the folder as it is now. Nothing changed: no step. A tree that an older version knows: that
 * version comes back. Changes: a refresh with replay, and after many of them everything anew. The first time: everything.
 * Errors: LockedError while another process trains this adapter; StoreError; whatever reading the folder gives.
 */
export function absorb(
  device: Device,
  model: BaseModel,
  folder: string,
  adapter: AdapterFolder,
  request: AbsorbRequest,
  control: AbsorbControl,
): Promise<Absorbed> {
  return withRepository(model, folder, adapter, request, control, (repository) =>
    absorbRead(device, model, repository, adapter, request, control),
  );
}

/** Absorbs what a folder holds now, under the lock of its adapter; stopped before anything was trained, it is unchanged. */
export async function withRepository<Outcome extends Absorbed>(
  model: BaseModel,
  folder: string,
  adapter: AdapterFolder,
  request: AbsorbRequest,
  control: AbsorbControl,
  absorbIt: (repository: Repository) => Promise<Outcome>,
): Promise<Outcome | Absorbed> {
  control.onProgress({ phase: 'scan', documents: 0, tokens: 0, steps: 0, absorbed: 0, documentsSeen: 0 });
  const lock = await adapter.lock();
  try {
    const cacheFile = scanCacheFile(adapter.path);
    const { signal } = control;
    const { before = null, exclude } = request;
    const repository = await readRepository(folder, model.tokenizer, cacheFile, signal, before, exclude);
    control.onRead?.(repository);
    return await absorbIt(repository);
  } catch (error) {
    // Stopped before anything was trained, or even read.
    if (!control.signal.aborted || error !== control.signal.reason) throw error;
    return nothingAbsorbed(folder, (await adapter.manifest())?.current ?? null);
  } finally {
    await lock.release();
  }
}

/**
 * As `absorb`, of what was read, for who holds the adapter's lock. What was learned and changed since comes first, and is
 * saved; then what else there is to learn, or everything anew. Errors: the signal's reason, too.
 */
export async function absorbRead(
  device: Device,
  model: BaseModel,
  repository: Repository,
  adapter: AdapterFolder,
  request: AbsorbRequest,
  control: AbsorbControl,
): Promise<Absorbed> {
  const { share, minutes = share?.minutes ?? Number.POSITIVE_INFINITY } = request;
  const next = async (request: AbsorbRequest) =>
    new Absorption(device, model, repository, adapter, await adapter.loadVersion(), request, control);
  let absorption = await next(request);
  let absorbed = await absorption.run();
  while (absorption.isToGoOn) {
    const left = minutes - absorbed.seconds / 60;
    if (left <= 0) break;
    const shared = share === undefined ? request : { ...request, share: { ...share, minutes: left } };
    absorption = await next(request.minutes === undefined ? shared : { ...shared, minutes: left });
    const { steps, trainedTokens, seconds } = absorbed;
    const rest = await absorption.run();
    absorbed = {
      ...rest,
      steps: rest.steps + steps,
      trainedTokens: rest.trainedTokens + trainedTokens,
      seconds: rest.seconds + seconds,
    };
  }
  return absorbed;
}

function nothingAbsorbed(folder: string, version: number | null): Absorbed {
  const repository = { folder, documents: [], skipped: [], tokens: new Map(), tokenCount: 0, tree: '', commit: null };
  const nothing = { steps: 0, trainedTokens: 0, seconds: 0, absorbed: 0, dirty: 0, recipe: '' };
  return { end: 'cancelled', repository, version, ...nothing };
}
