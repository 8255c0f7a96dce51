/** The watch of one folder as the extension sees it: a worker thread that tells what changes. */
import { Worker } from 'node:worker_threads';
import type { FolderChange } from '../../workspace/watch.ts';
import type { WatchMessage, WatchRequest } from './watch-messages.ts';

export interface FolderWatchOptions extends WatchRequest {
  /** The worker's entry file, absolute. */
  workerFile: string;
  onReady(): void;
  onChanges(changes: FolderChange[]): void;
  /** The watch is over; the message says what to do. */
  onError(message: string): void;
}

export interface RunningFolderWatch {
  dispose(): void;
}

export function startFolderWatch(options: FolderWatchOptions): RunningFolderWatch {
  const { workerFile, folder, leftOut, exclude, onReady, onChanges, onError } = options;
  let isOver = false;
  const request: WatchRequest = { folder, leftOut, exclude };
  const worker = new Worker(workerFile, { workerData: request, execArgv: [] });
  const end = () => {
    isOver = true;
    void worker.terminate();
  };
  const fail = (message: string) => {
    if (isOver) return;
    end();
    onError(message);
  };
  worker.on('message', (message: WatchMessage) => {
    if (isOver) return;
    if (message.kind === 'ready') onReady();
    else if (message.kind === 'changes') onChanges(message.changes);
    else fail(message.message);
  });
  worker.on('error', (error) => fail(`The watch of ${folder} failed: ${error.message}`));
  worker.on('exit', () => fail(`The watch of ${folder} ended unexpectedly.`));
  worker.unref();
  return { dispose: end };
}
