import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CancellationTokenSource, type MessageConnection } from 'vscode-jsonrpc/node';
import { type AskToken, HostErrorCode, MAXIMUM_MESSAGE_BYTES, PROTOCOL_VERSION } from '../../protocol/host.ts';
import { bundleTestHost, frame, HostProcess, initializeParams, peakMemory, repliesOf } from './host-process.ts';

let bundle: Awaited<ReturnType<typeof bundleTestHost>>;
const started: HostProcess[] = [];

function start(environment?: Record<string, string>): HostProcess {
  const host = new HostProcess(bundle.file, environment);
  started.push(host);
  return host;
}

beforeAll(async () => {
  bundle = await bundleTestHost();
});
afterEach(() => {
  for (const host of started.splice(0)) host.child.kill('SIGKILL');
});
afterAll(() => bundle.remove());

const question = { folder: '/a', askId: '1', question: 'why?', openFiles: [], useAdapter: true, evidence: 3 };
const ask = { ...question, temperature: 0, topP: 1, maxTokens: 10, conversation: [] };

async function failure(promise: Promise<unknown>): Promise<{ code: number; message: string }> {
  try {
    await promise;
  } catch (error) {
    return error as { code: number; message: string };
  }
  throw new Error('expected an error');
}

describe('handshake', () => {
  it('refuses every request before initialize', async () => {
    const connection = start().connect();
    const error = await failure(connection.sendRequest('status', { folder: '/a' }));
    expect(error.code).toBe(HostErrorCode.notInitialized);
    expect(error.message).toContain("'initialize' must come before 'status'");
  });

  it.each([
    [PROTOCOL_VERSION + 1, 'update the native host'],
    [PROTOCOL_VERSION - 1, 'update the client'],
  ])('names both versions and the older side when the client speaks version %i', async (protocolVersion, advice) => {
    const connection = start().connect();
    const error = await failure(connection.sendRequest('initialize', { protocolVersion, renamed: 1 }));
    expect(error.code).toBe(HostErrorCode.protocolVersionMismatch);
    expect(error.message).toContain(`version ${protocolVersion}`);
    expect(error.message).toContain(`version ${PROTOCOL_VERSION}`);
    expect(error.message).toContain(advice);
    expect(await failure(connection.sendRequest('status', { folder: '/a' }))).toMatchObject({
      code: HostErrorCode.notInitialized,
    });
  });

  it('answers after initialize and refuses a second one', async () => {
    const connection = await start().initialized();
    expect(await connection.sendRequest('status', { folder: '/a' })).toMatchObject({ absorbed: 0, device: 'cpu' });
    expect((await failure(connection.sendRequest('initialize', initializeParams))).message).toContain('already');
  });
});

describe('requests', () => {
  it('streams notifications before the result', async () => {
    const connection = await start().initialized();
    const events: string[] = [];
    connection.onNotification('ask/token', (token: AskToken) => {
      events.push(token.text);
    });
    const result = await connection.sendRequest<{ answer: string }>('ask', ask);
    expect(result.answer).toBe('why?');
    expect(events).toEqual(['é', 'é', 'é']);
  });

  it('cancels one request and leaves the others', async () => {
    const host = start();
    const connection = await host.initialized();
    const source = new CancellationTokenSource();
    const pending = connection.sendRequest('ask', { ...ask, question: 'forever' }, source.token);
    await connection.sendRequest('status', { folder: '/a' });
    source.cancel();
    expect(await failure(pending)).toMatchObject({ code: HostErrorCode.requestCancelled });
    expect(await connection.sendRequest('ask', ask)).toMatchObject({ answer: 'why?' });
  });

  it.each([
    ['ask', { ...ask, question: undefined }, 'question must be a string'],
    ['ask', { ...ask, question: ' ' }, 'question must not be empty'],
    ['ask', { ...ask, folder: 'a/b' }, 'folder must be an absolute path'],
    ['ask', { ...ask, temperature: -1 }, 'temperature must be a number from 0'],
    ['ask', { ...ask, openFiles: [{ path: 'a', text: '' }, { path: 'b' }] }, 'openFiles[1].text'],
    ['ask', { ...ask, openFiles: [{ path: 'a', text: '', from: 3, to: 2 }] }, 'openFiles[0].to must not be before'],
    [
      'ask',
      { ...ask, openFiles: [{ path: 'a', text: '', selection: { from: 0, to: 2 } }] },
      'openFiles[0].selection.from',
    ],
    ['ask', { ...ask, conversation: 'none' }, 'conversation must be a list'],
    ['ask', { ...ask, tokens: 3 }, 'tokens is not a known field'],
    [
      'files/changed',
      { folder: '/a', changes: [{ path: '../x', kind: 'changed' }] },
      'changes[0].path must be relative',
    ],
    ['files/changed', { folder: '/a', changes: [{ path: 'x\n[y]', kind: 'changed' }] }, 'control characters'],
    [
      'files/changed',
      { folder: '/a', changes: [{ path: 'x', kind: 'touched' }] },
      "changes[0].kind must be one of 'changed'",
    ],
    ['absorb/start', { folder: '/a', epochs: 0.5 }, 'epochs must be an integer'],
    ['absorb/start', { folder: '/a', adapterKind: 'prefix' }, "adapterKind must be one of 'lora'"],
    ['adapters/prune', { quotaBytes: '3' }, 'quotaBytes must be an integer'],
    ['status', [1], 'params must be an object'],
    ['status', {}, 'folder must be a string, and it is missing'],
  ])('names the field: %s %j', async (method, params, message) => {
    const connection = await shared();
    const error = await failure(connection.sendRequest(method, params as object));
    expect(error.code).toBe(-32602);
    expect(error.message).toContain(message);
  });

  it.each(['nothing', 'constructor', '__proto__', 'close', 'absorb'])(
    'refuses the unknown method %s',
    async (method) => {
      const error = await failure((await shared()).sendRequest(method, {}));
      expect(error).toMatchObject({ code: -32601, message: `Unknown method '${method}'` });
    },
  );

  it("gives a handler's error as its message", async () => {
    const error = await failure((await shared()).sendRequest('ask', { ...ask, question: 'crash' }));
    expect(error).toMatchObject({ code: -32603, message: 'the model is gone: run `lift models check`' });
  });

  it('keeps what is printed out of the protocol', async () => {
    const host = start();
    const connection = await host.initialized();
    expect(await connection.sendRequest('ask', { ...ask, question: 'print' })).toMatchObject({ answer: 'print' });
    await connection.sendRequest('status', { folder: '/a' });
    for (const source of ['the console', 'a stream', 'a worker']) expect(host.stderr).toContain(`printed by ${source}`);
  });

  let sharedConnection: MessageConnection | undefined;
  let sharedHost: HostProcess | undefined;
  async function shared(): Promise<MessageConnection> {
    sharedHost ??= new HostProcess(bundle.file);
    sharedConnection ??= await sharedHost.initialized();
    return sharedConnection;
  }
  afterAll(() => sharedHost?.child.kill('SIGKILL'));
});

describe('bad bytes', () => {
  const initialize = frame({ jsonrpc: '2.0', id: 1, method: 'initialize', params: initializeParams });
  const status = frame({ jsonrpc: '2.0', id: 2, method: 'status', params: { folder: '/a' } });

  it.each([
    ['malformed JSON', frame('{"jsonrpc": "2.0", "id": '), -32700, null],
    ['an empty message', frame(''), -32700, null],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from('Content-Length: 3\r\n\r\n'), Buffer.from([0x22, 0xff, 0x22])]),
      -32700,
      null,
    ],
    ['a batch', frame([{ jsonrpc: '2.0', id: 9, method: 'status' }]), -32600, null],
    ['a number', frame('1'), -32600, null],
    ['null', frame('null'), -32600, null],
    ['no version', frame({ id: 'x', method: 'status' }), -32600, 'x'],
    ['a null id', frame({ jsonrpc: '2.0', id: null, method: 'status' }), -32600, null],
    ['an object as id', frame({ jsonrpc: '2.0', id: {}, method: 'status' }), -32600, null],
    ['params that are a string', frame({ jsonrpc: '2.0', id: 5, method: 'status', params: 'a' }), -32600, 5],
    ['a cancellation of nothing', frame({ jsonrpc: '2.0', method: '$/cancelRequest' }), -32600, null],
    ['deep nesting', frame(`${'['.repeat(300_000)}${']'.repeat(300_000)}`), -32600, null],
  ])('replies to %s and goes on', async (_name, bytes, code, id) => {
    const host = start();
    const next = repliesOf(host.child.stdout);
    host.send(Buffer.concat([initialize, bytes, status]));
    const replies = [await next(), await next(), await next()];
    expect(replies).toContainEqual(expect.objectContaining({ id, error: expect.objectContaining({ code }) }));
    expect(replies).toContainEqual(expect.objectContaining({ id: 2, result: expect.anything() }));
  });

  it('does not answer a response', async () => {
    const host = start();
    const next = repliesOf(host.child.stdout);
    host.send(Buffer.concat([initialize, frame({ jsonrpc: '2.0', id: 7, result: 1 }), status]));
    expect([(await next())!.id, (await next())!.id]).toEqual([1, 2]);
    expect(host.stderr).toContain('a response to nothing');
  });

  it.each([
    ['a negative length', 'Content-Length: -5\r\n\r\n'],
    ['a length in hexadecimal', 'Content-Length: 0x10\r\n\r\n'],
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\n'],
    ['no length', 'Content-Type: text/html\r\n\r\n'],
    ['an HTTP request', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['an endless header', 'x'.repeat(100_000)],
  ])('says what is wrong and ends after %s', async (_name, text) => {
    const host = start();
    const next = repliesOf(host.child.stdout);
    host.send(text);
    expect(await next()).toMatchObject({ id: null, error: { code: -32700 } });
    expect(await host.exited).toBe(1);
  });

  it('refuses an oversized message without holding it, and goes on', async () => {
    const host = start();
    const next = repliesOf(host.child.stdout);
    host.send(initialize);
    await next();
    const length = 4 * MAXIMUM_MESSAGE_BYTES;
    const head = Buffer.from('{"jsonrpc":"2.0","id":"big","method":"ask","params":{"question":"');
    host.send(`Content-Length: ${length}\r\n\r\n`);
    host.send(head);
    const megabyte = Buffer.alloc(1024 * 1024, 'a');
    for (let left = length - head.length; left > 0; left -= megabyte.length) {
      if (!host.child.stdin.write(megabyte.subarray(0, Math.min(left, megabyte.length)))) {
        await new Promise((resolve) => host.child.stdin.once('drain', resolve));
      }
    }
    host.send(status);
    expect(await next()).toMatchObject({ id: 'big', error: { code: HostErrorCode.messageTooLarge } });
    expect(await next()).toMatchObject({ id: 2, result: expect.anything() });
    if (process.platform === 'linux')
      expect(await peakMemory(host.child.pid!)).toBeLessThan(2.5 * MAXIMUM_MESSAGE_BYTES);
  });

  it('takes a large message that arrives in small pieces', async () => {
    const host = start();
    const next = repliesOf(host.child.stdout);
    host.send(initialize);
    await next();
    const text = 'é'.repeat(1_000_000);
    const bytes = frame({
      jsonrpc: '2.0',
      id: 3,
      method: 'files/changed',
      params: { folder: '/a', changes: [{ path: 'b', kind: 'changed', text }] },
    });
    for (let offset = 0; offset < bytes.length; offset += 9973) {
      host.child.stdin.write(bytes.subarray(offset, offset + 9973));
      if (offset % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await next()).toMatchObject({ id: 3, result: { dirty: 1 } });
  });

  it('answers a thousand requests at once, and refuses two under one id', async () => {
    const host = start();
    const next = repliesOf(host.child.stdout);
    host.send(initialize);
    await next();
    const request = (id: number, text: string) =>
      frame({ jsonrpc: '2.0', id, method: 'ask', params: { ...ask, question: text } });
    host.send(Buffer.concat(Array.from({ length: 1000 }, (_, index) => request(10 + index, 'forever'))));
    host.send(Buffer.concat([request(10, 'forever'), status]));
    expect(await next()).toMatchObject({ id: null, error: { message: expect.stringContaining('not answered yet') } });
    expect(await next()).toMatchObject({ id: 2 });
    host.send(Buffer.concat(Array.from({ length: 25 }, (_, index) => request(2000 + index, 'forever'))));
    expect(await next()).toMatchObject({ id: 2024, error: { code: HostErrorCode.tooManyRequests } });
  });
});

describe('the end', () => {
  it('shuts down when asked: aborts, closes, replies, exits with 0', async () => {
    const host = start();
    const connection = await host.initialized();
    const pending = failure(connection.sendRequest('ask', { ...ask, question: 'forever' }));
    expect(await connection.sendRequest('shutdown', {})).toBeNull();
    expect(await host.exited).toBe(0);
    expect(host.stderr).toMatch(/aborted[\s\S]*closed[\s\S]*shut down by the client/);
    expect(await pending).toMatchObject({ code: HostErrorCode.requestCancelled });
  });

  it('ends when its standard input does, aborting what runs', async () => {
    const host = start();
    const connection = await host.initialized();
    failure(connection.sendRequest('ask', { ...ask, question: 'forever' }));
    failure(connection.sendRequest('absorb/start', { folder: '/forever' }));
    await connection.sendRequest('status', { folder: '/a' });
    host.child.stdin.end();
    expect(await host.exited).toBe(0);
    expect(host.stderr.match(/aborted/g)).toHaveLength(2);
    expect(host.stderr.match(/closed/g)).toHaveLength(1);
  });

  it('ends in the middle of a message', async () => {
    const host = start();
    host.child.stdin.end('Content-Length: 100\r\n\r\n{"json');
    expect(await host.exited).toBe(0);
    expect(host.stderr).toContain('in the middle of a message');
  });

  it('ends when nobody takes its output', async () => {
    const host = start();
    const connection = await host.initialized();
    host.child.stdout.destroy();
    connection.sendRequest('ask', ask).catch(() => {});
    expect(await host.exited).toBe(0);
    expect(host.stderr).not.toContain('Unhandled');
  });

  it('ends when the client never reads', async () => {
    const host = start();
    const next = repliesOf(host.child.stdout);
    host.send(frame({ jsonrpc: '2.0', id: 1, method: 'initialize', params: initializeParams }));
    await next();
    host.child.stdout.pause();
    const params = { ...ask, question: 'flood', maxTokens: 60_000 };
    host.send(frame({ jsonrpc: '2.0', id: 2, method: 'ask', params }));
    await expect.poll(() => host.stderr, { timeout: 20_000 }).toContain('does not read');
    host.child.stdout.resume();
    expect(await host.exited).toBe(1);
  });

  it('ends on SIGTERM', async () => {
    const host = start();
    await host.initialized();
    host.child.kill('SIGTERM');
    expect(await host.exited).toBe(0);
    expect(host.stderr).toContain('told to end');
  });

  it('does not wait for ever for handlers that do not close', async () => {
    const host = start({ TEST_HOST_CLOSE: 'hang' });
    await host.initialized();
    host.child.stdin.end();
    expect(await host.exited).toBe(1);
    expect(host.stderr).toContain('closing took too long');
  });
});
