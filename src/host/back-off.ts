/** How long to wait before a host that crashed is started again, and when to give up. */

const firstDelayMilliseconds = 500;
const longestDelayMilliseconds = 30_000;
/** Crashes longer ago than this no longer count. */
const memoryMilliseconds = 5 * 60_000;
const mostCrashes = 5;

export class BackOff {
  private crashes: number[] = [];

  /** Milliseconds to wait after a crash now, doubled with each that is not long ago; null: it crashes too often. */
  crashed(now: number): number | null {
    this.crashes = [...this.crashes.filter((time) => now - time < memoryMilliseconds), now];
    if (this.crashes.length > mostCrashes) return null;
    return Math.min(longestDelayMilliseconds, firstDelayMilliseconds * 2 ** (this.crashes.length - 1));
  }

  forget(): void {
    this.crashes = [];
  }
}
