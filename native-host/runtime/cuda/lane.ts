/**
 * Runs of one priority, one after another, on a stream of their own. Answers and training have a lane each: the card works
 * on both, and starts an answer's blocks before those of training that wait.
 */
import type { Card } from './card.ts';

export class Lane {
  readonly stream: number;
  private readonly begun: number;
  private readonly passed: number;
  private block: { address: number; bytes: number } | null = null;
  private tail: Promise<unknown> = Promise.resolve();
  /** Runs that wait or are under way. */
  waiting = 0;
  /** When the last run ended, in milliseconds of performance.now(). */
  endedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly card: Card,
    urgent: boolean,
  ) {
    this.stream = card.driver.createStream(urgent);
    this.begun = card.driver.createEvent();
    this.passed = card.driver.createEvent();
  }

  /** Does this when all that was asked before is done. */
  async queue<Result>(work: () => Promise<Result>): Promise<Result> {
    this.waiting += 1;
    const run = this.tail.then(work).finally(() => {
      this.waiting -= 1;
      this.endedAt = performance.now();
    });
    this.tail = run.catch(() => undefined);
    return run;
  }

  get scratchBytes(): number {
    return this.block?.bytes ?? 0;
  }

  /** Memory for a run's intermediate values; what it held before is lost. */
  scratch(bytes: number): number {
    if (this.block === null || this.block.bytes < bytes) {
      if (this.block !== null) this.card.memory.giveBack(this.block.address);
      this.block = null;
      this.block = { address: this.card.memory.take(bytes), bytes };
    }
    return this.block.address;
  }

  /** To be called before a run's first work is asked of the stream. */
  begin(): void {
    this.card.driver.record(this.begun, this.stream);
  }

  /**
   * Waits until the stream has done what it was asked, and returns the seconds since `begin` on the card's clock. A wait of
   * more than `patience` milliseconds leaves the thread free for other jobs meanwhile.
   */
  async done(patience: number): Promise<number> {
    const { driver } = this.card;
    driver.record(this.passed, this.stream);
    const started = performance.now();
    while (!driver.hasPassed(this.passed)) {
      if (performance.now() - started < patience) continue;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return driver.secondsBetween(this.begun, this.passed);
  }

  close(): void {
    if (this.block !== null) this.card.memory.giveBack(this.block.address);
    this.card.driver.destroyEvent(this.begun);
    this.card.driver.destroyEvent(this.passed);
    this.card.driver.destroyStream(this.stream);
  }
}
