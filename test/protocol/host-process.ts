// Starts the test host as a real child process and speaks to it, both properly and with raw bytes.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { PROTOCOL_VERSION } from '../../protocol/host.ts';

export const initializeParams = { protocolVersion: PROTOCOL_VERSION, client: 'test', storeRoot: '/store' };

/** Bundles test-host.ts next to the installed packages, which stay outside the bundle as they do in the product. */
export async function bundleTestHost(): Promise<{ file: string; folder: string; remove(): Promise<void> }> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const folder = await mkdtemp(join(root, 'node_modules', '.test-host-'));
  const file = join(folder, 'test-host.mjs');
  await build({
    entryPoints: [join(root, 'test/protocol/test-host.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  });
  return { file, folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export class HostProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly exited: Promise<number | null>;
  stderr = '';

  constructor(file: string, environment: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [file], { env: { ...process.env, ...environment } });
    this.exited = once(this.child, 'close').then(([code]) => code as number | null);
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.child.stdin.on('error', () => {});
  }

  connect(): MessageConnection {
    const reader = new StreamMessageReader(this.child.stdout);
    const connection = createMessageConnection(reader, new StreamMessageWriter(this.child.stdin));
    connection.onError(() => {});
    connection.listen();
    return connection;
  }

  async initialized(): Promise<MessageConnection> {
    const connection = this.connect();
    await connection.sendRequest('initialize', initializeParams);
    return connection;
  }

  send(bytes: string | Buffer): void {
    this.child.stdin.write(bytes);
  }
}

export function frame(message: unknown): Buffer {
  const body = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
  return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]);
}

export interface Reply {
  id?: string | number | null;
  method?: string;
  result?: unknown;
  error?: { code: number; message: string };
}

/** The messages of a stream, one after another; null once it has ended. */
export function repliesOf(stream: Readable): () => Promise<Reply | null> {
  let buffer = Buffer.alloc(0);
  let ended = false;
  let wake = () => {};
  stream.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    wake();
  });
  for (const event of ['end', 'close', 'error']) {
    stream.on(event, () => {
      ended = true;
      wake();
    });
  }
  return async () => {
    for (;;) {
      const end = buffer.indexOf('\r\n\r\n');
      const length = end < 0 ? Number.NaN : Number(/Content-Length: (\d+)/.exec(buffer.toString('latin1', 0, end))![1]);
      if (buffer.length >= end + 4 + length) {
        const body = buffer.toString('utf8', end + 4, end + 4 + length);
        buffer = buffer.subarray(end + 4 + length);
        return JSON.parse(body) as Reply;
      }
      if (ended) return null;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

/** A test host that takes one connection after another, so that thousands are cheap. */
export class SocketHost {
  readonly child: ChildProcessWithoutNullStreams;
  readonly path: string;
  readonly #folder: string;
  stderr = '';

  private constructor(child: ChildProcessWithoutNullStreams, path: string, folder: string) {
    this.child = child;
    this.path = path;
    this.#folder = folder;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  static async start(file: string): Promise<SocketHost> {
    const folder = await mkdtemp(join(tmpdir(), 'lift-rpc-'));
    const path = process.platform === 'win32' ? `\\\\.\\pipe\\lift-rpc-${process.pid}` : join(folder, 'socket');
    const host = new SocketHost(spawn(process.execPath, [file, path]), path, folder);
    await once(host.child.stdout, 'data');
    return host;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }

  open() {
    const socket = createConnection(this.path);
    socket.on('error', () => {});
    return { socket, next: repliesOf(socket) };
  }
}

/** The most memory that a process has held, in bytes; Linux only. */
export async function peakMemory(processId: number): Promise<number> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8');
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)![1]);
}
