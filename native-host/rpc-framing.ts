// Stands between the client's bytes and vscode-jsonrpc's reader, which trusts what it reads: it would buffer whatever a
// header announces, rescan an endless header for each chunk, and take `-1` for a length. What leaves here are whole,
// well-formed frames, each in one buffer.
import { Transform, type TransformCallback } from 'node:stream';

const MAXIMUM_HEADER_BYTES = 8192;
/** How much of an oversized message is looked at for its id. */
const OVERSIZED_START_BYTES = 256;
const FIRST_CAPACITY = 64 * 1024;

export interface FrameLimiterOptions {
  maximumBytes: number;
  /** A message was larger than allowed and is skipped; `start` is the beginning of its body. The stream goes on after it. */
  onOversized(length: number, start: string): void;
  /** The frame cannot be understood, so nothing after it can: the stream ends here. */
  onBroken(reason: string): void;
  /** Awaited before more input is taken, so that a client that does not read its replies is not listened to. */
  gate?(): Promise<void>;
}

/** Bytes in; frames `Content-Length: <n>\r\n\r\n<n bytes>` out, one a chunk, none longer than maximumBytes. */
export class FrameLimiter extends Transform {
  readonly #options: FrameLimiterOptions;
  #header: Buffer = Buffer.alloc(0);
  #frame: Buffer | null = null;
  #frameLength = 0;
  #filled = 0;
  #skip: { length: number; left: number; start: Buffer; reported: boolean } | null = null;
  #broken = false;

  constructor(options: FrameLimiterOptions) {
    super();
    this.#options = options;
  }

  /** Whether the input ended in the middle of a message. */
  get incomplete(): boolean {
    return this.#header.length > 0 || this.#frame !== null || this.#skip !== null;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let rest = chunk;
    while (rest.length > 0 && !this.#broken) {
      if (this.#skip) rest = this.#skipBody(rest);
      else if (this.#frame) rest = this.#readBody(rest);
      else rest = this.#readHeader(rest);
    }
    const gate = this.#options.gate;
    if (!gate || this.#broken) done();
    else gate().then(() => done(), done);
  }

  #readHeader(chunk: Buffer): Buffer {
    const before = this.#header.length;
    const header = before === 0 ? chunk : Buffer.concat([this.#header, chunk.subarray(0, MAXIMUM_HEADER_BYTES)]);
    const end = header.indexOf('\r\n\r\n', Math.max(0, before - 3), 'latin1');
    if (end < 0 || end > MAXIMUM_HEADER_BYTES) {
      if (header.length > MAXIMUM_HEADER_BYTES) {
        return this.#break(`its header does not end within ${MAXIMUM_HEADER_BYTES} bytes`);
      }
      this.#header = Buffer.from(header);
      return Buffer.alloc(0);
    }
    this.#header = Buffer.alloc(0);
    const length = contentLength(header.toString('latin1', 0, end));
    if (typeof length === 'string') return this.#break(length);
    const rest = chunk.subarray(end + 4 - before);
    if (length > this.#options.maximumBytes) {
      this.#skip = { length, left: length, start: Buffer.alloc(0), reported: false };
    } else {
      const head = `Content-Length: ${length}\r\n\r\n`;
      this.#frameLength = head.length + length;
      this.#frame = Buffer.allocUnsafe(Math.min(this.#frameLength, FIRST_CAPACITY));
      this.#filled = this.#frame.write(head, 'latin1');
      if (length === 0) this.#emitFrame();
    }
    return rest;
  }

  #readBody(chunk: Buffer): Buffer {
    const part = chunk.subarray(0, this.#frameLength - this.#filled);
    let frame = this.#frame!;
    if (this.#filled + part.length > frame.length) {
      // The memory follows what has arrived, not what was announced.
      const capacity = Math.min(this.#frameLength, Math.max(2 * frame.length, this.#filled + part.length));
      const grown = Buffer.allocUnsafe(capacity);
      frame.copy(grown, 0, 0, this.#filled);
      frame = grown;
      this.#frame = frame;
    }
    part.copy(frame, this.#filled);
    this.#filled += part.length;
    if (this.#filled === this.#frameLength) this.#emitFrame();
    return chunk.subarray(part.length);
  }

  #emitFrame(): void {
    const frame = this.#frame!;
    this.#frame = null;
    this.push(frame);
  }

  #skipBody(chunk: Buffer): Buffer {
    const skip = this.#skip!;
    const part = chunk.subarray(0, skip.left);
    skip.left -= part.length;
    if (!skip.reported) {
      skip.start = Buffer.concat([skip.start, part.subarray(0, OVERSIZED_START_BYTES)]);
      if (skip.start.length >= Math.min(OVERSIZED_START_BYTES, skip.length)) {
        skip.reported = true;
        this.#options.onOversized(skip.length, skip.start.toString('utf8'));
      }
    }
    if (skip.left === 0) this.#skip = null;
    return chunk.subarray(part.length);
  }

  #break(reason: string): Buffer {
    this.#broken = true;
    this.#header = Buffer.alloc(0);
    this.#options.onBroken(reason);
    return Buffer.alloc(0);
  }
}

/** The announced length in bytes, or what is wrong with the header. */
function contentLength(header: string): number | string {
  let length: number | null = null;
  for (const line of header.split('\r\n')) {
    const field = /^([!-9;-~]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (!field) return `its header has a line that is no field: ${JSON.stringify(line.slice(0, 60))}`;
    if (field[1]!.toLowerCase() !== 'content-length') continue;
    if (length !== null) return 'its header has more than one Content-Length';
    if (!/^\d{1,15}$/.test(field[2]!)) {
      return `its Content-Length is not a number of bytes: ${JSON.stringify(field[2]!.slice(0, 60))}`;
    }
    length = Number(field[2]);
  }
  return length ?? 'its header has no Content-Length';
}
