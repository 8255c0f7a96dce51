import { basename, join, resolve } from 'node:path';
import type {
  AbsorbEstimateResult,
  AbsorbResult,
  AdapterEntry,
  AskParams,
  AskResult,
  CoverageEntry,
  FileChange,
  ModelEntry,
  StatusResult,
} from '../protocol/host.ts';
import { exportAdapters, importAdapter, rollBack } from './adapter-transfers.ts';
import { Answering } from './answering.ts';
import { devicePlans, fittedRecipe } from './fitting-plan.ts';
import { arrangementOf, coverageOfFolder, resultOf, statusOf } from './folder-status.ts';
import { KnownFolders, learnedOf } from './known-folders.ts';
import { deviceFiles, embeddedModelFolder } from './locations.ts';
import { type BaseModel, openBaseModel, type WeightCache } from './model/open-model.ts';
import { modelEntry, modelsAtHand } from './models-at-hand.ts';
import type { Device } from './runtime/device.ts';
import { chooseDevice, type DeviceChoice, openDevice } from './runtime/open-device.ts';
import type { ModelCheck, ProbeResult, ServiceOptions, Services, ShownProbe } from './services.ts';
import { openStore, type Store } from './store/adapter-store.ts';
import type { AbsorbControl } from './study/absorb.ts';
import { type AbsorbFolderRequest, absorbFolder } from './study/absorb-folder.ts';
import { checkModel } from './study/check-model.ts';
import { estimateAbsorption } from './study/estimate.ts';
import type { EvalControl, EvalRequest } from './study/eval/eval-request.ts';
import type { EvalResult } from './study/eval/eval-result.ts';
import { evaluate } from './study/eval/evaluate.ts';
import { probeRepository, shownAnswers } from './study/probe.ts';
import type { Recipe } from './train/recipe.ts';

/** Opens the base model, a device and the store. Errors: ModelError; Error where the folder to absorb is none. */
export async function openServices(options: ServiceOptions): Promise<Services> {
  const modelFolder = resolve(options.modelFolder ?? embeddedModelFolder());
  let choice: DeviceChoice | null = null;
  const model = await openBaseModel(modelFolder, (found) => {
    choice = chooseDevice(basename(modelFolder), options, found, deviceFiles);
    return weightCache(choice, options.storeRoot);
  });
  const { name, reason, weights } = choice!;
  // Standard output is the protocol's; what goes to standard error is the client's log.
  if (name !== 'cpu') console.error(`computing on ${name}: ${reason}`);
  else if (weights !== 'float32') console.error(`frozen weights as ${weights}`);
  const device = await openDevice(choice!, deviceFiles);
  const cache = weightCache(choice!, options.storeRoot);
  return new OpenServices(model, device, openStore(options.storeRoot), cache);
}

/** Where converted weights are kept for a device. */
function weightCache({ name, weights }: DeviceChoice, storeRoot: string): WeightCache {
  if (name === 'cuda') return { folder: join(storeRoot, 'dequantized'), form: 'asStored' };
  if (weights === 'float32') return { folder: join(storeRoot, 'float32'), form: 'F32' };
  return { folder: join(storeRoot, 'coded'), form: weights };
}

const standardProbes = 200;

class OpenServices implements Services {
  readonly model: ModelEntry;
  private readonly folders: KnownFolders;
  private readonly answering: Answering;

  constructor(
    private readonly base: BaseModel,
    private readonly onnx: Device,
    readonly store: Store,
    private readonly weightCache: WeightCache,
  ) {
    this.model = modelEntry(base);
    this.folders = new KnownFolders(base, store);
    this.answering = new Answering(onnx, base, this.folders);
  }

  private readonly fitToMemory = (recipe: Recipe) => fittedRecipe(this.device, this.base, recipe);

  get device() {
    return this.onnx.name;
  }

  configure(folder: string, exclude: readonly string[]): void {
    this.folders.exclude(folder, exclude);
  }

  async estimate(folder: string, request: AbsorbFolderRequest, signal: AbortSignal): Promise<AbsorbEstimateResult> {
    const known = await this.folders.known(folder, this.folders.read(folder, signal));
    const isEach = arrangementOf(known, request.packages).arrangement === 'each';
    const asked = { ...request, adapters: isEach ? known.arranged.parts.length : 1 };
    return estimateAbsorption(this.onnx, this.base, known.repository, asked, this.fitToMemory);
  }

  async absorb(folder: string, request: AbsorbFolderRequest, control: AbsorbControl): Promise<AbsorbResult> {
    const adapters = await this.folders.adaptersOf(folder);
    const { onRead, ...reading } = this.folders.readingOf(folder);
    const asked = { ...request, ...reading };
    // Who asks is not to wait for training, nor to share the processor with it.
    const whileRunning = async () => {
      await this.answering.untilIdle(control.signal);
      await control.whileRunning();
    };
    const asControlled = { ...control, whileRunning, onRead, fitToMemory: this.fitToMemory };
    return resultOf(await absorbFolder(this.onnx, this.base, folder, adapters, asked, asControlled));
  }

  ask(params: Omit<AskParams, 'askId'>, onText: (text: string) => void, signal: AbortSignal): Promise<AskResult> {
    return this.answering.ask(params, onText, signal);
  }

  async status(folder: string): Promise<StatusResult> {
    const status = await statusOf(this.base, await this.folders.known(folder));
    const memoryBytes = process.memoryUsage.rss();
    return { ...status, device: this.onnx.name, model: this.model.name, memoryBytes };
  }

  async coverage(folder: string): Promise<CoverageEntry[]> {
    return coverageOfFolder(await this.folders.known(folder));
  }

  async probe(
    folder: string,
    options: { adapterOf?: string; package?: string; probes?: number },
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const adapterOf = resolve(options.adapterOf ?? folder);
    const part = await this.folders.part(folder, options.package, this.folders.read(folder, signal));
    const { repository } = part;
    const isOwn = options.adapterOf === undefined;
    const adapter = isOwn ? await learnedOf(folder, part) : await this.folders.learned(adapterOf);
    const most = options.probes ?? standardProbes;
    return { ...(await probeRepository(this.onnx, this.base, adapter, repository, most, signal)), adapterOf };
  }

  async compare(
    folder: string,
    options: { adapterOf: string; shown: number },
    signal: AbortSignal,
  ): Promise<{ score: ProbeResult; shown: ShownProbe[] }> {
    const score = await this.probe(folder, options, signal);
    const adapter = await this.folders.learned(options.adapterOf);
    const repository = await this.folders.read(folder, signal);
    const shown = await shownAnswers(this.onnx, this.base, adapter, repository, options.shown, signal);
    return { score, shown };
  }

  async evaluate(
    folder: string,
    { adapterOf, ...request }: EvalRequest & { adapterOf?: string },
    control: EvalControl,
  ): Promise<EvalResult> {
    const repository = await this.folders.read(folder, control.signal);
    const other = adapterOf === undefined ? null : await this.folders.read(adapterOf, control.signal);
    return evaluate(this.onnx, this.base, { repository, other }, request, control);
  }

  async checkModel(folder: string, text: string): Promise<ModelCheck> {
    const model = await openBaseModel(resolve(folder), this.weightCache);
    const checked = await checkModel(this.onnx, model, text);
    return { ...checked, plans: devicePlans(basename(folder), model, deviceFiles) };
  }

  async models(): Promise<ModelEntry[]> {
    return modelsAtHand(this.model, process.env);
  }

  async adapters(): Promise<AdapterEntry[]> {
    return (await this.store.list()).map(
      ({ repositoryKey, baseModelKey, folder, package: named, current, versions, bytes, lastUsed }) => ({
        repositoryKey,
        baseModelKey,
        folder: folder ?? '',
        ...(named === null ? {} : { package: named }),
        version: current,
        versions: versions.map(({ version }) => version),
        bytes,
        lastUsed: lastUsed ?? '',
      }),
    );
  }

  exportAdapter(folder: string, target: string, named?: string): Promise<string[]> {
    return exportAdapters(this.base, this.folders, folder, target, named);
  }

  importAdapter(folder: string, source: string, named?: string): Promise<number> {
    return importAdapter(this.base, this.folders, folder, source, named);
  }

  rollBack(folder: string, named?: string): Promise<number> {
    return rollBack(this.folders, folder, named);
  }

  async filesChanged(folder: string, changes: readonly FileChange[]): Promise<number> {
    await this.folders.noteChanges(folder, changes);
    return (await this.status(folder)).dirty;
  }

  async close(): Promise<void> {
    await this.answering.close();
    await this.onnx.close();
  }
}
