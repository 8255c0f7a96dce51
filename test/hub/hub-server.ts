/** A hub on this machine that holds one model and can misbehave as networks do. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Misbehaviour =
  /** Ends the connection after so many bytes. */
  | { kind: 'cut'; after: number }
  /** Sends so many bytes and then nothing more. */
  | { kind: 'stall'; after: number }
  /** Says another length than it sends. */
  | { kind: 'lie' }
  /** Sends the file from its beginning, whatever part was asked for. */
  | { kind: 'ignoreRange' }
  /** Sends other bytes of the right number. */
  | { kind: 'corrupt' }
  | { kind: 'status'; status: number }
  /** A proxy's login page. */
  | { kind: 'page' };

export const modelId = 'example/small-model';
export const commit = 'c0ffee0123456789c0ffee0123456789c0ffee01';

export class HubServer {
  readonly requests: { url: string; range: string | undefined; authorization: string | undefined }[] = [];
  /** What happens to the next requests for weights, one after another; then they are answered well. */
  readonly misbehaviours: Misbehaviour[] = [];
  license: string | null = 'apache-2.0';
  gated = false;
  private readonly server = createServer((request, response) => this.answer(request, response));

  constructor(readonly files: Record<string, Buffer>) {}

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, 'http://hub');
    const { range, authorization } = request.headers;
    this.requests.push({ url: url.pathname, range, authorization });
    if (this.gated && authorization !== 'Bearer hf_allowed') return void this.json(response, 403, { error: 'gated' });
    const name = url.pathname.match(new RegExp(`^/${modelId}/resolve/${commit}/(.+)$`))?.[1];
    if (name !== undefined) return void this.file(request, response, name);
    if (url.pathname.startsWith(`/api/models/${modelId}/revision/`)) {
      if (!/\/(main|HEAD|c0ffee\w+)$/.test(url.pathname))
        return void this.json(response, 404, { error: 'no such revision' });
      const cardData = this.license === null ? {} : { license: this.license };
      return void this.json(response, 200, { _id: '1', id: modelId, sha: commit, cardData, tags: [], lastModified: 0 });
    }
    if (url.pathname === `/api/models/${modelId}/tree/${commit}`) {
      const entries = Object.entries(this.files).map(([path, bytes]) => ({
        type: 'file',
        path,
        ...described(path, bytes),
      }));
      return void this.json(response, 200, entries);
    }
    this.json(response, 404, { error: 'not found' });
  }

  private file(request: IncomingMessage, response: ServerResponse, name: string): void {
    const whole = this.files[name];
    if (whole === undefined) return void this.json(response, 404, { error: 'not found' });
    const misbehaviour = isLarge(name) ? this.misbehaviours.shift() : undefined;
    if (misbehaviour?.kind === 'status') return void this.json(response, misbehaviour.status, { error: 'busy' });
    if (misbehaviour?.kind === 'page') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end('<html><body>Sign in</body></html>');
      return;
    }
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const start = asked === null || misbehaviour?.kind === 'ignoreRange' ? 0 : Number(asked[1]);
    const part = misbehaviour?.kind === 'corrupt' ? Buffer.alloc(whole.length - start, 7) : whole.subarray(start);
    const headers: Record<string, string | number> = { 'content-type': 'application/octet-stream' };
    headers['content-length'] = misbehaviour?.kind === 'lie' ? part.length + 100 : part.length;
    if (start > 0) headers['content-range'] = `bytes ${start}-${whole.length - 1}/${whole.length}`;
    response.writeHead(start > 0 ? 206 : 200, headers);
    if (misbehaviour?.kind === 'cut') {
      response.write(part.subarray(0, misbehaviour.after), () => setTimeout(() => response.destroy(), 20));
    } else if (misbehaviour?.kind === 'stall') response.write(part.subarray(0, misbehaviour.after));
    else response.end(part);
  }

  private json(response: ServerResponse, status: number, body: unknown): void {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }
}

function isLarge(name: string): boolean {
  return /\.(safetensors|gguf)$/.test(name);
}

function described(name: string, bytes: Buffer) {
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  if (!isLarge(name)) return { size: bytes.length, oid };
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { size: bytes.length, oid, lfs: { oid: sha256, size: bytes.length, pointerSize: 130 } };
}
