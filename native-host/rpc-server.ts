// JSON-RPC on a pair of streams: handshake, checks, cancellation and an orderly end around the handlers, which know
// nothing of the wire. Whatever the client sends or stops doing ends in an error reply or in the outcome of `serve`.
import type { Readable, Writable } from 'node:stream';
import { type CancellationToken, createMessageConnection, type Message, ResponseError } from 'vscode-jsonrpc/node';
import {
  HostErrorCode,
  type HostNotifications,
  type HostRequests,
  MAXIMUM_MESSAGE_BYTES,
  PROTOCOL_VERSION,
} from '../protocol/host.ts';
import { FrameLimiter } from './rpc-framing.ts';
import { isHostMethod, paramsProblem } from './rpc-params.ts';
import { CheckedMessageReader, CountingMessageWriter, type InvalidMessage, type RequestId } from './rpc-streams.ts';

export interface RequestContext {
  /** Aborts when the client cancels the request or goes away. */
  signal: AbortSignal;
  notify<N extends keyof HostNotifications>(method: N, params: HostNotifications[N]): void;
}

/** One function a method; what it throws becomes the reply's error message, so it says what to do. */
export type HostHandlers = {
  [M in Exclude<keyof HostRequests, 'shutdown'>]: (
    params: HostRequests[M]['params'],
    context: RequestContext,
  ) => Promise<HostRequests[M]['result']>;
} & {
  /** Called once when the connection ends, however it ends: save what must be saved, stop the workers. */
  close(): Promise<void>;
};

export interface ServeOptions {
  /** Ends the connection as if the client had gone, such as when the process gets a signal to end. */
  stop?: AbortSignal;
  /** One line of diagnosis; the standard error by default. */
  log?: (line: string) => void;
  /** Gives an error that a handler threw the code that clients tell it by. */
  coded?: (error: unknown) => unknown;
  /** How long `close` of the handlers may take, in milliseconds. */
  closeMilliseconds?: number;
}

export interface ServeOutcome {
  reason: string;
  /** 0 after a shutdown or when the client went away, 1 when the connection broke. */
  exitCode: 0 | 1;
}

const CLOSE_MILLISECONDS = 20_000;
const FLUSH_MILLISECONDS = 1000;
const MAXIMUM_PENDING_REQUESTS = 1024;
const ServerError = {
  parse: -32700,
  invalidRequest: -32600,
  unknownMethod: -32601,
  invalidParams: -32602,
  internal: -32603,
};

/** Serves one client until it shuts the host down, goes away, or breaks the framing. Never rejects. */
export function serve(
  input: Readable,
  output: Writable,
  handlers: HostHandlers,
  options: ServeOptions = {},
): Promise<ServeOutcome> {
  const log = options.log ?? logToStandardError;
  const running = new Map<AbortController, string>();
  const pendingIds = new Set<string>();
  let initialized = false;
  let ended = false;

  return new Promise((resolve) => {
    const writer = new CountingMessageWriter(output, forgetAnswered, () =>
      end('the client does not read what it is sent', 1),
    );
    const limiter = new FrameLimiter({
      maximumBytes: MAXIMUM_MESSAGE_BYTES,
      onOversized: (length, start) =>
        replyError(
          idAtStart(start),
          HostErrorCode.messageTooLarge,
          `The message has ${length} bytes; at most ${MAXIMUM_MESSAGE_BYTES} are accepted`,
        ),
      onBroken: (reason) => {
        replyError(null, ServerError.parse, `The message cannot be read: ${reason}. The host ends this connection`);
        end(`the client sent something that is no message: ${reason}`, 1);
      },
      gate: () => writer.belowLimit(),
    });
    const reader = new CheckedMessageReader(limiter, { admit, onInvalid: refuse });
    const connection = createMessageConnection(reader, writer, {
      error: log,
      warn: log,
      info: () => {},
      log: () => {},
    });

    connection.onRequest(async (method, params, token) => {
      try {
        return await answer(method, params, token);
      } catch (error) {
        throw toResponseError(options.coded?.(error) ?? error, method, token.isCancellationRequested || ended);
      }
    });
    connection.onUnhandledNotification((message) => {
      if (!message.method.startsWith('$/')) log(`ignored an unknown notification '${message.method.slice(0, 100)}'`);
    });
    connection.onError(([error]) => log(`connection: ${error.message}`));

    async function answer(method: string, params: unknown, token: CancellationToken): Promise<unknown> {
      if (ended) throw new ResponseError(HostErrorCode.requestCancelled, 'The host is ending');
      if (!isHostMethod(method)) {
        throw new ResponseError(ServerError.unknownMethod, `Unknown method '${method.slice(0, 100)}'`);
      }
      if (method === 'initialize') checkVersion(params);
      if (method !== 'initialize' && !initialized) {
        throw new ResponseError(HostErrorCode.notInitialized, `'initialize' must come before '${method}'`);
      }
      if (method === 'initialize' && initialized) {
        throw new ResponseError(ServerError.invalidRequest, 'The host is initialized already');
      }
      const problem = paramsProblem(method, params);
      if (problem) throw new ResponseError(ServerError.invalidParams, `${method}: ${problem}`);
      if (method === 'shutdown') {
        // The reply is written before the connection ends, since `end` flushes.
        setImmediate(() => end('shut down by the client', 0));
        return null;
      }
      const result = await run(method, params ?? {}, token);
      if (method === 'initialize') initialized = true;
      return result;
    }

    async function run(
      method: Exclude<keyof HostRequests, 'shutdown'>,
      params: object,
      token: CancellationToken,
    ): Promise<unknown> {
      const controller = new AbortController();
      const abort = () => controller.abort(new DOMException('The request was cancelled', 'AbortError'));
      const subscription = token.onCancellationRequested(abort);
      if (token.isCancellationRequested) abort();
      running.set(controller, method);
      // The table in rpc-params.ts has checked that the parameters are those of the method.
      const handler = handlers[method] as (params: object, context: RequestContext) => Promise<unknown>;
      try {
        return await handler.call(handlers, params, { signal: controller.signal, notify });
      } finally {
        running.delete(controller);
        subscription.dispose();
      }
    }

    function notify(method: string, params: unknown): void {
      if (!ended) connection.sendNotification(method, params).catch(ignoreWriteError);
    }

    function refuse({ code, reason, id }: InvalidMessage): void {
      if (code === null) log(`ignored ${reason}`);
      else replyError(id, code, reason);
    }

    function replyError(id: RequestId | null, code: number, message: string): void {
      log(`refused a message: ${message}`);
      if (ended) return;
      const reply = { jsonrpc: '2.0', id, error: { code, message } };
      writer.write(reply as Message).catch(ignoreWriteError);
    }

    /** The writer has reported the error already, through `onError` of the connection. */
    function ignoreWriteError(): void {}

    function forgetAnswered(message: Message): void {
      const id = (message as { id?: RequestId | null }).id;
      if (id !== undefined && id !== null) pendingIds.delete(String(id));
    }

    /** A second request under the same id would replace the first in vscode-jsonrpc's queue, which then gets no reply. */
    function admit(id: RequestId, method: string): InvalidMessage | null {
      if (pendingIds.has(String(id))) {
        const reason = `A request with the id ${JSON.stringify(id)} is not answered yet`;
        return { code: ServerError.invalidRequest, reason, id: null };
      }
      if (pendingIds.size >= MAXIMUM_PENDING_REQUESTS) {
        const reason = `'${method.slice(0, 100)}' must wait: ${pendingIds.size} requests are not answered yet`;
        return { code: HostErrorCode.tooManyRequests, reason, id };
      }
      pendingIds.add(String(id));
      return null;
    }

    function end(reason: string, exitCode: 0 | 1): void {
      if (ended) return;
      ended = true;
      for (const controller of running.keys()) {
        controller.abort(new DOMException(`The connection ended: ${reason}`, 'AbortError'));
      }
      input.unpipe(limiter);
      finish(reason, exitCode).then(resolve);
    }

    async function finish(reason: string, exitCode: 0 | 1): Promise<ServeOutcome> {
      const outcome: ServeOutcome = { reason, exitCode };
      const inTime = await withinTime(() => handlers.close(), options.closeMilliseconds ?? CLOSE_MILLISECONDS).catch(
        (error) => {
          log(`closing failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
          outcome.exitCode = 1;
          return true;
        },
      );
      if (!inTime) {
        log(`closing took too long; still running: ${[...running.values()].join(', ') || 'nothing'}`);
        outcome.exitCode = 1;
      }
      await writer.flush(FLUSH_MILLISECONDS);
      writer.end();
      connection.dispose();
      limiter.destroy();
      return outcome;
    }

    input.on('end', () => {
      end(limiter.incomplete ? 'the client went away in the middle of a message' : 'the client went away', 0);
    });
    input.on('close', () => end('the client went away', 0));
    input.on('error', (error) => end(`the input failed: ${error.message}`, 0));
    output.on('error', (error) => end(`the client does not take replies: ${error.message}`, 0));
    output.on('close', () => end('the client went away', 0));
    limiter.on('error', (error) => end(`the input failed: ${error.message}`, 1));
    options.stop?.addEventListener('abort', () => end('the process was told to end', 0));
    connection.listen();
    input.pipe(limiter, { end: false });
  });
}

/** Before anything else of `initialize`, whose other fields may differ between versions. */
function checkVersion(params: unknown): void {
  const version = (params as { protocolVersion?: unknown } | null | undefined)?.protocolVersion;
  if (typeof version !== 'number' || version === PROTOCOL_VERSION) return;
  const older = version < PROTOCOL_VERSION ? 'the client (the extension)' : 'the native host';
  throw new ResponseError(
    HostErrorCode.protocolVersionMismatch,
    `The client speaks protocol version ${version}, this native host speaks version ${PROTOCOL_VERSION}: update ${older}`,
    { clientVersion: version, hostVersion: PROTOCOL_VERSION },
  );
}

function toResponseError(error: unknown, method: string, cancelled: boolean): ResponseError<unknown> {
  if (error instanceof ResponseError) return error;
  const message = error instanceof Error && error.message ? error.message : `${method} failed without saying why`;
  if (cancelled) return new ResponseError(HostErrorCode.requestCancelled, message);
  return new ResponseError(ServerError.internal, message);
}

/** The id of a message of which only the beginning is known; every client known writes it before the parameters. */
function idAtStart(start: string): RequestId | null {
  const match = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(-?\d{1,15}(?=\s*[,}])|"[^"\\]{0,200}")/.exec(
    start,
  );
  return match ? (JSON.parse(match[1]!) as RequestId) : null;
}

/** Whether the action ended within the time; rejects as it does. */
async function withinTime(action: () => Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([action().then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lines are dropped while nobody reads them: a client that floods the host must not fill its memory with complaints. */
function logToStandardError(line: string): void {
  if (process.stderr.writableLength < 1024 * 1024) process.stderr.write(`${line}\n`);
}
