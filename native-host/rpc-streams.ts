// The two ends of the connection, hardened: a reader that hands on only what JSON-RPC allows, and a writer that knows how
// much the client has not read yet.
import type { Readable, Writable } from 'node:stream';
import {
  type DataCallback,
  type Disposable,
  type Message,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';

export type RequestId = string | number;

/** A frame that is no message: `code` is JSON-RPC's, `id` the request's where it could be told. */
export interface InvalidMessage {
  /** Null where JSON-RPC allows no reply. */
  code: number | null;
  reason: string;
  id: RequestId | null;
}

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const MAXIMUM_ID_LENGTH = 256;

class NotJson extends Error {}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

export interface MessageChecks {
  /** Why a well-formed request is not taken now, or null. */
  admit(id: RequestId, method: string): InvalidMessage | null;
  onInvalid(invalid: InvalidMessage): void;
}

/** Calls back for requests, notifications and cancellations only; everything else goes to `onInvalid`. */
export class CheckedMessageReader extends StreamMessageReader {
  readonly #checks: MessageChecks;

  constructor(input: Readable, checks: MessageChecks) {
    super(input, { charset: 'utf-8', contentTypeDecoder: { name: 'application/json', decode: parseJson } });
    // A whole frame arrives at once (see rpc-framing.ts), so there is no partial message to wait for.
    this.partialMessageTimeout = 0;
    this.#checks = checks;
    this.onError((error) => {
      if (error instanceof NotJson) checks.onInvalid({ code: PARSE_ERROR, reason: error.message, id: null });
    });
  }

  override listen(callback: DataCallback): Disposable {
    return super.listen((message) => {
      const { id, method } = (message ?? {}) as { id?: RequestId; method?: string };
      const invalid = invalidMessage(message) ?? (id === undefined ? null : this.#checks.admit(id, method!));
      if (invalid) this.#checks.onInvalid(invalid);
      else callback(message);
    });
  }
}

async function parseJson(body: Uint8Array): Promise<Message> {
  try {
    return JSON.parse(strictUtf8.decode(body)) as Message;
  } catch (error) {
    throw new NotJson(`The message is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

function invalidMessage(message: unknown): InvalidMessage | null {
  if (Array.isArray(message)) return invalid('Batches of messages are not supported; send them one by one', null);
  if (typeof message !== 'object' || message === null) return invalid('A message must be a JSON object', null);
  const { jsonrpc, id, method, params } = message as Record<string, unknown>;
  const knownId = isRequestId(id) ? id : null;
  if (jsonrpc !== '2.0') return invalid('A message must say "jsonrpc": "2.0"', knownId);
  if (method === undefined && ('result' in message || 'error' in message)) {
    return { code: null, reason: 'a response to nothing', id: null };
  }
  if (typeof method !== 'string') return invalid('A message must name its method', knownId);
  if (id !== undefined && knownId === null) {
    return invalid(`A request's id must be a number or a string of at most ${MAXIMUM_ID_LENGTH} characters`, null);
  }
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    return invalid('The params of a message must be an object', knownId);
  }
  if (method === '$/cancelRequest' && !isRequestId((params as { id?: unknown } | undefined)?.id)) {
    return invalid('$/cancelRequest must name the id of a request', knownId);
  }
  return null;
}

function isRequestId(id: unknown): id is RequestId {
  return typeof id === 'number' || (typeof id === 'string' && id.length <= MAXIMUM_ID_LENGTH);
}

function invalid(reason: string, id: RequestId | null): InvalidMessage {
  return { code: INVALID_REQUEST, reason, id };
}

/** Above this many unread messages no more input is taken. */
const PAUSE_AT = 1000;
/** Above this many, the client is taken for one that will never read them. */
const GIVE_UP_AT = 20_000;

/** Counts the messages that are waiting for the client to read. */
export class CountingMessageWriter extends StreamMessageWriter {
  #waiting = 0;
  #onGiveUp: (() => void) | null;
  readonly #onWritten: (message: Message) => void;
  #drained: (() => void)[] = [];

  constructor(output: Writable, onWritten: (message: Message) => void, onGiveUp: () => void) {
    super(output, 'utf-8');
    this.#onWritten = onWritten;
    this.#onGiveUp = onGiveUp;
  }

  override async write(message: Message): Promise<void> {
    if (this.#waiting >= GIVE_UP_AT) {
      this.#onGiveUp?.();
      this.#onGiveUp = null;
      throw new Error(`the client has not read the last ${GIVE_UP_AT} messages`);
    }
    this.#waiting++;
    try {
      await super.write(message);
    } finally {
      this.#waiting--;
      this.#onWritten(message);
      if (this.#waiting < PAUSE_AT / 2) this.#release();
    }
  }

  /** Resolves once fewer than PAUSE_AT messages are waiting. */
  belowLimit(): Promise<void> {
    return this.#waiting < PAUSE_AT ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Resolves when everything written so far has been handed over, or after the given time. */
  async flush(milliseconds: number): Promise<void> {
    const end = Date.now() + milliseconds;
    while (this.#waiting > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Lets go of whoever waits for the client to read. */
  override end(): void {
    this.#release();
    super.end();
  }

  #release(): void {
    const waiters = this.#drained;
    this.#drained = [];
    for (const resolve of waiters) resolve();
  }
}
