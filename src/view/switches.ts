/** The page's switches for what an answer is made from, kept for the workspace. What the user never switched is on. */
import type { Memento } from 'vscode';
import type { Switches } from '../../protocol/view.ts';

const STATE_KEY = 'lift.switches';

export class KeptSwitches {
  constructor(private readonly memento: Memento) {}

  get current(): Switches {
    return { adapter: true, evidence: true, openFiles: true, ...this.kept() };
  }

  set(name: keyof Switches, on: boolean): void {
    void this.memento.update(STATE_KEY, { ...this.kept(), [name]: on });
  }

  private kept(): Partial<Switches> {
    return this.memento.get<Partial<Switches>>(STATE_KEY, {});
  }
}
