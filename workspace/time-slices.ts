// Long work on the main thread in slices, so that messages are answered in between.
import { setImmediate } from 'node:timers/promises';

/** Longest time that work keeps the event loop from anything else, in milliseconds. */
const SLICE_MILLISECONDS = 12;

/** Returns a function to await between two steps of long work: it lets the event loop turn when a slice is over, and throws when the signal is aborted. */
export function timeSlices(signal?: AbortSignal): () => Promise<void> {
  signal?.throwIfAborted();
  let sliceEnd = performance.now() + SLICE_MILLISECONDS;
  return async () => {
    if (performance.now() < sliceEnd) return;
    await setImmediate();
    signal?.throwIfAborted();
    sliceEnd = performance.now() + SLICE_MILLISECONDS;
  };
}
