/** The host client that all features share: starts the native host when it is first asked, and again after a crash. */
import { CancellationError, type CancellationToken, EventEmitter, l10n } from 'vscode';
import {
  HostErrorCode,
  HostNotification,
  type HostNotifications,
  type HostRequests,
  type InitializeResult,
  type StatusResult,
} from '../../protocol/host.ts';
import type { HostState } from '../../protocol/view.ts';
import type { HostClient } from '../lift-context.ts';
import { BackOff } from './back-off.ts';
import { HostError, HostUnavailableError } from './host-errors.ts';
import { type HostEnd, HostEndedError, HostProcess, type LaunchOptions } from './host-process.ts';

/** Why no host may run here, and what the user can do about it. */
export interface Blocked {
  phase: 'untrusted' | 'noFolder' | 'virtual';
  message: string;
  /** Whether requests are refused. A window without a folder may still manage adapters. */
  refuses: boolean;
}

export interface HostClientOptions {
  /** Asked before each start, so that the settings of that moment hold. */
  launch(): Omit<LaunchOptions, 'onLine' | 'signal'>;
  blocked(): Blocked | null;
  /** A host that nobody asked anything for so long is ended; 0: never. */
  idleMilliseconds(): number;
  log: { info(message: string): void; warn(message: string): void; error(message: string): void };
}

/** How to ask a host that has just started, before anybody else does. */
export type AskStartedHost = <M extends keyof HostRequests>(
  method: M,
  params: HostRequests[M]['params'],
) => Promise<HostRequests[M]['result']>;

const graceMilliseconds = 2000;
/** Before a restart that the user asked for, a training may save what it has. */
const restartGraceMilliseconds = 10_000;

export class NativeHostClient implements HostClient {
  private readonly stateEmitter = new EventEmitter<HostState>();
  readonly onDidChangeState = this.stateEmitter.event;
  private readonly listeners = new Map<keyof HostNotifications, Set<(params: never) => void>>();
  private readonly startTasks = new Set<(ask: AskStartedHost) => Promise<void>>();
  private readonly backOff = new BackOff();
  private current: HostProcess | null = null;
  private starting: Promise<HostProcess> | null = null;
  /** Ends a start that waits, when the host is stopped meanwhile. */
  private startAbort = new AbortController();
  private failure: string | null = null;
  private inFlight = 0;
  private idleTimer: NodeJS.Timeout | undefined;
  private disposed = false;
  private known: HostState = {
    phase: 'stopped',
    message: null,
    model: null,
    device: null,
    memoryBytes: null,
  };

  constructor(private readonly options: HostClientOptions) {}

  get state(): HostState {
    const blocked = this.options.blocked();
    if (blocked === null || this.current !== null) return this.known;
    return { ...this.known, phase: blocked.phase, message: blocked.message };
  }

  /** What is shown may have changed because trust was given or folders came. */
  refreshState(): void {
    this.stateEmitter.fire(this.state);
  }

  get processId(): number | undefined {
    return this.current?.processId;
  }

  async request<M extends keyof HostRequests>(
    method: M,
    params: HostRequests[M]['params'],
    token?: CancellationToken,
  ): Promise<HostRequests[M]['result']> {
    this.inFlight += 1;
    clearTimeout(this.idleTimer);
    try {
      const host = await unlessCancelled(this.running(), token);
      const result = await host.request(method, params, token);
      if (method === 'status') this.change({ memoryBytes: (result as StatusResult).memoryBytes });
      return result;
    } catch (error) {
      throw this.explained(error);
    } finally {
      this.inFlight -= 1;
      this.armIdleTimer();
    }
  }

  onNotification<N extends keyof HostNotifications>(method: N, listener: (params: HostNotifications[N]) => void) {
    const listeners = this.listeners.get(method) ?? new Set();
    this.listeners.set(method, listeners.add(listener));
    return { dispose: () => void listeners.delete(listener) };
  }

  /** Runs after each start, before anything else is asked. What it throws is logged and keeps nobody from asking. */
  onStart(task: (ask: AskStartedHost) => Promise<void>) {
    this.startTasks.add(task);
    return { dispose: () => void this.startTasks.delete(task) };
  }

  async restart(): Promise<void> {
    await this.end(restartGraceMilliseconds);
    this.backOff.forget();
    await this.running();
  }

  async stop(): Promise<void> {
    await this.end(graceMilliseconds);
    this.backOff.forget();
  }

  /** Ends the host for good; resolves when it is gone. */
  async close(): Promise<void> {
    this.disposed = true;
    await this.end(graceMilliseconds);
  }

  dispose(): void {
    void this.close();
    this.stateEmitter.dispose();
  }

  private running(): Promise<HostProcess> {
    const blocked = this.options.blocked();
    if (blocked?.refuses) return Promise.reject(new HostUnavailableError(blocked.message, false));
    if (this.disposed) {
      return Promise.reject(new HostUnavailableError(l10n.t('LIFT is being shut down in this window.'), false));
    }
    if (this.failure !== null) return Promise.reject(new HostUnavailableError(this.failure, false));
    this.starting ??= this.start(0);
    return this.starting;
  }

  private async start(delayMilliseconds: number): Promise<HostProcess> {
    const { signal } = this.startAbort;
    await delayed(delayMilliseconds, signal);
    this.change({ phase: this.known.phase === 'restarting' ? 'restarting' : 'starting', message: null });
    const launch = this.options.launch();
    this.options.log.info(`starting the native host: ${launch.mainFile}`);
    let started: { host: HostProcess; about: InitializeResult };
    try {
      started = await HostProcess.start({
        ...launch,
        signal,
        onLine: (line) => this.options.log.info(`[host] ${line}`),
      });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return this.startFailed(error);
    }
    const { host, about } = started;
    if (signal.aborted) {
      void host.stop(graceMilliseconds);
      throw signal.reason;
    }
    this.current = host;
    for (const method of Object.values(HostNotification)) {
      host.onNotification(method, (params) => this.tell(method, params));
    }
    void host.ended.then((end) => this.onEnded(host, end));
    const ask: AskStartedHost = (method, params) => host.request(method, params);
    await Promise.all(
      [...this.startTasks].map((task) =>
        task(ask).catch((error) => this.options.log.warn(`after the start of the host: ${error}`)),
      ),
    );
    this.options.log.info(
      `the native host ${about.hostVersion} is ready: process ${host.processId}, ${about.model.name} on ${about.device}`,
    );
    if (this.current === host) {
      this.change({ phase: 'ready', message: null, model: about.model.name, device: about.device });
      this.armIdleTimer();
    }
    return host;
  }

  /** A host that refuses to start will refuse again; one that crashed may not. */
  private startFailed(error: unknown): Promise<HostProcess> {
    if (error instanceof HostEndedError) {
      const { code, signal, lastLines } = error.end;
      this.options.log.error(`the native host ended while it started: code ${code}, signal ${signal}`);
      const delay = this.backOff.crashed(Date.now());
      if (delay === null) throw this.failed(crashesTooOften(lastLines));
      this.change({ phase: 'restarting', message: startingAgain() });
      return this.start(delay);
    }
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof HostError && error.code === HostErrorCode.protocolVersionMismatch) {
      throw this.failed(
        l10n.t(
          'The extension and its native host are of different versions ({0}). Reload the window; if that does not help, install the extension again.',
          message,
        ),
      );
    }
    throw this.failed(l10n.t('The native host cannot start: {0}', message));
  }

  private onEnded(host: HostProcess, { code, signal, lastLines }: HostEnd): void {
    if (this.current !== host) return;
    this.current = null;
    this.starting = null;
    this.options.log.error(`the native host ended unexpectedly: code ${code}, signal ${signal}`);
    const delay = this.backOff.crashed(Date.now());
    if (delay === null) {
      this.failed(crashesTooOften(lastLines));
      return;
    }
    this.change({ phase: 'restarting', message: startingAgain(), memoryBytes: null });
    this.starting = this.start(delay);
    // Who asks sees why it failed; so does the state.
    this.starting.catch(() => {});
  }

  private failed(message: string): HostUnavailableError {
    this.failure = message;
    this.starting = null;
    this.options.log.error(message);
    this.change({ phase: 'failed', message, memoryBytes: null });
    return new HostUnavailableError(message, false);
  }

  private async end(grace: number): Promise<void> {
    this.startAbort.abort(new HostUnavailableError(l10n.t('The native host was stopped.'), true));
    this.startAbort = new AbortController();
    clearTimeout(this.idleTimer);
    const { current } = this;
    this.current = null;
    this.starting = null;
    this.failure = null;
    if (current !== null) await current.stop(grace);
    if (this.current === null && this.starting === null) {
      this.change({ phase: 'stopped', message: null, memoryBytes: null });
    }
  }

  private explained(error: unknown): unknown {
    if (error instanceof HostEndedError) {
      return new HostUnavailableError(
        this.failure ?? l10n.t('The native host ended before it answered. It is started again; ask once more.'),
        this.failure === null,
      );
    }
    if (error instanceof HostError && error.code === HostErrorCode.requestCancelled) return new CancellationError();
    return error;
  }

  private armIdleTimer(): void {
    clearTimeout(this.idleTimer);
    const idle = this.options.idleMilliseconds();
    if (this.inFlight > 0 || this.current === null || idle <= 0) return;
    this.idleTimer = setTimeout(() => {
      this.options.log.info('the native host is idle and ends; the next request starts it again');
      void this.stop();
    }, idle);
    this.idleTimer.unref?.();
  }

  private tell<N extends keyof HostNotifications>(method: N, params: HostNotifications[N]): void {
    for (const listener of this.listeners.get(method) ?? []) {
      (listener as (params: HostNotifications[N]) => void)(params);
    }
  }

  private change(change: Partial<HostState>): void {
    this.known = { ...this.known, ...change };
    if (!this.disposed) this.stateEmitter.fire(this.state);
  }
}

function startingAgain(): string {
  return l10n.t('The native host ended unexpectedly and is being started again.');
}

function crashesTooOften(lastLines: readonly string[]): string {
  return l10n.t(
    'The native host ended unexpectedly several times. See the log, then run “LIFT: Restart Host”. Its last words: {0}',
    lastLines.at(-1) ?? l10n.t('none'),
  );
}

function delayed(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Waits for the host no longer than whoever asks wants to. */
function unlessCancelled(running: Promise<HostProcess>, token: CancellationToken | undefined): Promise<HostProcess> {
  if (token === undefined) return running;
  if (token.isCancellationRequested) {
    running.catch(() => {});
    return Promise.reject(new CancellationError());
  }
  return new Promise((resolve, reject) => {
    const subscription = token.onCancellationRequested(() => reject(new CancellationError()));
    running.then(resolve, reject).finally(() => subscription.dispose());
  });
}
