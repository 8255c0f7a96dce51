/** Refreshes an adapter by itself a while after files have changed, if the setting `lift.autoAbsorb` says so. */
import type { AutoAbsorb } from '../settings.ts';

/** After a save others often follow, of a formatter or a code generator. Milliseconds without a change. */
const quietMilliseconds: Record<Exclude<AutoAbsorb, 'off'>, number> = { onSave: 2000, afterDelay: 60_000 };
/** When more than this share of the files has changed, everything is absorbed anew, which the user should ask for. */
const largestShare = 0.15;
/** In a folder with fewer files than this that takes little time. */
const smallFolder = 200;

export class AutoAbsorber {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly rule: () => AutoAbsorb,
    private readonly refresh: () => void,
  ) {}

  noteChange(): void {
    clearTimeout(this.timer);
    const rule = this.rule();
    if (rule === 'off') return;
    this.timer = setTimeout(this.refresh, quietMilliseconds[rule]);
    this.timer.unref?.();
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}

export function mayRefreshUnasked(dirty: number, documents: number): boolean {
  return dirty > 0 && (documents < smallFolder || dirty <= largestShare * documents);
}
