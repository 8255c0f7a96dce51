/** Absorbing a folder into one adapter, or, of a monorepo, into an adapter for each of its packages. */
import { recentlyChanged } from '../corpus/recent-changes.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import { type Arrangement, readArrangement, writeArrangement } from '../store/arrangement.ts';
import { minutesFor } from '../train/corpus-recipe.ts';
import { kindFor, recipeFor } from '../train/recipe.ts';
import { type AbsorbControl, type Absorbed, type AbsorbRequest, absorbRead, withRepository } from './absorb.ts';
import { chooseArrangement } from './arrangement.ts';
import { type ArrangedPart, arrangedFolder, type FolderAdapters } from './folder-adapters.ts';
import { inOrder, PackageProgress, type PackageTurn, shareOf, turnOf } from './package-turns.ts';
import { packageFolders } from './parts.ts';
import type { Repository } from './repository.ts';

export interface AbsorbFolderRequest extends AbsorbRequest {
  /** One adapter or one for each package of a monorepo; 'auto' without it. */
  packages?: Arrangement | 'auto';
}

/** What came of one package. */
export interface AbsorbedPackage extends Absorbed {
  package: string;
}

export interface AbsorbedFolder extends Absorbed {
  /** Which adapters a monorepo has and why so, in a line; empty where no packages are declared. */
  arrangement: string;
  /** Where each has an adapter, in the order in which they came; else none. */
  packages: AbsorbedPackage[];
}

/**
 * As `absorb`, for each package where each has an adapter: the most important first, in time that they share by what they
 * have to learn. A stop keeps what was learned, and going on goes on. Adapters of another arrangement stay where they are.
 */
export async function absorbFolder(
  device: Device,
  model: BaseModel,
  folder: string,
  adapters: FolderAdapters,
  request: AbsorbFolderRequest,
  control: AbsorbControl,
): Promise<AbsorbedFolder> {
  const { whole } = adapters;
  const outcome = await withRepository(model, folder, whole, request, control, async (repository) => {
    const { parts, arrangement: before } = await arrangedFolder(repository, adapters);
    const packages = packageFolders(parts);
    const { packages: asked = 'auto' } = request;
    const { tokenCount: tokens } = repository;
    const { arrangement, reason } = chooseArrangement({ asked, before, packages: packages.length, tokens });
    if (packages.length > 0) await writeArrangement(whole.path, { arrangement, packages });
    if (arrangement === 'each') {
      return { ...(await absorbEach(device, model, repository, parts, request, control)), arrangement: reason };
    }
    const absorbed = await absorbRead(device, model, repository, whole, request, control);
    return { ...absorbed, arrangement: reason, packages: [] };
  });
  if ('packages' in outcome) return outcome;
  // Stopped before the folder was read.
  return { ...outcome, version: outcome.version ?? (await newestOfPackages(adapters)), arrangement: '', packages: [] };
}

async function newestOfPackages({ whole, ofPackage }: FolderAdapters): Promise<number | null> {
  const { packages } = (await readArrangement(whole.path)) ?? { packages: [] };
  const manifests = await Promise.all(packages.map((name) => ofPackage(name).manifest()));
  return highest(manifests.map((manifest) => manifest?.current ?? null));
}

function highest(versions: readonly (number | null)[]): number | null {
  return versions.reduce((most, version) => (version !== null && version > (most ?? 0) ? version : most), null);
}

async function absorbEach(
  device: Device,
  model: BaseModel,
  repository: Repository,
  parts: readonly ArrangedPart[],
  request: AbsorbRequest,
  control: AbsorbControl,
): Promise<Omit<AbsorbedFolder, 'arrangement'>> {
  const { signal, clock = () => performance.now() } = control;
  const unordered = await Promise.all(parts.map((part) => turnOf(part, request)));
  const recent = await recentlyChanged(repository.folder);
  const turns = inOrder(unordered, request.first ?? [], recent);
  const progress = new PackageProgress(turns, control.onProgress, clock);
  const minutes = budgetOf(model, request, turns);
  const time = new WorkingTime(control, clock);
  const packages: AbsorbedPackage[] = [];
  for (const [index, turn] of turns.entries()) {
    const share = minutes === null ? undefined : shareOf(minutes, time.minutes, turn, turns.slice(index + 1));
    const asked = { ...request, ...(share === undefined ? {} : { share }) };
    if (share !== undefined && request.minutes !== undefined) asked.minutes = share.minutes;
    const reporting = { ...control, whileRunning: () => time.whileRunning(), onProgress: progress.of(turn) };
    const absorbed = signal.aborted ? untouched(turn) : await absorbOne(device, model, turn, asked, reporting);
    progress.ended(turn, absorbed.absorbed);
    packages.push({ ...absorbed, package: turn.package });
  }
  return { ...together(repository, packages), packages };
}

/** In minutes; null where passes are asked for and no time. */
function budgetOf(
  model: BaseModel,
  { minutes, epochs, adapterKind }: AbsorbRequest,
  turns: readonly PackageTurn[],
): number | null {
  if (minutes !== undefined || epochs !== undefined) return minutes ?? null;
  const toLearn = turns.reduce((sum, turn) => sum + turn.toLearn, 0);
  return minutesFor(
    recipeFor(model.parameters, model.config.maxPositionEmbeddings, kindFor(model, adapterKind)),
    toLearn,
  );
}

/** Time since it was made, without what pauses took. */
class WorkingTime {
  private readonly started: number;
  private paused = 0;

  constructor(
    private readonly control: AbsorbControl,
    private readonly clock: () => number,
  ) {
    this.started = clock();
  }

  get minutes(): number {
    return (this.clock() - this.started - this.paused) / 60_000;
  }

  async whileRunning(): Promise<void> {
    const from = this.clock();
    await this.control.whileRunning();
    this.paused += this.clock() - from;
  }
}

async function absorbOne(
  device: Device,
  model: BaseModel,
  turn: PackageTurn,
  request: AbsorbRequest,
  control: AbsorbControl,
): Promise<Absorbed> {
  const lock = await turn.adapter.lock();
  try {
    return await absorbRead(device, model, turn.repository, turn.adapter, request, control);
  } catch (error) {
    // Stopped before anything of this package was trained: those before it are done.
    if (!control.signal.aborted || error !== control.signal.reason) throw error;
    return untouched(turn);
  } finally {
    await lock.release();
  }
}

/** Of a package whose turn did not come. */
function untouched({ repository, current, known, dirty }: PackageTurn): Absorbed {
  const version = current?.version ?? null;
  const recipe = typeof current?.note.recipe === 'string' ? current.note.recipe : '';
  return {
    end: 'cancelled',
    repository,
    steps: 0,
    trainedTokens: 0,
    seconds: 0,
    version,
    absorbed: known,
    dirty,
    recipe,
  };
}

const ends = ['cancelled', 'budget', 'saturated', 'restored'] as const;

/** Shares by tokens, and the end that says most: of several versions the highest. */
function together(repository: Repository, packages: readonly AbsorbedPackage[]): Absorbed {
  const sum = (value: (one: AbsorbedPackage) => number) => packages.reduce((total, one) => total + value(one), 0);
  return {
    end: ends.find((end) => packages.some((one) => one.end === end)) ?? 'unchanged',
    repository,
    steps: sum(({ steps }) => steps),
    trainedTokens: sum(({ trainedTokens }) => trainedTokens),
    seconds: sum(({ seconds }) => seconds),
    version: highest(packages.map(({ version }) => version)),
    absorbed: sum((one) => one.absorbed * one.repository.tokenCount) / Math.max(1, repository.tokenCount),
    dirty: sum(({ dirty }) => dirty),
    recipe: '',
  };
}
