/** One absorption at a time in a window; the others wait for their turn, first come, first served. */

export class AbsorptionQueue {
  private readonly waiting: (() => void)[] = [];
  private taken = false;

  /** Resolves when it is the caller's turn, with what ends the turn; rejects with the signal's reason when aborted before. */
  enter(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (!this.taken) return Promise.resolve(this.take());
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener('abort', leave);
        resolve(this.take());
      };
      const leave = () => {
        this.waiting.splice(this.waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.waiting.push(turn);
    });
  }

  /** Whether whoever enters now has to wait. */
  get isBusy(): boolean {
    return this.taken;
  }

  private take(): () => void {
    this.taken = true;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.taken = false;
      this.waiting.shift()?.();
    };
  }
}
