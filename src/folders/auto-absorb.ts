/** Refreshes an adapter by itself a while after files have changed, if the setting `lift.autoAbsorb` says so. */
import type { AutoAbsorb } from '../settings.ts';

/** After a save others often follow, of a formatter or a code generator. Milliseconds without a change. */
const quietMilliseconds: Record<Exclude<AutoAbsorb, 'off'>, number> = { onSave: 2000, afterDelay: 60_000 };

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
