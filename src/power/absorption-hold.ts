/** Tells absorptions to rest while the machine runs on its battery or others need it, by the setting `lift.power`. */
import { availableParallelism, loadavg } from 'node:os';
import { EventEmitter, l10n } from 'vscode';
import type { PowerRule } from '../settings.ts';
import { othersNeedMachine } from './machine-load.ts';
import { type PowerSource, readPowerSource } from './power-source.ts';

const secondsBetweenLooks = 15;

export interface HoldSources {
  rule(): PowerRule;
  power(): Promise<PowerSource>;
  load(): number;
  cores: number;
}

export function machineSources(rule: () => PowerRule): HoldSources {
  return { rule, power: readPowerSource, load: () => loadavg()[0] ?? 0, cores: availableParallelism() };
}

export class AbsorptionHold {
  private readonly emitter = new EventEmitter<void>();
  readonly onDidChange = this.emitter.event;
  private held: 'battery' | 'load' | null = null;
  private watchers = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly sources: HoldSources) {}

  /** In words for the user; null: absorb. */
  get reason(): string | null {
    if (this.held === 'battery')
      return l10n.t('The computer runs on battery. Absorbing goes on when it is plugged in.');
    if (this.held === 'load')
      return l10n.t('Other programs keep the computer busy. Absorbing goes on when they have finished.');
    return null;
  }

  /** Looks at the machine until disposed; who absorbs asks for it. */
  watch(): { dispose(): void } {
    this.watchers += 1;
    if (this.watchers === 1) void this.look();
    let disposed = false;
    return {
      dispose: () => {
        if (disposed) return;
        disposed = true;
        this.watchers -= 1;
        if (this.watchers === 0) clearTimeout(this.timer);
      },
    };
  }

  /** Looks now, such as when the setting has changed. */
  async look(): Promise<void> {
    clearTimeout(this.timer);
    const held = await this.decide();
    if (held !== this.held) {
      this.held = held;
      this.emitter.fire();
    }
    clearTimeout(this.timer);
    if (this.watchers > 0) {
      this.timer = setTimeout(() => void this.look(), secondsBetweenLooks * 1000);
      this.timer.unref?.();
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.watchers = 0;
    this.emitter.dispose();
  }

  private async decide(): Promise<'battery' | 'load' | null> {
    const { rule, power, load, cores } = this.sources;
    const wanted = rule();
    if (wanted === 'always') return null;
    if ((await power()) === 'battery') return 'battery';
    if (wanted === 'considerate' && othersNeedMachine(load(), cores, this.held === 'load')) return 'load';
    return null;
  }
}
