/** One run of the native host: a child process that speaks the contract on its standard input and output. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import {
  type CancellationToken,
  createMessageConnection,
  type MessageConnection,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import type { HostNotifications, HostRequests, InitializeParams, InitializeResult } from '../../protocol/host.ts';
import { PROTOCOL_VERSION } from '../../protocol/host.ts';
import { HostError } from './host-errors.ts';

export interface LaunchOptions {
  /** The program that runs JavaScript, and the host's entry file. Absolute paths. */
  executable: string;
  mainFile: string;
  initialize: Omit<InitializeParams, 'protocolVersion'>;
  /** Variables that the host's environment has beside those of this process. */
  environment: Record<string, string>;
  /** A line that the host wrote to its standard error. */
  onLine(line: string): void;
  /** Kills the process while it starts; once it has started, it has no effect. */
  signal: AbortSignal;
}

/** How a host ended. */
export interface HostEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What it said last on its standard error. */
  lastLines: readonly string[];
}

/** The host ended while it was asked something. */
export class HostEndedError extends Error {
  override name = 'HostEndedError';

  constructor(readonly end: HostEnd) {
    super('The native host ended before it answered');
  }
}

/** Lines of standard error that are kept to tell why a host ended. */
const keptLines = 20;
const longestLine = 4000;

export class HostProcess {
  /** Resolves when the process is gone, for whatever reason. */
  readonly ended: Promise<HostEnd>;
  private readonly connection: MessageConnection;
  private readonly lastLines: string[] = [];
  private end: HostEnd | null = null;

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    // What cannot be written is told by the end of the process.
    child.stdin.on('error', () => {});
    this.connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    this.connection.onError(() => {});
    this.ended = new Promise((resolve) => {
      const finish = (code: number | null, signal: NodeJS.Signals | null) => {
        if (this.end !== null) return;
        this.end = { code, signal, lastLines: this.lastLines };
        this.connection.dispose();
        resolve(this.end);
      };
      child.on('error', (error) => {
        this.lastLines.push(error.message);
        // Without a process id nothing was started, and no other event comes.
        if (child.pid === undefined) finish(null, null);
      });
      child.on('close', finish);
      // A grandchild may hold the pipes open after the process is gone.
      child.on('exit', (code, signal) => setTimeout(finish, 200, code, signal));
    });
  }

  /**
   * Starts a host and agrees with it on the version of the contract. Errors: HostError with the host's refusal, such as a
   * model that cannot be opened; HostEndedError where it ended before it was ready.
   */
  static async start(options: LaunchOptions): Promise<{ host: HostProcess; about: InitializeResult }> {
    const host = new HostProcess(spawnHost(options));
    host.listen(options.onLine);
    const kill = () => host.kill();
    options.signal.addEventListener('abort', kill);
    try {
      const params = { ...options.initialize, protocolVersion: PROTOCOL_VERSION };
      return { host, about: await host.request('initialize', params) };
    } catch (error) {
      host.kill();
      throw error;
    } finally {
      options.signal.removeEventListener('abort', kill);
    }
  }

  get processId(): number | undefined {
    return this.child.pid;
  }

  /** Errors: HostError with the host's answer; HostEndedError where the process ended first. */
  async request<M extends keyof HostRequests>(
    method: M,
    params: HostRequests[M]['params'],
    token?: CancellationToken,
  ): Promise<HostRequests[M]['result']> {
    if (this.end !== null) throw new HostEndedError(this.end);
    try {
      // An argument too many would be taken for a second parameter.
      return await (token
        ? this.connection.sendRequest(method, params, token)
        : this.connection.sendRequest(method, params));
    } catch (error) {
      if (error instanceof ResponseError && this.end === null) throw new HostError(error.message, error.code);
      // A connection that breaks does so because the process is ending.
      throw new HostEndedError(await this.ended);
    }
  }

  onNotification<N extends keyof HostNotifications>(method: N, listener: (params: HostNotifications[N]) => void): void {
    this.connection.onNotification(method, listener);
  }

  /** Asks the host to end, closes its input, and kills it when it takes longer than this. */
  async stop(graceMilliseconds: number): Promise<HostEnd> {
    const timer = setTimeout(() => this.kill(), graceMilliseconds);
    this.request('shutdown', {})
      .catch(() => {})
      .finally(() => this.child.stdin.end());
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private listen(onLine: (line: string) => void): void {
    let rest = '';
    const tell = (line: string) => {
      if (line.trim() === '') return;
      this.lastLines.push(line);
      if (this.lastLines.length > keptLines) this.lastLines.shift();
      onLine(line);
    };
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      if (rest.length > longestLine) {
        lines.push(rest);
        rest = '';
      }
      for (const line of lines) tell(line.slice(0, longestLine));
    });
    this.child.stderr.on('end', () => tell(rest));
    this.connection.listen();
  }
}

function spawnHost({ executable, mainFile, environment: added }: LaunchOptions): ChildProcessWithoutNullStreams {
  // Options that the editor's own processes were started with, a debugger's among them, are not for the host.
  const { NODE_OPTIONS: _options, VSCODE_INSPECTOR_OPTIONS: _inspector, ...environment } = process.env;
  return spawn(executable, [mainFile], {
    env: { ...added, ...environment, ELECTRON_RUN_AS_NODE: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
}
