import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks until the answer is neither false, null nor undefined, and gives it. What throws counts as not yet.
 * Errors: after `seconds`, saying what was waited for and what the last answer or error was.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  seconds = 60,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== false && answer !== null && answer !== undefined) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  throw new Error(`waited ${seconds} s in vain for: ${what}${last instanceof Error ? ` (${last.message})` : ''}`);
}
