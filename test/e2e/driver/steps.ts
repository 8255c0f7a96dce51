import { it, onTestFailed } from 'vitest';
import type { Lab } from './lab.ts';

/**
 * Declares tests that follow from one another, as a user's steps do: after one has failed the others are left out. A failure keeps a
 * picture of each window. `lab` is asked for when a step runs.
 */
export function stepsIn(lab: () => Lab): (name: string, take: () => Promise<void> | void) => void {
  let failed: string | null = null;
  return (name, take) => {
    it(name, async (test) => {
      if (failed !== null) return test.skip(`"${failed}" has failed`);
      onTestFailed(async () => {
        failed = name;
        await lab().picture(name);
      });
      await take();
    });
  };
}
