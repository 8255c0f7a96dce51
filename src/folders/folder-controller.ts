/** One folder of the workspace: what the host knows of it, and its absorption. */
import { EventEmitter, l10n, type WorkspaceFolder } from 'vscode';
import type { AbsorbProgress, CoverageEntry, FileChange } from '../../protocol/host.ts';
import type { FolderState } from '../../protocol/view.ts';
import type { NativeHostClient } from '../host/host-client.ts';
import { HostUnavailableError } from '../host/host-errors.ts';
import type { AbsorbedFolder } from '../lift-context.ts';
import type { AbsorptionHold } from '../power/absorption-hold.ts';
import { autoAbsorb } from '../settings.ts';
import type { AbsorptionQueue } from './absorption-queue.ts';
import { AbsorptionRun, type RunEnd } from './absorption-run.ts';
import { excludePatterns } from './exclude-patterns.ts';
import { FolderChanges } from './folder-changes.ts';
import { FolderCoverage } from './folder-coverage.ts';
import type { FolderMemory, RememberedFolder } from './folder-memory.ts';
import { initialState, withCoverage, withStatus } from './folder-state.ts';
import { absorbFolder, userAgrees } from './host-absorption.ts';
import { LossCurve } from './loss-curve.ts';
import { ProgressTrack } from './progress-track.ts';

export interface FolderServices {
  host: NativeHostClient;
  queue: AbsorptionQueue;
  hold: AbsorptionHold;
  memory: FolderMemory;
  watch: { workerFile: string; leftOut: string[] };
  log: { info(message: string): void; warn(message: string): void };
  /** Tells the user of a failure that nobody waits for. */
  reportFailure(message: string): void;
  reportWatchFailure(message: string): void;
}

const elsewhereMilliseconds = 5000;

export class FolderController implements AbsorbedFolder {
  private readonly emitter = new EventEmitter<FolderState>();
  readonly onDidChange = this.emitter.event;
  private readonly path: string;
  private readonly covered: FolderCoverage;
  private readonly changes: FolderChanges;
  private readonly subscriptions: { dispose(): void }[];
  private known: FolderState;
  private running: { absorption: AbsorptionRun; editsOnly: boolean; ended: Promise<void> } | null = null;
  private losses = new LossCurve();
  private track = new ProgressTrack();
  private updating: Promise<void> | null = null;
  /** It failed to be read, not to be absorbed. */
  private readingFailed = false;
  private disposed = false;

  constructor(
    readonly folder: WorkspaceFolder,
    private readonly services: FolderServices,
  ) {
    this.path = folder.uri.fsPath;
    const remembered = services.memory.read();
    this.known = initialState(this.path, folder.name, remembered);
    this.covered = new FolderCoverage(services.host, this.path);
    this.changes = new FolderChanges(folder, {
      ...services,
      onChanged: (changes) => this.noteChanged(changes),
      onDirty: (dirty) => this.noteDirty(dirty),
      onRefreshTime: () => void this.refreshUnasked(),
    });
    this.subscriptions = [
      this.changes,
      services.host.onStart(async (ask) => {
        await ask('folder/configure', { folder: this.path, exclude: excludePatterns(folder) });
        // The host reads the whole folder to answer, so nobody waits for it.
        setImmediate(() => this.changes.tellStartedHost());
      }),
      services.host.onNotification('absorb/progress', (report) => {
        if (report.folder === this.path) this.noteProgress(report);
      }),
      services.hold.onDidChange(() => void this.running?.absorption.reconsider()),
    ];
    // What was agreed to before the window was closed goes on.
    if (remembered?.wanted === 'running') {
      // After the window has opened.
      setImmediate(() => {
        if (this.running === null && !this.disposed) void this.begin(true);
      });
    } else if (this.known.version !== null && autoAbsorb(folder) !== 'off') this.changes.startWatch();
  }

  get state(): FolderState {
    return this.known;
  }

  get coverage(): ReadonlyMap<string, CoverageEntry> {
    return this.covered.entries;
  }

  absorb(): Promise<void> {
    if (this.running?.absorption.isPaused) return this.resume();
    if (this.running?.editsOnly) return this.running.ended.then(() => this.absorb());
    return this.running?.ended ?? this.begin(this.known.phase === 'paused');
  }

  async pause(): Promise<void> {
    if (this.running === null) return;
    this.remember('paused');
    await this.running.absorption.pause();
  }

  async resume(): Promise<void> {
    if (this.running === null) {
      if (this.known.phase === 'paused') await this.begin(true);
      return;
    }
    this.remember('running');
    await this.running.absorption.resume();
  }

  async stop(): Promise<void> {
    if (this.running !== null) {
      this.change({ message: l10n.t('Stopping…') });
      this.running.absorption.stop();
      await this.running.ended;
    } else if (this.known.phase === 'paused') {
      this.remember(null);
      this.change({ phase: 'unknown', message: null });
      await this.update();
    }
  }

  update(): Promise<void> {
    this.updating ??= this.read().finally(() => {
      this.updating = null;
    });
    return this.updating;
  }

  /** The settings of this folder have changed. */
  async reconfigure(): Promise<void> {
    this.changes.restartWatch();
    if (this.services.host.state.phase !== 'ready') return;
    const exclude = excludePatterns(this.folder);
    await this.services.host.request('folder/configure', { folder: this.path, exclude });
    await this.update();
  }

  /** The host was started anew at the user's wish, so that what failed before may work now. */
  async afterRestart(): Promise<void> {
    if (this.known.phase === 'failed') this.change({ phase: 'unknown', message: null });
    await this.update();
  }

  /** Reads the state again, where it was read before and a host runs: another window may have absorbed. */
  async refreshShown(): Promise<void> {
    if (this.known.phase !== 'unknown' && this.services.host.state.phase === 'ready') await this.update();
  }

  /** An editor holds a text that is not saved, or holds it no longer. */
  noteUnsaved(change: FileChange): void {
    // Of a folder that nobody has asked for nothing is told.
    if (this.known.phase !== 'unknown') this.changes.noteUnsaved(change);
  }

  dispose(): void {
    this.disposed = true;
    this.running?.absorption.stop();
    for (const subscription of this.subscriptions) subscription.dispose();
    this.emitter.dispose();
  }

  private begin(isAgreed: boolean, editsOnly = false): Promise<void> {
    const { services } = this;
    this.losses = new LossCurve();
    this.track = new ProgressTrack();
    this.readingFailed = false;
    const absorption = new AbsorptionRun({
      queue: services.queue,
      holdReason: () => services.hold.reason,
      absorb: (signal) => absorbFolder(services.host, this.folder, editsOnly, signal),
      pause: async () => void (await services.host.request('absorb/pause', { folder: this.path })),
      resume: async () => void (await services.host.request('absorb/resume', { folder: this.path })),
      agrees: (signal) => {
        if (isAgreed) return Promise.resolve(true);
        this.change({ phase: 'busy', message: l10n.t('Looking at the files…') });
        return userAgrees(services.host, this.folder, signal);
      },
      tell: (phase, message) => this.change({ phase, message }),
      words: {
        restarting: l10n.t(
          'The native host ended unexpectedly. It is being started again, and the absorption goes on.',
        ),
        elsewhere: l10n.t('Another window is absorbing this folder. This one goes on when that has finished.'),
      },
      elsewhereMilliseconds,
    });
    const resting = services.hold.watch();
    const ended = absorption.run().then(
      (end) => this.ended(end),
      (error) => this.failed(error),
    );
    this.running = { absorption, editsOnly, ended: ended.finally(() => resting.dispose()) };
    this.remember('running');
    return this.running.ended;
  }

  private async ended(end: RunEnd): Promise<void> {
    this.running = null;
    if (this.disposed) return;
    if (end.kind === 'done') {
      const { end: reason, steps, seconds, version } = end.result;
      this.services.log.info(
        `absorbed ${this.path}: ${reason}, ${steps} steps in ${seconds.toFixed(1)} s, version ${version}`,
      );
    }
    // At once what the host said; then what it finds when it has looked at every file.
    const version = end.kind === 'done' ? end.result.version : this.known.version;
    const { absorbed, dirty, documents } = end.kind === 'done' ? end.result : this.known;
    const learned = documents > 0 ? { absorbed, dirty } : {};
    this.change({ ...learned, version, phase: version === null ? 'empty' : 'idle', message: null, progress: null });
    this.remember(null);
    await this.read();
  }

  private failed(error: unknown): void {
    this.running = null;
    if (this.disposed) return;
    const message = error instanceof Error ? error.message : String(error);
    this.services.log.warn(`absorbing ${this.path} failed: ${message}`);
    this.remember(null);
    this.change({ phase: 'failed', message, progress: null });
    this.services.reportFailure(message);
  }

  private async read(): Promise<void> {
    const { host, log } = this.services;
    try {
      const status = await host.request('status', { folder: this.path });
      if (this.disposed) return;
      if (this.readingFailed) this.known = { ...this.known, phase: 'unknown' };
      this.readingFailed = false;
      this.known = withStatus(this.known, status);
      if (status.version !== null) this.changes.startWatch();
      this.remember(this.wanted);
      this.change({});
      if (status.version !== null) await this.cover();
      else this.covered.clear();
    } catch (error) {
      if (this.disposed) return;
      const message = error instanceof Error ? error.message : String(error);
      log.warn(`the state of ${this.path} could not be read: ${message}`);
      // The host's own state tells why there is none.
      if (error instanceof HostUnavailableError || this.running !== null) return;
      this.readingFailed = true;
      this.change({ phase: 'failed', message });
    }
  }

  private async cover(): Promise<void> {
    try {
      await this.covered.read();
      if (!this.disposed) this.change(withCoverage(this.known, this.coverage));
    } catch (error) {
      this.services.log.warn(`the coverage of ${this.path} could not be read: ${error}`);
    }
  }

  private noteProgress(report: AbsorbProgress): void {
    const { phase, documents, tokens, step, loss, absorbed } = report;
    if (loss !== null && phase === 'train') this.losses.add(step, loss);
    this.change({
      ...(documents > 0 ? { documents, tokens } : {}),
      // Of a first absorption; later the version that is there counts until the next one is.
      ...(this.known.version === null ? { absorbed } : {}),
      ...(this.known.phase === 'busy' ? { message: null } : {}),
      progress: phase === 'paused' ? this.known.progress : this.track.next(report, performance.now() / 1000),
      losses: this.losses.all(),
    });
  }

  /** Known at once, and also while no host runs; what the host says corrects it. */
  private noteChanged(changes: readonly FileChange[]): void {
    const marked = this.covered.mark(changes);
    if (marked === 0) return;
    const dirty = this.known.dirty + (this.services.host.state.phase === 'ready' ? 0 : marked);
    this.change({ ...withCoverage(this.known, this.coverage), dirty });
  }

  private noteDirty(dirty: number): void {
    if (dirty !== this.known.dirty) this.change({ dirty });
    // A change that was none, a new file, one that is gone.
    if (this.known.version !== null && this.covered.dirty !== dirty) void this.cover();
  }

  private async refreshUnasked(): Promise<void> {
    if (this.running !== null || this.known.phase === 'paused' || this.known.phase === 'failed') return;
    if (this.services.host.state.phase !== 'ready') await this.update();
    await this.changes.flush();
    const { phase, dirty } = this.known;
    // What was learned is kept right, in seconds; what takes longer waits until it is asked for.
    if (phase === 'idle' && dirty > 0) await this.begin(true, true);
  }

  private get wanted(): RememberedFolder['wanted'] {
    if (this.running !== null) return this.running.absorption.isPaused ? 'paused' : 'running';
    return this.known.phase === 'paused' ? 'paused' : null;
  }

  private remember(wanted: RememberedFolder['wanted']): void {
    // What takes seconds is not gone on with as an absorption of everything.
    const lasting = this.running?.editsOnly ? null : wanted;
    this.services.memory.keep(this.known, lasting).catch((error) => {
      this.services.log.warn(`the state of ${this.path} could not be kept: ${error}`);
    });
  }

  private change(change: Partial<FolderState>): void {
    this.known = { ...this.known, ...change };
    if (!this.disposed) this.emitter.fire(this.known);
  }
}
