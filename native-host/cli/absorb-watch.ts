/** `lift absorb --watch`: absorbs, then absorbs again whenever something in the folder has changed. */
import { type FolderChange, watchFolder } from '../../workspace/watch.ts';
import type { CliContext } from './context.ts';
import { counted } from './number-text.ts';
import { printLines } from './print.ts';

/** How many changed files are named. */
const namedFiles = 3;

/**
 * Ends when interrupted. The store is never watched, should it lie in the folder. The first absorption that fails ends
 * it too; a later one is reported, and the next change tries again. Errors: that, and a folder that cannot be watched.
 */
export async function absorbWatching(
  { stderr, interrupt: { signal } }: CliContext,
  folder: string,
  store: string,
  absorb: () => Promise<void>,
): Promise<void> {
  let waiting: FolderChange[] = [];
  let broken: Error | null = null;
  let wake = () => {};
  const stop = () => wake();
  // Watched from before the first absorption, so that nothing is missed between it and the watch.
  const watch = await watchFolder(folder, {
    leftOut: [store],
    onChanges: (changes) => {
      waiting.push(...changes);
      wake();
    },
    onError: (error) => {
      broken = error;
      wake();
    },
  });
  signal.addEventListener('abort', stop);
  try {
    await absorb();
    for (;;) {
      if (waiting.length === 0 && broken === null && !signal.aborted) {
        printLines(stderr, ['Watching for changes; Ctrl-C ends.']);
      }
      while (waiting.length === 0 && broken === null && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (signal.aborted) return;
      if (broken !== null) throw broken;
      printLines(stderr, [changesText(waiting)]);
      waiting = [];
      await absorb().catch((error: unknown) => {
        if (signal.aborted) throw error;
        printLines(stderr, [`lift: ${error instanceof Error ? error.message : error}`]);
      });
    }
  } finally {
    signal.removeEventListener('abort', stop);
    await watch.close();
  }
}

/** 5 files changed: a.ts, b.ts, c.ts and 2 more */
export function changesText(changes: readonly FolderChange[]): string {
  const paths = [...new Set(changes.map(({ path }) => path))];
  const more = paths.length - namedFiles;
  const named = paths.slice(0, namedFiles).join(', ');
  return `${counted(paths.length, 'file')} changed: ${named}${more > 0 ? ` and ${more} more` : ''}`;
}
