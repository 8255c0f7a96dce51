/** What the extension and the worker that watches a folder tell each other. */
import type { FolderChange } from '../../workspace/watch.ts';

export interface WatchRequest {
  /** Absolute paths. */
  folder: string;
  leftOut: string[];
  /** Patterns in the syntax of .gitignore. */
  exclude: string[];
}

export type WatchMessage =
  | { kind: 'ready' }
  | { kind: 'changes'; changes: FolderChange[] }
  /** The watch is over. `code`: the system's, where it gave one. */
  | { kind: 'error'; message: string; code: string | null };
