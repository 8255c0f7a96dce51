/** The page's switches for what an answer is made from, kept for the workspace. */
import type { Memento } from 'vscode';
import type { Switches } from '../../protocol/view.ts';

const STATE_KEY = 'lift.switches';

export class KeptSwitches {
  constructor(private readonly memento: Memento) {}

  get current(): Switches {
    const kept = this.memento.get<Partial<Switches>>(STATE_KEY, {});
    return {
      adapter: kept.adapter !== false,
      evidence: kept.evidence !== false,
      openFiles: kept.openFiles !== false,
    };
  }

  set(name: keyof Switches, on: boolean): void {
    void this.memento.update(STATE_KEY, { ...this.current, [name]: on });
  }
}
