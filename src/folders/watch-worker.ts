/** Watches one folder in a worker thread, so that neither the start of a watch nor a flood of changes holds up the editor. */
import { parentPort, workerData } from 'node:worker_threads';
import { watchFolder } from '../../workspace/watch.ts';
import type { WatchMessage, WatchRequest } from './watch-messages.ts';

const { folder, leftOut, exclude } = workerData as WatchRequest;

function tell(message: WatchMessage): void {
  parentPort?.postMessage(message);
}

function fail(error: Error): void {
  const cause = error.cause as NodeJS.ErrnoException | undefined;
  tell({ kind: 'error', message: error.message, code: cause?.code ?? null });
}

watchFolder(folder, {
  leftOut,
  exclude,
  onChanges: (changes) => tell({ kind: 'changes', changes }),
  onError: fail,
}).then(() => tell({ kind: 'ready' }), fail);
