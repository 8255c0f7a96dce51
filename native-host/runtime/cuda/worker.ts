/** The thread that owns a card. */
import { parentPort, workerData } from 'node:worker_threads';
import { CardRuntime } from './card-runtime.ts';
import { isDeviceLost } from './driver-error.ts';
import type { Job, WorkerMessage, WorkerSettings } from './jobs.ts';

const port = parentPort!;
const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function send(message: WorkerMessage, transferred: ArrayBuffer[] = []): void {
  port.postMessage(message, transferred);
}

let runtime: CardRuntime | null = null;
try {
  runtime = new CardRuntime(workerData as WorkerSettings);
  send({ kind: 'ready', context: runtime.context });
} catch (error) {
  send({ kind: 'failed', message: textOf(error) });
  port.close();
}

port.on('message', async ({ id, job }: { id: number; job: Job }) => {
  const started = performance.now();
  try {
    const result = await runtime!.perform(job);
    const buffers = Object.values(result.host ?? {}).map(({ data }) => data.buffer as ArrayBuffer);
    send({ kind: 'reply', job: id, result: { seconds: (performance.now() - started) / 1000, ...result } }, buffers);
  } catch (error) {
    send({ kind: 'error', job: id, message: textOf(error), lost: isDeviceLost(error) });
  }
  if (job.kind === 'close') port.close();
});
