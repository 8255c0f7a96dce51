// The contract between a client (the extension, or a test) and the native host: JSON-RPC 2.0 over the host's standard
// input and output, framed with Content-Length as in the Language Server Protocol. The first request is `initialize`;
// everything else is refused before it. Paths of files are relative to their folder and '/'-separated; lines count from 1
// and ranges include both ends. Fractions are 0–1, times are seconds unless the name says otherwise, sizes are bytes.
// A change that an older side would misread raises PROTOCOL_VERSION.

export const PROTOCOL_VERSION = 1;

/** A larger message is refused without being read into memory. Bytes of the JSON body. */
export const MAXIMUM_MESSAGE_BYTES = 64 * 1024 * 1024;

export const HostMethod = {
  initialize: 'initialize',
  folderConfigure: 'folder/configure',
  absorbEstimate: 'absorb/estimate',
  absorbStart: 'absorb/start',
  absorbPause: 'absorb/pause',
  absorbResume: 'absorb/resume',
  absorbCancel: 'absorb/cancel',
  filesChanged: 'files/changed',
  ask: 'ask',
  status: 'status',
  coverage: 'coverage',
  evalRun: 'eval/run',
  evalLast: 'eval/last',
  adaptersList: 'adapters/list',
  adaptersDelete: 'adapters/delete',
  adaptersPrune: 'adapters/prune',
  adaptersExport: 'adapters/export',
  adaptersImport: 'adapters/import',
  adaptersRollBack: 'adapters/rollBack',
  modelsList: 'models/list',
  modelsFind: 'models/find',
  modelsGet: 'models/get',
  shutdown: 'shutdown',
} as const;

export const HostNotification = {
  absorbProgress: 'absorb/progress',
  askToken: 'ask/token',
  modelsProgress: 'models/progress',
  evalProgress: 'eval/progress',
} as const;

/** Error codes beside those of JSON-RPC (-32700, -32600 … -32603). A cancelled request has the code that LSP gives it. */
export const HostErrorCode = {
  notInitialized: -32002,
  protocolVersionMismatch: -32010,
  messageTooLarge: -32011,
  tooManyRequests: -32012,
  /** Another process trains this folder's adapter. */
  locked: -32020,
  /** Nothing of the folder was ever absorbed. */
  nothingAbsorbed: -32021,
  requestCancelled: -32800,
} as const;

/** What each request takes and gives. */
export interface HostRequests {
  initialize: { params: InitializeParams; result: InitializeResult };
  'folder/configure': { params: FolderConfigureParams; result: null };
  'absorb/estimate': { params: AbsorbEstimateParams; result: AbsorbEstimateResult };
  'absorb/start': { params: AbsorbStartParams; result: AbsorbResult };
  'absorb/pause': { params: FolderParams; result: null };
  'absorb/resume': { params: FolderParams; result: null };
  'absorb/cancel': { params: FolderParams; result: null };
  'files/changed': { params: FilesChangedParams; result: FilesChangedResult };
  ask: { params: AskParams; result: AskResult };
  status: { params: FolderParams; result: StatusResult };
  coverage: { params: FolderParams; result: CoverageResult };
  /** Trains an adapter for this alone; none in the store changes. */
  'eval/run': { params: EvalRunParams; result: Evaluation };
  'eval/last': { params: FolderParams; result: EvalLastResult };
  'adapters/list': { params: NoParams; result: AdaptersListResult };
  'adapters/delete': { params: AdaptersDeleteParams; result: AdaptersRemovedResult };
  'adapters/prune': { params: AdaptersPruneParams; result: AdaptersRemovedResult };
  'adapters/export': { params: AdaptersExportParams; result: AdaptersExportResult };
  'adapters/import': { params: AdaptersImportParams; result: AdapterVersionResult };
  'adapters/rollBack': { params: PackageParams; result: AdapterVersionResult };
  'models/list': { params: NoParams; result: ModelsListResult };
  /** Asks a hub what a model is; nothing is downloaded. */
  'models/find': { params: ModelFindParams; result: ModelFindResult };
  /** Downloads it; cancelling the request keeps what has come, for the next try. */
  'models/get': { params: ModelFindParams; result: ModelGetResult };
  shutdown: { params: NoParams; result: null };
}

/** What the host tells without being asked. */
export interface HostNotifications {
  'absorb/progress': AbsorbProgress;
  'ask/token': AskToken;
  'models/progress': ModelProgress;
  'eval/progress': EvalProgress;
}

export type NoParams = Record<string, never>;

export interface FolderParams {
  /** Absolute path of the repository's folder. */
  folder: string;
}

export interface InitializeParams {
  protocolVersion: number;
  /** Who asks, for messages and logs, such as `vscode 1.139.1`. */
  client: string;
  /** Absolute path of the folder that holds adapters. */
  storeRoot: string;
  /** Absolute path of a base model in Hugging Face's layout; the embedded model without it. */
  modelFolder?: string;
  /** 'auto', and what it stands for without it: an NVIDIA card that can take the model, else the processor. */
  device?: 'auto' | 'cpu' | 'webgpu' | 'cuda';
  /** How frozen matrices lie in memory. 'auto', as without it: exact where the memory suffices, else in 8 or 4 bits. */
  weights?: 'auto' | 'float32' | 'int8' | 'int4';
}

export interface InitializeResult {
  protocolVersion: number;
  hostVersion: string;
  device: string;
  model: ModelEntry;
}

/** What holds for a folder until it is configured anew; asked for before anything else about that folder. */
export interface FolderConfigureParams extends FolderParams {
  /** Patterns of files to leave out, in the syntax of .gitignore, beside those that the folder itself names. */
  exclude: string[];
}

/** One adapter for a folder or one for each package that it declares; 'auto', as without it, goes by what there is and by size. */
export type PackagesName = 'auto' | 'whole' | 'each';

export interface AbsorbEstimateParams extends FolderParams {
  packages?: PackagesName;
  minutes?: number;
  adapterKind?: AdapterKindName;
  rank?: number;
}

/** What absorbing the folder from the start would take; asked before the first absorption. */
export interface AbsorbEstimateResult {
  documents: number;
  tokens: number;
  skipped: number;
  /** From a few trial steps of this model on this device; at most the budget. */
  seconds: number;
  /** Disk that the adapter, its versions and its checkpoint take. */
  bytes: number;
}

export interface EvalRunParams extends FolderParams {
  /** Of the training. */
  minutes?: number;
  probes?: number;
}

/** What absorbing a folder gives, beside the base model and texts in the prompt. */
export interface Evaluation {
  /** A page that needs nothing else: no script, no request. */
  html: string;
  /** ISO 8601. */
  made: string;
}

export interface EvalLastResult {
  /** Null where the folder was never evaluated. */
  evaluation: Evaluation | null;
}

export interface EvalProgress {
  folder: string;
  stage: 'training' | 'measuring' | 'answering';
  /** Of the training or the arm. */
  name: string;
  /** Of this stage, 0 to 1. */
  done: number;
}

export type AdapterKindName = 'lora' | 'full' | 'gatedMemory';

export interface AbsorbStartParams extends FolderParams {
  packages?: PackagesName;
  epochs?: number;
  minutes?: number;
  seed?: number;
  /** The recipe of the model chooses without it. */
  adapterKind?: AdapterKindName;
  /** Of LoRA; the recipe chooses without it. */
  rank?: number;
  /** What is learned before all else: paths in the folder, of files or of folders, the most important first. */
  first?: string[];
  /** Only what was learned and has changed since, which takes seconds; not what was never learned, nor everything anew. */
  editsOnly?: boolean;
  /** When all adapters together take more than this afterwards, those unused for longest are pruned; never this one. */
  quotaBytes?: number;
}

/** The answer comes when the absorption ends: done, out of budget, or cancelled with what was absorbed so far. */
export interface AbsorbResult {
  documents: number;
  tokens: number;
  steps: number;
  trainedTokens: number;
  seconds: number;
  /** The adapter's version now, of several the highest; null when nothing has ever been absorbed. */
  version: number | null;
  skipped: SkippedEntry[];
  /** Why it ended; 'unchanged': there was nothing to learn. 'restored': a version that knows this very tree came back. */
  end: 'unchanged' | 'restored' | 'budget' | 'saturated' | 'cancelled';
  absorbed: number;
  /** Files that the version has not learned, or not in whole. */
  dirty: number;
  /** How it was trained and why so, in a line of English. */
  recipe?: string;
  /** Which adapters a folder with packages has and why so, in a line of English; absent where none are declared. */
  arrangement?: string;
  /** Where each package has an adapter, in the order in which they were absorbed. */
  packages?: PackageStatus[];
}

/** What is known of one package that has an adapter of its own. */
export interface PackageStatus {
  /** In the folder; '.' for what lies outside of all packages. */
  folder: string;
  documents: number;
  tokens: number;
  absorbed: number;
  dirty: number;
  version: number | null;
  /** Whether the adapter of everything still answers for it, because its own is not there or not finished. */
  byWhole?: boolean;
}

export interface SkippedEntry {
  path: string;
  reason: string;
}

export interface AbsorbProgress extends FolderParams {
  /** `scan`, `questions`, `train`, `measure`, `save`, `paused` … */
  phase: string;
  documents: number;
  tokens: number;
  step: number;
  steps: number;
  loss: number | null;
  tokensPerSecond: number | null;
  absorbed: number;
  secondsLeft: number | null;
  /** How many documents this absorption has trained on at least once in whole. */
  documentsSeen: number;
  /** Where each package has an adapter: the one whose turn it is. All else is about all of them. */
  package?: { folder: string; number: number; of: number };
}

export interface FilesChangedParams extends FolderParams {
  changes: FileChange[];
}

export interface FileChange {
  path: string;
  kind: 'changed' | 'removed';
  /** The editor's text where it is not saved yet; without it the file on disk counts. */
  text?: string;
}

export interface FilesChangedResult {
  /** How many files are dirty now. */
  dirty: number;
}

export interface LineRange {
  from: number;
  to: number;
}

export interface OpenFile {
  path: string;
  /** The editor's text, saved or not. */
  text: string;
  /** What is visible, or what the user named. */
  from?: number;
  to?: number;
  selection?: LineRange;
}

export interface ConversationTurn {
  question: string;
  answer: string;
}

export interface AskParams extends FolderParams {
  /** Names the answer in `ask/token`; chosen by the client. */
  askId: string;
  question: string;
  openFiles: OpenFile[];
  useAdapter: boolean;
  /** Folder of the package whose adapter is to answer; without it the question's words and the open files say which. */
  package?: string;
  /** How many passages of evidence are looked up; 0 switches evidence off, and without it there are 4. */
  evidence?: number;
  temperature: number;
  topP: number;
  maxTokens: number;
  /** Earlier turns, oldest first. */
  conversation: ConversationTurn[];
}

export interface Citation {
  path: string;
  startLine: number;
  endLine: number;
}

export interface AskResult {
  answer: string;
  citations: Citation[];
  /** Paths that the answer names and the folder does not hold. */
  unknownPaths: string[];
  /** Names in the answer's code that no file of the folder declares. */
  unknownSymbols: string[];
  /** What the model was shown beside the question, in the order of the prompt, and what had no room. */
  shown: ShownPart[];
  /** The answer is one without these texts: the model was surer of it than of its answer with them. */
  fromMemory?: true;
  firstTokenMs: number;
  tokensPerSecond: number;
  /** The adapter's version that answered; null for the base model. */
  version: number | null;
  /** Folder of the package whose adapter that is; absent where it is the adapter of everything. */
  package?: string;
}

export interface ShownPart {
  kind: 'conversation' | 'outline' | 'dirty' | 'open' | 'evidence';
  /** Of `dirty`, `open` and `evidence`. */
  path?: string;
  startLine?: number;
  endLine?: number;
  state: 'whole' | 'cut' | 'left out';
}

export interface AskToken {
  askId: string;
  text: string;
}

export interface StatusResult {
  documents: number;
  tokens: number;
  absorbed: number;
  dirty: number;
  skipped: SkippedEntry[];
  /** Of several adapters the highest. */
  version: number | null;
  device: string;
  model: string;
  /** When the current version was made, ISO 8601; null before anything was absorbed. */
  absorbedAt: string | null;
  /** The Git commit that was checked out then, in full; null where there was none. */
  absorbedCommit: string | null;
  adapterBytes: number;
  /** Whether so much was refreshed since everything was absorbed that absorbing it anew is worth it; absent where not. */
  isConsolidationDue?: true;
  /** How the current version was trained, or would be where there is none, and why so: a line of English. */
  recipe?: string;
  /** Which adapters a folder with packages has and why so, in a line of English; absent where none are declared. */
  arrangement?: string;
  /** Where each package has an adapter. The numbers above are those of all of them together. */
  packages?: PackageStatus[];
  /** Resident memory of the host, in bytes. */
  memoryBytes: number;
}

/** What the adapter knows of each document that would be absorbed now. */
export interface CoverageResult {
  documents: CoverageEntry[];
}

export interface CoverageEntry {
  path: string;
  tokens: number;
  /** Share of its tokens that the adapter predicted right when last measured; 0 for what it never saw in this form. */
  absorbed: number;
  dirty: boolean;
}

export interface AdapterEntry {
  repositoryKey: string;
  baseModelKey: string;
  folder: string;
  /** Folder of the package in it that the adapter is of; absent where it is of everything. */
  package?: string;
  /** The current version; null while none is complete. */
  version: number | null;
  versions: number[];
  bytes: number;
  /** ISO 8601. */
  lastUsed: string;
}

export interface AdaptersListResult {
  adapters: AdapterEntry[];
}

export interface AdaptersDeleteParams {
  repositoryKey: string;
  /** Only the adapter of this base model; all of the repository's without it. */
  baseModelKey?: string;
}

export interface AdaptersPruneParams {
  quotaBytes: number;
}

export interface AdaptersRemovedResult {
  removed: { repositoryKey: string; baseModelKey: string; version: number; bytes: number }[];
  freedBytes: number;
}

/** Where each package has an adapter, one of them. */
export interface PackageParams extends FolderParams {
  package?: string;
}

export interface AdaptersExportParams extends PackageParams {
  /** Absolute path of the folder that receives PEFT's files, in a folder for each package where several are exported. */
  target: string;
}

export interface AdaptersExportResult {
  files: string[];
}

export interface AdaptersImportParams extends PackageParams {
  /** Absolute path of a folder with adapter_config.json and adapter_model.safetensors. */
  source: string;
}

export interface AdapterVersionResult {
  version: number;
}

export interface ModelEntry {
  name: string;
  folder: string;
  architecture: string;
  parameters: number;
  /** Tokens that a prompt and its answer may take together. */
  window: number;
}

export interface ModelsListResult {
  /** The embedded one first, then the one in use, then what the cache of Hugging Face's tools holds. */
  models: ModelEntry[];
  /** Models to download, smallest first; those that are at hand are not among them. */
  suggested: SuggestedModelEntry[];
}

export interface SuggestedModelEntry {
  /** Its name on the hub. */
  id: string;
  parameters: number;
  /** Of the download, roughly. */
  bytes: number;
  /** What absorbing with it takes on the processor, roughly. */
  memoryBytes: number;
  /** Whether this machine has that much. */
  fits: boolean;
}

export interface ModelFindParams {
  /** Its name on the hub, such as `HuggingFaceTB/SmolLM2-135M-Instruct`. */
  id: string;
  /** One of several GGUF files that the model is there as; the host chooses without it. */
  file?: string;
}

export interface ModelFindResult {
  id: string;
  /** Where it is asked for. */
  endpoint: string;
  /** As the hub names it; null where the model's page names none, or the hub was not asked. */
  license: string | null;
  /** Of all files. */
  bytes: number;
  /** Where the model lies already; null where it is to be downloaded. */
  folder: string | null;
  /** Of a model in GGUF, unless the hub was not asked: the file that all this is about, and all that are read. */
  gguf?: { file: string; files: { name: string; bytes: number }[] };
}

export interface ModelGetResult {
  folder: string;
}

export interface ModelProgress {
  id: string;
  bytesDone: number;
  /** Of all files. */
  bytes: number;
}
