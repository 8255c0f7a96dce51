/** What the host reports about an absorption, as what is shown: with a share of the work that never goes back. */
import type { AbsorbProgress } from '../../protocol/host.ts';
import type { AbsorptionProgress } from '../../protocol/view.ts';

/** A longer silence is not counted as training: the machine slept, or the host was started again. Seconds. */
const longestGap = 5;

export class ProgressTrack {
  private trainingSeconds = 0;
  private lastReport: number | null = null;
  private done: number | null = null;

  /** `now` in seconds, from any start. */
  next(report: AbsorbProgress, now: number): AbsorptionProgress {
    const { phase, step, documentsSeen, loss, tokensPerSecond, secondsLeft, package: turn } = report;
    const gap = this.lastReport === null ? 0 : now - this.lastReport;
    this.lastReport = now;
    if (phase === 'train') {
      this.trainingSeconds += Math.min(longestGap, Math.max(0, gap));
      if (secondsLeft !== null) {
        const total = this.trainingSeconds + secondsLeft;
        this.done = Math.max(this.done ?? 0, total === 0 ? 1 : this.trainingSeconds / total);
      }
    }
    // What comes after the training is short beside it, unless other packages come, too.
    if (phase === 'save' && (turn === undefined || turn.number === turn.of)) this.done = 1;
    const named = turn === undefined ? {} : { package: turn.folder };
    return { phase, step, documentsSeen, loss, tokensPerSecond, secondsLeft, done: this.done, ...named };
  }
}
