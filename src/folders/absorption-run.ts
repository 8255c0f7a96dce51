/**
 * One absorption, from the wish for it to its end. It waits for its turn, yields to the user and to what else the machine
 * does, outlives crashes of the host, and waits while another window absorbs the same folder. Knows nothing of the editor.
 */
import { type AbsorbResult, HostErrorCode } from '../../protocol/host.ts';
import type { FolderState } from '../../protocol/view.ts';
import { HostError, HostUnavailableError } from '../host/host-errors.ts';
import type { AbsorptionQueue } from './absorption-queue.ts';

export interface RunServices {
  queue: AbsorptionQueue;
  /** Why absorbing should rest just now, in words for the user; null: it need not. */
  holdReason(): string | null;
  /** Starts or goes on; resolves with what came out. Aborting keeps what was learned so far. */
  absorb(signal: AbortSignal): Promise<AbsorbResult>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Asked once, before the first turn: whether the user wants what it takes. */
  agrees(signal: AbortSignal): Promise<boolean>;
  tell(phase: FolderState['phase'], message: string | null): void;
  words: { restarting: string; elsewhere: string };
  /** How long to wait before asking again whether the other window has finished. */
  elsewhereMilliseconds: number;
}

export type RunEnd = { kind: 'done'; result: AbsorbResult } | { kind: 'stopped' | 'declined' };

export class AbsorptionRun {
  private readonly stopping = new AbortController();
  /** Aborted by a pause while it waits for its turn. */
  private waiting = new AbortController();
  private isPausedByUser = false;
  /** The user wants it to go on, whatever else the machine does. */
  private ignoresHold = false;
  private changed = () => {};
  private leave: (() => void) | null = null;
  private isTraining = false;
  private hostPaused = false;
  /** Shown while the next attempt begins. */
  private note: string | null = null;
  private reconciling: Promise<void> = Promise.resolve();

  constructor(private readonly services: RunServices) {}

  /** Rejects where the host refuses or cannot be had; whatever was learned before is kept. */
  async run(): Promise<RunEnd> {
    const { signal } = this.stopping;
    const { services } = this;
    try {
      if (!(await services.agrees(signal))) return { kind: signal.aborted ? 'stopped' : 'declined' };
      for (;;) {
        await this.untilWanted();
        if (!(await this.enter())) continue;
        const result = await this.attempt();
        if (result !== null) return { kind: 'done', result };
      }
    } catch (error) {
      if (signal.aborted) return { kind: 'stopped' };
      throw error;
    } finally {
      this.isTraining = false;
      this.leave?.();
    }
  }

  /** Another folder may take its turn meanwhile. */
  pause(): Promise<void> {
    this.isPausedByUser = true;
    this.ignoresHold = false;
    this.waiting.abort();
    return this.reconsider();
  }

  resume(): Promise<void> {
    this.isPausedByUser = false;
    this.ignoresHold = true;
    return this.reconsider();
  }

  /** Ends it; `run` resolves once the host has saved what was learned. */
  stop(): void {
    this.stopping.abort(new Error('stopped'));
    this.waiting.abort();
    this.changed();
  }

  get isPaused(): boolean {
    return this.isPausedByUser;
  }

  /** To be called when the reason to hold has changed. */
  reconsider(): Promise<void> {
    this.changed();
    this.reconciling = this.reconciling.then(() => this.reconcile());
    return this.reconciling;
  }

  private get restReason(): { message: string | null } | null {
    if (this.isPausedByUser) return { message: null };
    const reason = this.ignoresHold ? null : this.services.holdReason();
    return reason === null ? null : { message: reason };
  }

  private async untilWanted(): Promise<void> {
    for (let rest = this.restReason; rest !== null; rest = this.restReason) {
      this.services.tell('paused', rest.message);
      await new Promise<void>((resolve) => {
        this.changed = resolve;
        if (this.stopping.signal.aborted) resolve();
      });
      this.stopping.signal.throwIfAborted();
    }
  }

  /** False where it was paused while it waited. */
  private async enter(): Promise<boolean> {
    this.waiting = new AbortController();
    if (this.stopping.signal.aborted) this.waiting.abort();
    if (this.services.queue.isBusy) this.services.tell('waiting', null);
    try {
      this.leave = await this.services.queue.enter(this.waiting.signal);
      return true;
    } catch {
      this.stopping.signal.throwIfAborted();
      return false;
    }
  }

  /** Null: to be tried again. */
  private async attempt(): Promise<AbsorbResult | null> {
    const { services } = this;
    const { signal } = this.stopping;
    services.tell('busy', this.note);
    this.note = null;
    this.isTraining = true;
    this.hostPaused = false;
    try {
      return await services.absorb(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof HostUnavailableError && error.mayAskAgain) {
        this.note = services.words.restarting;
        return null;
      }
      if (!(error instanceof HostError && error.code === HostErrorCode.locked)) throw error;
      services.tell('elsewhere', services.words.elsewhere);
      this.leaveTurn();
      await sleep(services.elsewhereMilliseconds, signal);
      return null;
    } finally {
      this.isTraining = false;
      this.leaveTurn();
    }
  }

  private leaveTurn(): void {
    this.leave?.();
    this.leave = null;
  }

  /** Brings the host to what is wanted now; one after another. */
  private async reconcile(): Promise<void> {
    if (!this.isTraining) return;
    const { services } = this;
    const rest = this.restReason;
    if (rest !== null) {
      if (!this.hostPaused) await services.pause().catch(() => {});
      if (!this.isTraining) return;
      this.hostPaused = true;
      if (this.isPausedByUser) this.leaveTurn();
      services.tell('paused', rest.message);
      return;
    }
    if (!this.hostPaused) return;
    if (this.leave === null && !(await this.enter().catch(() => false))) return;
    if (!this.isTraining) {
      this.leaveTurn();
      return;
    }
    if (this.restReason !== null) return this.reconcile();
    await services.resume().catch(() => {});
    this.hostPaused = false;
    if (this.isTraining) services.tell('busy', null);
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
