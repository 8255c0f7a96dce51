/** Signals and a reader that goes away, as one abort signal for the command. */
import { constants } from 'node:os';
import type { Interrupt } from './context.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The first signal aborts, so that the command ends in order and its status says so (128 + the signal's number). A second
 * one ends the process at once: the signal takes its usual course, whatever native code is running. Output that nobody
 * reads any more aborts too, quietly.
 */
export function interruptOf(process: NodeJS.Process): Interrupt {
  const controller = new AbortController();
  let exitStatus: number | null = null;
  const abort = (status: number) => {
    exitStatus ??= status;
    controller.abort();
  };
  for (const signal of signals) {
    process.on(signal, () => {
      if (!controller.signal.aborted) return abort(128 + constants.signals[signal]);
      for (const each of signals) process.removeAllListeners(each);
      // Away from a line that a progress bar is on.
      if (process.stderr.isTTY) process.stderr.write('\n');
      process.kill(process.pid, signal);
    });
  }
  for (const stream of [process.stdout, process.stderr]) {
    // Whatever is written after that is dropped.
    stream.on('error', () => abort(0));
  }
  return {
    signal: controller.signal,
    get exitStatus() {
      return exitStatus;
    },
  };
}
