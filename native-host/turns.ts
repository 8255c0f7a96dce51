/** Pieces of work that go one after another, while less urgent work waits until none of them is left. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** Does it after what was asked for before, however that ended. */
  take<T>(work: () => Promise<T>): Promise<T> {
    this.waiting += 1;
    const turn = this.last.then(work).finally(() => {
      this.waiting -= 1;
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when nothing is left to do, or when the signal aborts. */
  async untilIdle(signal?: AbortSignal): Promise<void> {
    if (this.waiting === 0 || signal?.aborted) return;
    let abort = () => {};
    const aborted = new Promise<void>((resolve) => {
      abort = resolve;
    });
    signal?.addEventListener('abort', abort);
    try {
      while (this.waiting > 0 && !signal?.aborted) await Promise.race([this.last, aborted]);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}
