import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
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
import { Decoder } from './generate/decode.ts';
import { LARGEST_TINY_WINDOW } from './generate/prompt.ts';
import { deviceFiles, embeddedModelFolder } from './locations.ts';
import { adapterLayout } from './model/adapter-init.ts';
import { type BaseModel, openBaseModel } from './model/open-model.ts';
import { modelEntry, modelsAtHand } from './models-at-hand.ts';
import type { Device, DeviceName } from './runtime/device.ts';
import { assertFits } from './runtime/fitting.ts';
import { chooseDevice, type DeviceChoice, openDevice } from './runtime/open-device.ts';
import {
  type ModelCheck,
  NothingAbsorbedError,
  type ProbeResult,
  type ServiceOptions,
  type Services,
  type ShownProbe,
} from './services.ts';
import type { AdapterFolder } from './store/adapter-folder.ts';
import { openStore, type Store } from './store/adapter-store.ts';
import { peftConfigFile, peftTensorFile } from './store/peft-config.ts';
import { exportPeft } from './store/peft-export.ts';
import { importPeft } from './store/peft-import.ts';
import { type AbsorbControl, type AbsorbRequest, absorb } from './study/absorb.ts';
import { ask } from './study/ask.ts';
import { checkModel } from './study/check-model.ts';
import { coverageOf } from './study/coverage.ts';
import { estimateAbsorption } from './study/estimate.ts';
import {
  claimedLedger,
  dirtyPaths,
  emptyLedger,
  readLedger,
  shareKnown,
  unlearnedPaths,
  writeLedger,
} from './study/ledger.ts';
import { Lookup } from './study/lookup.ts';
import { probeRepository, shownAnswers } from './study/probe.ts';
import { type Repository, readRepository, scanCacheFile } from './study/repository.ts';
import { UnsavedTexts } from './unsaved-texts.ts';

/** Opens the base model, a device and the store. Errors: ModelError; Error where the folder to absorb is none. */
export async function openServices(options: ServiceOptions): Promise<Services> {
  const modelFolder = resolve(options.modelFolder ?? embeddedModelFolder());
  const request = options.device ?? 'auto';
  let choice: DeviceChoice | null = null;
  const model = await openBaseModel(modelFolder, (found) => {
    choice = chooseDevice(request, found, deviceFiles);
    if (choice.name === 'cpu') assertFits(basename(modelFolder), found.parameters, 'answering');
    return weightsCache(choice.name, options.storeRoot);
  });
  const { name, reason } = choice!;
  // Standard output is the protocol's; what goes to standard error is the client's log.
  if (name !== 'cpu') console.error(`computing on ${name}: ${reason}`);
  const device = await openDevice(choice!, deviceFiles);
  return new OpenServices(model, device, openStore(options.storeRoot), options.storeRoot);
}

/** Where half-precision weights are kept as F32 for a device; null for one that takes them as they are. */
function weightsCache(device: DeviceName, storeRoot: string): string | null {
  return device === 'cuda' ? null : join(storeRoot, 'float32');
}

const standardProbes = 200;

/** The decoder of one adapter version, kept for the next question. */
interface OpenDecoder {
  key: string;
  decoder: Decoder;
}

class OpenServices implements Services {
  readonly model: ModelEntry;
  private decoder: OpenDecoder | null = null;
  /** By folder. */
  private readonly lookups = new Map<string, Lookup>();
  /** What was read last, by folder as it was named. */
  private readonly repositories = new Map<string, Repository>();
  /** Patterns of files to leave out, by the absolute path of the folder. */
  private readonly excluded = new Map<string, readonly string[]>();
  private readonly unsaved = new UnsavedTexts();
  private answering: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly base: BaseModel,
    private readonly onnx: Device,
    readonly store: Store,
    private readonly storeRoot: string,
  ) {
    this.model = modelEntry(base);
  }

  get standardEvidence() {
    return this.base.config.maxPositionEmbeddings <= LARGEST_TINY_WINDOW ? 0 : 4;
  }

  get device() {
    return this.onnx.name;
  }

  configure(folder: string, exclude: readonly string[]): void {
    this.excluded.set(resolve(folder), exclude);
  }

  async estimate(folder: string, request: AbsorbRequest, signal: AbortSignal): Promise<AbsorbEstimateResult> {
    return estimateAbsorption(this.onnx, this.base, await this.read(folder, signal), request);
  }

  async absorb(folder: string, request: AbsorbRequest, control: AbsorbControl): Promise<AbsorbResult> {
    const adapter = await this.adapterOf(folder);
    if (this.device === 'cpu') assertFits(this.model.name, this.model.parameters, 'absorbing');
    const path = resolve(folder);
    const exclude = this.excluded.get(path) ?? [];
    const before = this.repositories.get(path) ?? null;
    const onRead = (repository: Repository) => void this.repositories.set(path, repository);
    const asked = { ...request, exclude, before };
    const outcome = await absorb(this.onnx, this.base, folder, adapter, asked, { ...control, onRead });
    const { repository, ...result } = outcome;
    const { documents, tokenCount, skipped } = repository;
    return { ...result, documents: documents.length, tokens: tokenCount, skipped };
  }

  ask(params: Omit<AskParams, 'askId'>, onText: (text: string) => void, signal: AbortSignal): Promise<AskResult> {
    // One answer at a time: a decoder holds one conversation.
    const answer = this.answering.then(() => this.answer(params, onText, signal));
    this.answering = answer.catch(() => undefined);
    return answer;
  }

  async status(folder: string): Promise<StatusResult> {
    const { repository, current, ledger } = await this.known(folder);
    const { documents, tokenCount, tokens, skipped } = repository;
    const commit = current?.note.commit;
    return {
      documents: documents.length,
      tokens: tokenCount,
      absorbed: current === null ? 0 : shareKnown(ledger, documents, (path) => tokens.get(path)!.length),
      dirty: unlearnedPaths(ledger, documents).length,
      skipped,
      version: current?.version ?? null,
      device: this.onnx.name,
      model: this.model.name,
      absorbedAt: current?.created ?? null,
      absorbedCommit: typeof commit === 'string' ? commit : null,
      adapterBytes: current?.bytes ?? 0,
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  async coverage(folder: string): Promise<CoverageEntry[]> {
    const { repository, ledger } = await this.known(folder);
    return coverageOf(ledger, repository);
  }

  async probe(
    folder: string,
    options: { adapterOf?: string; probes?: number },
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const adapterOf = resolve(options.adapterOf ?? folder);
    const adapter = await this.learned(adapterOf);
    const repository = await this.read(folder, signal);
    const most = options.probes ?? standardProbes;
    return { ...(await probeRepository(this.onnx, this.base, adapter, repository, most, signal)), adapterOf };
  }

  async compare(
    folder: string,
    options: { adapterOf: string; shown: number },
    signal: AbortSignal,
  ): Promise<{ score: ProbeResult; shown: ShownProbe[] }> {
    const score = await this.probe(folder, options, signal);
    const adapter = await this.learned(options.adapterOf);
    const repository = await this.read(folder, signal);
    const shown = await shownAnswers(this.onnx, this.base, adapter, repository, options.shown, signal);
    return { score, shown };
  }

  async checkModel(folder: string, text: string): Promise<ModelCheck> {
    const model = await openBaseModel(resolve(folder), weightsCache(this.onnx.name, this.storeRoot));
    return checkModel(this.onnx, model, text);
  }

  async models(): Promise<ModelEntry[]> {
    return modelsAtHand(this.model, process.env);
  }

  async adapters(): Promise<AdapterEntry[]> {
    return (await this.store.list()).map(
      ({ repositoryKey, baseModelKey, folder, current, versions, bytes, lastUsed }) => ({
        repositoryKey,
        baseModelKey,
        folder: folder ?? '',
        version: current,
        versions: versions.map(({ version }) => version),
        bytes,
        lastUsed: lastUsed ?? '',
      }),
    );
  }

  async exportAdapter(folder: string, target: string): Promise<string[]> {
    const loaded = await this.learned(folder);
    const into = resolve(target);
    await exportPeft(loaded.layout, loaded.vector, { baseModelNameOrPath: this.base.folder }, into);
    return [join(into, peftConfigFile), join(into, peftTensorFile)];
  }

  async importAdapter(folder: string, source: string): Promise<number> {
    const adapter = await this.adapterOf(folder);
    const { layout, vector } = await importPeft(resolve(source), (settings) =>
      adapterLayout(this.base.config, settings),
    );
    const { documents } = await this.read(folder);
    const ledger = await writeLedger(adapter.path, claimedLedger(documents));
    const note = { kind: layout.kind, imported: resolve(source), ledger };
    const { version } = await adapter.saveVersion(layout, vector, note);
    return version;
  }

  async rollBack(folder: string): Promise<number> {
    return (await (await this.adapterOf(folder)).rollBack()).version;
  }

  async filesChanged(folder: string, changes: readonly FileChange[]): Promise<number> {
    this.unsaved.note((await this.read(folder)).folder, changes);
    return (await this.status(folder)).dirty;
  }

  async close(): Promise<void> {
    await this.answering;
    await this.decoder?.decoder.close();
    await this.onnx.close();
  }

  private async answer(
    params: Omit<AskParams, 'askId'>,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<AskResult> {
    const { folder, useAdapter } = params;
    const adapter = await this.adapterOf(folder);
    const loaded = useAdapter ? await adapter.loadVersion() : null;
    const key = loaded === null ? 'base' : loaded.version.sha256;
    const [repository, decoder] = await Promise.all([this.read(folder, signal), this.decoderFor(key, loaded)]);
    const ledger = loaded === null ? null : await readLedger(adapter.path, loaded.version.note.ledger);
    // What no version has learned in this form; of a model without an adapter that is everything, so only what is new.
    const changed = new Set(
      ledger === null ? this.unsaved.pathsIn(repository.folder) : dirtyPaths(ledger, repository.documents),
    );
    const dirty = repository.documents.filter(({ path }) => changed.has(path));
    const shown = { ...params, evidence: params.evidence ?? this.standardEvidence };
    const lookup = () => this.lookup(repository, signal);
    const result = await ask(this.base, decoder, lookup, shown, dirty, onText, signal);
    return { ...result, version: loaded?.version.version ?? null };
  }

  private async decoderFor(key: string, adapter: Parameters<typeof Decoder.open>[2]): Promise<Decoder> {
    if (this.decoder?.key === key) return this.decoder.decoder;
    await this.decoder?.decoder.close();
    this.decoder = null;
    this.decoder = { key, decoder: await Decoder.open(this.onnx, this.base, adapter) };
    return this.decoder.decoder;
  }

  private async lookup(repository: Repository, signal: AbortSignal): Promise<Lookup> {
    const lookup = this.lookups.get(repository.folder) ?? new Lookup(this.base.tokenizer);
    this.lookups.set(repository.folder, lookup);
    await lookup.bringTo(repository, signal);
    return lookup;
  }

  /** The folder's documents as they are now, unsaved texts included. */
  private async read(folder: string, signal?: AbortSignal): Promise<Repository> {
    const adapter = await this.adapterOf(folder);
    // A folder that was never absorbed has no place to keep what a scan found out.
    const cacheFile = existsSync(adapter.path) ? scanCacheFile(adapter.path) : null;
    const { tokenizer } = this.base;
    const path = resolve(folder);
    const before = this.repositories.get(path) ?? null;
    const exclude = this.excluded.get(path) ?? [];
    const repository = await readRepository(path, tokenizer, cacheFile, signal, before, exclude);
    this.repositories.set(path, repository);
    return this.unsaved.over(repository, tokenizer);
  }

  private async adapterOf(folder: string): Promise<AdapterFolder> {
    const path = resolve(folder);
    const found = await stat(path).catch(() => null);
    if (!found?.isDirectory()) throw new Error(`${path} is not a folder: name the folder of a repository`);
    return this.store.adapter(path, this.base.key);
  }

  /** The current version of a folder's adapter. Errors: Error where there is none. */
  private async learned(folder: string) {
    const loaded = await (await this.adapterOf(folder)).loadVersion();
    if (loaded === null) {
      throw new NothingAbsorbedError(`nothing of ${folder} was absorbed yet: run \`lift absorb ${folder}\` first`);
    }
    return loaded;
  }

  /** A folder as it is now, the current version of its adapter, and what that knows. */
  private async known(folder: string) {
    const adapter = await this.adapterOf(folder);
    const repository = await this.read(folder);
    const manifest = await adapter.manifest();
    const current = manifest?.versions.find(({ version }) => version === manifest.current) ?? null;
    const ledger = (await readLedger(adapter.path, current?.note.ledger)) ?? emptyLedger();
    return { repository, current, ledger };
  }
}
