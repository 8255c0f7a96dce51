/** Holds a training while it is paused; a cancelled one is let go on, so that it can end. */
export class PauseSwitch {
  private resumed: { promise: Promise<void>; resolve: () => void } | null = null;

  get isPaused(): boolean {
    return this.resumed !== null;
  }

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
    // Who resumes may have paused again before this goes on.
    while (this.resumed !== null && !signal.aborted) {
      let abort = () => {};
      const aborted = new Promise<void>((done) => {
        abort = done;
      });
      signal.addEventListener('abort', abort);
      await Promise.race([this.resumed.promise, aborted]);
      signal.removeEventListener('abort', abort);
    }
  }
}
