/** What the native host can do, whoever asks: the RPC handlers and the command line call these and nothing else. */
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
import type { DevicePlan } from './fitting-plan.ts';
import type { DeviceName } from './runtime/device.ts';
import type { WeightForm } from './runtime/fitting.ts';
import type { DeviceRequest } from './runtime/open-device.ts';
import type { Store } from './store/adapter-store.ts';
import type { AbsorbControl } from './study/absorb.ts';
import type { AbsorbFolderRequest } from './study/absorb-folder.ts';
import type { EvalControl, EvalRequest } from './study/eval/eval-request.ts';
import type { EvalResult } from './study/eval/eval-result.ts';
import type { RepositoryScore } from './study/probe.ts';

export interface ServiceOptions {
  storeRoot: string;
  /** The embedded model without it. */
  modelFolder?: string;
  /** 'auto' without it. */
  device?: DeviceRequest;
  /** How frozen matrices lie in memory; 'auto' without it: exact where they fit. */
  weights?: WeightForm | 'auto';
}

export interface ProbeResult extends RepositoryScore {
  /** Repository whose adapter was measured. */
  adapterOf: string;
}

/** A probe and what was answered to it. */
export interface ShownProbe {
  question: string;
  wording: 'trained wording' | 'new wording';
  answer: string;
  base: string;
  adapted: string;
}

export interface ModelCheck {
  architecture: string;
  parameters: number;
  /** Mean negative log-likelihood per token of the text, in nats. */
  nll: number;
  /** 32 greedy tokens after the text. */
  greedyIds: number[];
  /** How absorbing with it would fit each device of this machine. */
  plans: DevicePlan[];
}

/** Asked of an adapter that there is none of. */
export class NothingAbsorbedError extends Error {
  override name = 'NothingAbsorbedError';
}

export interface Services {
  readonly device: DeviceName;
  readonly model: ModelEntry;
  readonly store: Store;
  /** What holds for the folder until this host ends: patterns of files to leave out, in the syntax of .gitignore. */
  configure(folder: string, exclude: readonly string[]): void;
  estimate(folder: string, request: AbsorbFolderRequest, signal: AbortSignal): Promise<AbsorbEstimateResult>;
  absorb(folder: string, request: AbsorbFolderRequest, control: AbsorbControl): Promise<AbsorbResult>;
  /** Streams text by `onText`; aborting the signal ends the answer early. */
  ask(params: Omit<AskParams, 'askId'>, onText: (text: string) => void, signal: AbortSignal): Promise<AskResult>;
  status(folder: string): Promise<StatusResult>;
  /** What the adapter knows of each document. */
  coverage(folder: string): Promise<CoverageEntry[]>;
  /** Of one package where each has an adapter. */
  probe(
    folder: string,
    options: { adapterOf?: string; package?: string; probes?: number },
    signal: AbortSignal,
  ): Promise<ProbeResult>;
  /** As probe, with the answers to the first few probes, half of them in each kind of wording. */
  compare(
    folder: string,
    options: { adapterOf: string; shown: number },
    signal: AbortSignal,
  ): Promise<{ score: ProbeResult; shown: ShownProbe[] }>;
  /** Trains adapters for this alone and puts the same questions to all arms; `adapterOf`: the wrong repository. */
  evaluate(folder: string, request: EvalRequest & { adapterOf?: string }, control: EvalControl): Promise<EvalResult>;
  checkModel(folder: string, text: string): Promise<ModelCheck>;
  models(): Promise<ModelEntry[]>;
  adapters(): Promise<AdapterEntry[]>;
  /** The files written. Where each package has an adapter, that of the one named, or all, each in a folder of its own. */
  exportAdapter(folder: string, target: string, named?: string): Promise<string[]>;
  /** The new version's number. Where each package has an adapter, one has to be named, as for rolling back. */
  importAdapter(folder: string, source: string, named?: string): Promise<number>;
  /** Makes the previous version the current one; returns its number. */
  rollBack(folder: string, named?: string): Promise<number>;
  /** Unsaved or changed files, known before a scan; returns how many documents are dirty. */
  filesChanged(folder: string, changes: readonly FileChange[]): Promise<number>;
  close(): Promise<void>;
}
