/** Answers, one after another, with a decoder and an index that are kept for the next question. */
import type { AskParams, AskResult } from '../protocol/host.ts';
import { Decoder } from './generate/decode.ts';
import type { Evidence } from './generate/evidence.ts';
import { type KnownFolders, namedPart } from './known-folders.ts';
import type { BaseModel } from './model/open-model.ts';
import type { Device } from './runtime/device.ts';
import { ask } from './study/ask.ts';
import { choosePackage } from './study/choose-package.ts';
import { dirtyPaths, readLedger } from './study/ledger.ts';
import { Lookup } from './study/lookup.ts';
import type { Repository } from './study/repository.ts';
import { Turns } from './turns.ts';

type AskHostParams = Omit<AskParams, 'askId'>;

export class Answering {
  /** Of one adapter version. */
  private open: { key: string; decoder: Decoder } | null = null;
  /** By folder. */
  private readonly lookups = new Map<string, Lookup>();
  /** A decoder holds one conversation. */
  private readonly turns = new Turns();

  constructor(
    private readonly device: Device,
    private readonly base: BaseModel,
    private readonly folders: KnownFolders,
  ) {}

  ask(params: AskHostParams, onText: (text: string) => void, signal: AbortSignal): Promise<AskResult> {
    return this.turns.take(() => this.answer(params, onText, signal));
  }

  /** Resolves when no question is left to be answered, or when the signal aborts. */
  untilIdle(signal?: AbortSignal): Promise<void> {
    return this.turns.untilIdle(signal);
  }

  async close(): Promise<void> {
    await this.turns.untilIdle();
    await this.open?.decoder.close();
  }

  private async answer(params: AskHostParams, onText: (text: string) => void, signal: AbortSignal): Promise<AskResult> {
    const { folder } = params;
    const reading = this.folders.read(folder, signal);
    // It may fail before it is waited for.
    reading.catch(() => undefined);
    const answering = await this.answeringPart(params, reading, signal);
    const loaded = (await answering?.adapter.loadVersion()) ?? null;
    const key = loaded === null ? 'base' : loaded.version.sha256;
    const [repository, decoder] = await Promise.all([reading, this.decoderFor(key, loaded)]);
    const ledger = loaded === null ? null : await readLedger(answering!.adapter.path, loaded.version.note.ledger);
    const documents = repository.documents.filter(({ path }) => answering?.holds(path));
    // What no version has learned in this form; of a model without an adapter that is everything, so only what is new.
    const changed = new Set(ledger === null ? this.folders.unsavedPathsIn(repository) : dirtyPaths(ledger, documents));
    const dirty = repository.documents.filter(({ path }) => changed.has(path));
    const lookup = {
      evidence: () => this.evidence(repository, signal),
      whole: () => this.lookup(repository, signal),
    };
    const result = await ask(this.base, decoder, lookup, params, dirty, onText, signal);
    const version = loaded?.version.version ?? null;
    return { ...result, version, ...(version === null || !answering?.package ? {} : { package: answering.package }) };
  }

  /** The adapter that answers, and what it answers for; null for the base model. Errors: as KnownFolders.part. */
  private async answeringPart(params: AskHostParams, reading: Promise<Repository>, signal: AbortSignal) {
    const { folder, useAdapter, package: named } = params;
    if (!useAdapter) return null;
    // Where there is but one adapter, it is loaded while the folder is read.
    const only = named === undefined ? await this.folders.onlyAdapter(folder) : null;
    if (only !== null) return { package: null, adapter: only, holds: () => true };
    const { repository, parts } = await this.folders.known(folder, reading);
    const packages = parts.flatMap((part) => (part.package === null ? [] : [{ ...part, package: part.package }]));
    const lookup = () => this.lookup(repository, signal);
    const isToBeChosen = named === undefined && packages.length > 0;
    const chosen = isToBeChosen ? await choosePackage(params, packages, lookup) : named;
    const { package: name, adapter, byWhole, repository: within } = namedPart(folder, parts, chosen);
    const paths = new Set(within.documents.map(({ path }) => path));
    // What the adapter of everything has learned is compared with everything.
    return byWhole || name === null
      ? { package: null, adapter, holds: () => true }
      : { package: name, adapter, holds: (path: string) => paths.has(path) };
  }

  private async decoderFor(key: string, adapter: Parameters<typeof Decoder.open>[2]): Promise<Decoder> {
    if (this.open?.key === key) return this.open.decoder;
    await this.open?.decoder.close();
    this.open = null;
    this.open = { key, decoder: await Decoder.open(this.device, this.base, adapter) };
    return this.open.decoder;
  }

  private async evidence(repository: Repository, signal: AbortSignal): Promise<Evidence> {
    const lookup = this.lookupOf(repository);
    await lookup.bringEvidenceTo(repository, signal);
    return lookup.evidence;
  }

  private async lookup(repository: Repository, signal: AbortSignal): Promise<Lookup> {
    const lookup = this.lookupOf(repository);
    await lookup.bringTo(repository, signal);
    return lookup;
  }

  private lookupOf({ folder }: Repository): Lookup {
    const lookup = this.lookups.get(folder) ?? new Lookup(this.base.tokenizer);
    this.lookups.set(folder, lookup);
    return lookup;
  }
}
