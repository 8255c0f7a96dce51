// The contract between the extension and its sidebar page: messages posted by the webview API in both directions. The
// extension owns all state, also the text of an answer that is being streamed, because a hidden page receives nothing; the page
// asks for `ready` whenever it is loaded and draws what it is told. Paths are relative to their folder and '/'-separated;
// lines count from 1 and ranges include both ends; fractions are 0–1; times are seconds unless the name says otherwise.

/** What the extension posts to the page. */
export type ToView =
  | { type: 'state'; state: ViewState }
  | { type: 'conversation'; conversation: ConversationState; history: ConversationEntry[] }
  | { type: 'turn'; turn: Turn }
  /** Text to append to the answer of a turn that is being streamed. */
  | { type: 'delta'; turnId: string; text: string }
  | { type: 'folders'; folders: FolderState[]; host: HostState }
  | { type: 'context'; context: ContextItem[]; switches: Switches }
  | { type: 'fileMatches'; query: string; files: FileMention[] }
  /** Puts a question into the box, and sends it if `send` says so. */
  | { type: 'prefill'; question: string; send: boolean };

/** What the page posts to the extension. */
export type FromView =
  | { type: 'ready' }
  | { type: 'ask'; question: string; mentions: FileMention[] }
  | { type: 'stop' }
  /** Asks the question of that turn again; its answer and what came after it go. */
  | { type: 'retry'; turnId: string }
  | { type: 'newConversation' }
  | { type: 'openConversation'; id: string }
  | { type: 'deleteConversation'; id: string }
  | { type: 'openCitation'; folder: string; citation: CitationLink }
  | { type: 'copy'; text: string }
  | { type: 'insertAtCursor'; text: string }
  | { type: 'newFile'; text: string; language: string }
  | { type: 'removeContext'; id: string }
  | { type: 'restoreContext' }
  | { type: 'setSwitch'; name: keyof Switches; on: boolean }
  | { type: 'findFiles'; query: string }
  | { type: 'absorption'; action: AbsorptionAction; folder: string }
  /** A web link of an answer; the extension asks the user before it opens one. */
  | { type: 'openLink'; url: string }
  | { type: 'runCommand'; command: ViewCommand };

export type AbsorptionAction = 'absorb' | 'refresh' | 'pause' | 'resume' | 'stop';

/** Commands that a button of the page may run, and no others. */
export type ViewCommand =
  | 'lift.selectModel'
  | 'lift.selectDevice'
  | 'lift.manageAdapters'
  | 'lift.showReport'
  | 'lift.showLog'
  | 'lift.openSettings'
  | 'lift.manageTrust'
  | 'lift.restartHost';

export interface ViewState {
  host: HostState;
  folders: FolderState[];
  conversation: ConversationState;
  history: ConversationEntry[];
  context: ContextItem[];
  switches: Switches;
  /** Words of the interface in the user's language, by their English text; what is missing is shown in English. */
  words: Record<string, string>;
}

export interface HostState {
  phase: 'stopped' | 'starting' | 'ready' | 'restarting' | 'failed' | 'untrusted' | 'noFolder' | 'virtual';
  /** What went wrong and what to do about it, where something did. */
  message: string | null;
  /** Name of the base model and of the device, once known. */
  model: string | null;
  device: string | null;
  /** Resident memory of the host, in bytes. */
  memoryBytes: number | null;
}

/** One folder of the workspace, which has one adapter, or one for each of its packages. */
export interface FolderState {
  /** Absolute path. */
  folder: string;
  name: string;
  phase: 'unknown' | 'empty' | 'idle' | 'waiting' | 'busy' | 'paused' | 'failed' | 'elsewhere';
  /** What went wrong, or which other window absorbs this folder. */
  message: string | null;
  documents: number;
  tokens: number;
  /** Share of the folder's tokens that the adapter predicts right. */
  absorbed: number;
  /** Files changed since they were absorbed. */
  dirty: number;
  version: number | null;
  /** ISO 8601. */
  absorbedAt: string | null;
  /** The Git commit that was checked out then, in full. */
  absorbedCommit: string | null;
  /** How the version was trained and why so, in English; absent where the host does not say. */
  recipe?: string;
  /** Whether so much was refreshed since everything was absorbed that absorbing it anew is worth it. */
  isConsolidationDue?: true;
  /** Which adapters a folder with packages has and why so, in English; absent where it declares none. */
  arrangement?: string;
  adapterBytes: number;
  skipped: SkippedFile[];
  /** Absorbed share by folder of the first level, largest first; '' holds the files beside them. */
  byFolder: FolderShare[];
  /** Absorbed share by package, where each has an adapter; '.' is what lies in none. Absent where there is but one adapter. */
  byPackage?: FolderShare[];
  progress: AbsorptionProgress | null;
  /** Loss over the running or the last absorption, thinned out to at most 200 points. */
  losses: LossPoint[];
}

export interface SkippedFile {
  path: string;
  reason: string;
}

export interface FolderShare {
  path: string;
  tokens: number;
  absorbed: number;
  dirty: number;
}

export interface AbsorptionProgress {
  /** `scan`, `questions`, `train`, `measure`, `save`. */
  phase: string;
  step: number;
  documentsSeen: number;
  loss: number | null;
  tokensPerSecond: number | null;
  secondsLeft: number | null;
  /** Share of the work done; null while it can't be told. */
  done: number | null;
  /** The package whose turn it is, where each has an adapter. */
  package?: string;
}

export interface LossPoint {
  step: number;
  loss: number;
}

export interface ConversationState {
  id: string;
  title: string;
  turns: Turn[];
}

/** An entry of the list of earlier conversations. */
export interface ConversationEntry {
  id: string;
  title: string;
  /** ISO 8601. */
  updated: string;
  turns: number;
}

export interface Turn {
  id: string;
  /** Absolute path of the folder that was asked. */
  folder: string;
  question: string;
  mentions: FileMention[];
  /** Markdown. */
  answer: string;
  phase: 'waiting' | 'streaming' | 'done' | 'stopped' | 'failed';
  /** Of a failed turn: what to do about it. */
  message: string | null;
  citations: CitationLink[];
  unknownPaths: string[];
  unknownSymbols: string[];
  /** What the model was shown beside the question. */
  shown: ShownText[];
  /** The model was surer of its answer without what it was shown, and this is that answer. */
  fromMemory?: boolean;
  /** Version of the adapter that answered; null for the base model. */
  version: number | null;
  /** Folder of the package whose adapter that is; absent where it is the adapter of everything. */
  package?: string;
  firstTokenMs: number | null;
  tokensPerSecond: number | null;
}

export interface CitationLink {
  path: string;
  startLine: number;
  endLine: number;
}

export interface ShownText {
  kind: string;
  path: string | null;
  startLine: number | null;
  endLine: number | null;
  state: 'whole' | 'cut' | 'left out';
}

/** Something of the editor that the next question takes along. */
export interface ContextItem {
  id: string;
  kind: 'selection' | 'active' | 'open';
  path: string;
  startLine: number | null;
  endLine: number | null;
  unsaved: boolean;
}

export interface Switches {
  adapter: boolean;
  evidence: boolean;
  openFiles: boolean;
}

export interface FileMention {
  /** Absolute path of the folder. */
  folder: string;
  path: string;
}
