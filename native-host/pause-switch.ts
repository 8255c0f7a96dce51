/** Holds a training while it is paused; a cancelled one is let go on, so that it can end. */
export class PauseSwitch {
  private resumed: { promise: Promise<void>; resolve: () => void } | null = null;

  pause(): void {
    if (this.resumed !== null) return;
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.resumed = { promise, resolve };
  }

  resume(): void {
    this.resumed?.resolve();
    this.resumed = null;
  }

  async whileRunning(signal: AbortSignal): Promise<void> {
    if (this.resumed === null || signal.aborted) return;
    const aborted = new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
    await Promise.race([this.resumed.promise, aborted]);
  }
}
