/** What a training keeps of itself while it goes on, and what it leaves to be gone on with. */
import type { Use } from '../corpus/importance.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { AdapterFolder } from '../store/adapter-folder.ts';
import type { LiftPosition } from '../train/lift.ts';
import { startState, type Trainer } from '../train/trainer.ts';
import type { AbsorptionPlan } from './absorption-plan.ts';
import { saveInterrupted } from './interrupted.ts';

const defaultSecondsBetween = 15;

export class Checkpoints {
  private last = performance.now();

  /** `tree`: hash of what the repository holds. `use`: what is learned first. */
  constructor(
    private readonly adapter: AdapterFolder,
    private readonly layout: AdapterLayout,
    private readonly plan: AbsorptionPlan,
    private readonly trainer: Trainer,
    private readonly tree: string,
    private readonly use: Omit<Use, 'ranks'>,
  ) {}

  isDue(secondsBetween = defaultSecondsBetween): boolean {
    return performance.now() - this.last >= secondsBetween * 1000;
  }

  /** `isSpent`: the budget is. `written`: how much of what the base wrote the epoch had. */
  async save(position: LiftPosition, isSpent: boolean, written: number): Promise<void> {
    const { work, settings, leavesOutKnown, byParts, keepsCheckpoint } = this.plan;
    // It would take the place of the one from which another absorption goes on, which is worth more.
    if (keepsCheckpoint) return;
    const { tree, use } = this;
    const state = await this.trainer.state();
    const how = { work, tree, position, seed: settings.seed, leavesOutKnown, byParts, written, isSpent, use };
    await saveInterrupted(this.adapter, this.layout, { ...how, state });
    this.last = performance.now();
  }

  /** An absorption that was not finished goes on from what was trained now. */
  async leaveRest(): Promise<void> {
    const { rest } = this.plan;
    if (rest === null || rest.from === null) return;
    const { vector } = await this.trainer.state();
    const { version: _, ...position } = rest.from;
    await saveInterrupted(this.adapter, this.layout, {
      ...position,
      state: startState(vector, this.trainer.optimizer),
    });
  }
}
