/** The page's switches for what an answer is made from, kept for the workspace. What the user never switched follows the model. */
import { type Memento, workspace } from 'vscode';
import type { Switches } from '../../protocol/view.ts';
import { readsTexts } from '../ask/reads-texts.ts';

const STATE_KEY = 'lift.switches';

export class KeptSwitches {
  constructor(private readonly memento: Memento) {}

  get current(): Switches {
    const { adapter = true, evidence, openFiles = readsTexts() } = this.kept();
    return { adapter, evidence: evidence ?? (readsTexts() || isEvidenceSet()), openFiles };
  }

  set(name: keyof Switches, on: boolean): void {
    void this.memento.update(STATE_KEY, { ...this.kept(), [name]: on });
  }

  private kept(): Partial<Switches> {
    return this.memento.get<Partial<Switches>>(STATE_KEY, {});
  }
}

/** Whoever sets a number of passages wants them, whatever the model. */
function isEvidenceSet(): boolean {
  return Number(workspace.getConfiguration('lift').get('evidence')) > 0;
}
