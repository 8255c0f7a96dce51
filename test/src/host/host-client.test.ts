// The host client with real processes: the native host itself, and small programs that misbehave as a host may.
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { HostState } from '../../../protocol/view.ts';
import { HostError, HostUnavailableError } from '../../../src/host/host-errors.ts';
import { writeSmallRepository } from '../../host/small-repository.ts';

vi.mock('vscode', () => import('../fake-vscode.ts'));

const { NativeHostClient } = await import('../../../src/host/host-client.ts');
const { CancellationError, CancellationTokenSource } = await import('../fake-vscode.ts');
type Client = InstanceType<typeof NativeHostClient>;
type Options = ConstructorParameters<typeof NativeHostClient>[0];

const main = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));

let root: string;
let client: Client;
let states: HostState[];
let lines: string[];

beforeAll(() => {
  if (!existsSync(main)) throw new Error('dist/main.js is missing: run `npm run build` first');
  root = realpathSync(mkdtempSync(join(tmpdir(), 'lift-client-')));
  writeSmallRepository(join(root, 'repository'));
});
afterEach(() => client.close());
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

function open(mainFile = main, options: Partial<Options> = {}): Client {
  lines = [];
  states = [];
  const log = (line: string) => void lines.push(line);
  client = new NativeHostClient({
    launch: () => ({
      executable: process.execPath,
      mainFile,
      environment: {},
      initialize: { client: 'test', storeRoot: join(root, 'store') },
    }),
    blocked: () => null,
    idleMilliseconds: () => 0,
    log: { info: log, warn: log, error: log },
    ...options,
  });
  client.onDidChangeState((state) => void states.push(state));
  return client;
}

function program(name: string, text: string): string {
  const file = join(root, name);
  writeFileSync(file, text);
  return file;
}

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 5000 && !condition(); attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(condition()).toBe(true);
}

const phases = () => states.map(({ phase }) => phase);
const repository = () => join(root, 'repository');

describe('with the native host', () => {
  it('starts it with the first request and not before, and tells its model, device and memory', async () => {
    open();
    expect(client.state.phase).toBe('stopped');
    const [status, models] = await Promise.all([
      client.request('status', { folder: repository() }),
      client.request('models/list', {}),
    ]);
    expect(status.documents).toBe(4);
    expect(models.models[0]!.name).toBe('lift-base');
    expect(client.state).toMatchObject({ phase: 'ready', message: null, model: 'lift-base', device: 'cpu' });
    expect(client.state.memoryBytes).toBeGreaterThan(10_000_000);
    expect(phases().filter((phase) => phase === 'starting')).toHaveLength(1);
  });

  it('gives the host’s refusals with their message', async () => {
    open();
    const refused = client.request('status', { folder: join(root, 'nowhere') });
    await expect(refused).rejects.toBeInstanceOf(HostError);
    await expect(refused).rejects.toThrow(/is not a folder/);
  });

  it('configures it before anybody else is answered', async () => {
    open();
    const order: string[] = [];
    client.onStart(async (ask) => {
      await ask('folder/configure', { folder: repository(), exclude: ['*.md'] });
      order.push('configured');
    });
    const { documents } = await client.request('status', { folder: repository() });
    order.push('answered');
    expect(documents).toBe(3);
    expect(order).toEqual(['configured', 'answered']);
  });

  it('passes on what the host tells of an evaluation, and finds the page again', async () => {
    open();
    const folder = repository();
    expect(await client.request('eval/last', { folder })).toEqual({ evaluation: null });
    const stages = new Set<string>();
    client.onNotification('eval/progress', ({ stage }) => void stages.add(stage));
    const { html } = await client.request('eval/run', { folder, minutes: 0.02, probes: 4 });
    expect(html).toMatch(/<title>What lift-base knows of repository<\/title>[\s\S]*lift\+rag/);
    expect([...stages].sort()).toEqual(['answering', 'measuring', 'training']);
    const { evaluation } = await client.request('eval/last', { folder });
    expect(evaluation!.html).toBe(html);
    // Training for an evaluation is no absorption.
    expect((await client.request('status', { folder })).version).toBeNull();
  });

  it('comes back after a kill; what was asked meanwhile fails and says so', async () => {
    open();
    await client.request('models/list', {});
    const first = client.processId!;
    const progress: string[] = [];
    client.onNotification('absorb/progress', ({ phase }) => void progress.push(phase));
    const absorbing = client.request('absorb/start', { folder: repository(), epochs: 500 });
    absorbing.catch(() => {});
    await until(() => progress.includes('train'));
    process.kill(first, 'SIGKILL');
    const failure = await absorbing.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(HostUnavailableError);
    expect((failure as HostUnavailableError).mayAskAgain).toBe(true);
    expect(client.state).toMatchObject({ phase: 'restarting', message: expect.stringContaining('started again') });

    await until(() => client.state.phase === 'ready');
    expect(client.processId).not.toBe(first);
    const before = progress.length;
    const source = new CancellationTokenSource();
    const again = client.request('absorb/start', { folder: repository(), epochs: 500 }, source.token as never);
    await until(() => progress.slice(before).includes('train'));
    source.cancel();
    expect((await again).steps).toBeGreaterThan(0);
  });

  it('ends it when it is closed, and when nobody has asked anything for a while', async () => {
    open(main, { idleMilliseconds: () => 300 });
    await client.request('models/list', {});
    const pid = client.processId!;
    await until(() => client.state.phase === 'stopped');
    expect(isRunning(pid)).toBe(false);
    // The next request starts another.
    await client.request('models/list', {});
    const next = client.processId!;
    expect(next).not.toBe(pid);
    await client.close();
    expect(isRunning(next)).toBe(false);
    await expect(client.request('models/list', {})).rejects.toThrow(/shut down/);
  });

  it('does not take a long request for idleness', async () => {
    open(main, { idleMilliseconds: () => 1 });
    const source = new CancellationTokenSource();
    const absorbing = client.request('absorb/start', { folder: repository(), epochs: 500 }, source.token as never);
    let steps = 0;
    client.onNotification('absorb/progress', ({ step }) => {
      steps = step;
    });
    await until(() => steps > 5);
    expect(client.state.phase).toBe('ready');
    source.cancel();
    await absorbing;
  });

  it('takes a model that cannot be opened for a failure that lasts until it is restarted', async () => {
    let modelFolder: string | undefined = join(root, 'no-model');
    open(main, {
      launch: () => ({
        executable: process.execPath,
        mainFile: main,
        environment: {},
        initialize: { client: 'test', storeRoot: join(root, 'store'), ...(modelFolder && { modelFolder }) },
      }),
    });
    await expect(client.request('models/list', {})).rejects.toThrow(/cannot start.*no-model/s);
    expect(client.state).toMatchObject({ phase: 'failed', message: expect.stringContaining('no-model') });
    await expect(client.request('models/list', {})).rejects.toMatchObject({ mayAskAgain: false });
    modelFolder = undefined;
    await client.restart();
    expect(client.state).toMatchObject({ phase: 'ready', model: 'lift-base', message: null });
  });
});

describe('with programs that are no good host', () => {
  it('gives up when it crashes again and again, and shows its last words', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      open(program('crash.mjs', "console.error('no more memory'); process.exit(7);"));
      const asked = client.request('models/list', {}).catch((error: Error) => error);
      while (client.state.phase !== 'failed') {
        await vi.advanceTimersByTimeAsync(10_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(((await asked) as Error).message).toMatch(/several times.*no more memory/s);
    } finally {
      vi.useRealTimers();
    }
    expect(lines.filter((line) => line.includes('ended while it started: code 7'))).toHaveLength(6);
  });

  it('says what to do about a host of another version', async () => {
    const mismatch = `
      let text = '';
      process.stdin.on('data', (data) => {
        text += data;
        if (!text.includes('initialize')) return;
        const body = JSON.stringify({ jsonrpc: '2.0', id: 0, error: { code: -32010, message: 'version 1, not 2' } });
        process.stdout.write('Content-Length: ' + Buffer.byteLength(body) + '\\r\\n\\r\\n' + body);
      });`;
    open(program('old.mjs', mismatch));
    await expect(client.request('models/list', {})).rejects.toThrow(/different versions.*Reload the window/s);
    expect(client.state.phase).toBe('failed');
  });

  it('says which program cannot be run', async () => {
    open(main, {
      launch: () => ({
        executable: join(root, 'no-such-program'),
        mainFile: main,
        environment: {},
        initialize: { client: 'test', storeRoot: root },
      }),
    });
    const asked = client.request('models/list', {}).catch((error: Error) => error);
    await until(() => lines.some((line) => line.includes('ended while it started')));
    await client.close();
    expect(await asked).toBeInstanceOf(HostUnavailableError);
  });

  it('kills one that does not end when it is asked to', async () => {
    const stubborn = `
      process.on('SIGTERM', () => {});
      setInterval(() => {}, 1000);
      let text = '';
      process.stdin.on('data', (data) => {
        text += data;
        if (!text.includes('initialize')) return;
        text = '';
        const model = { name: 'm', folder: '/m', architecture: 'a', parameters: 1, window: 1 };
        const result = { protocolVersion: 1, hostVersion: '0', device: 'cpu', model };
        const body = JSON.stringify({ jsonrpc: '2.0', id: 0, result });
        process.stdout.write('Content-Length: ' + Buffer.byteLength(body) + '\\r\\n\\r\\n' + body);
      });`;
    open(program('stubborn.mjs', stubborn));
    const unanswered = client.request('models/list', {});
    await until(() => client.state.phase === 'ready');
    const pid = client.processId!;
    await Promise.all([client.close(), expect(unanswered).rejects.toBeInstanceOf(HostUnavailableError)]);
    expect(isRunning(pid)).toBe(false);
  });
});

describe('where no host may run', () => {
  it('starts none and says why', async () => {
    const message = 'not trusted';
    open(main, { blocked: () => ({ phase: 'untrusted', message, refuses: true }) });
    expect(client.state).toMatchObject({ phase: 'untrusted', message });
    await expect(client.request('models/list', {})).rejects.toThrow(message);
    expect(lines).toEqual([]);
  });

  it('lets nobody wait who has cancelled', async () => {
    open(program('silent.mjs', 'setInterval(() => {}, 1000);'));
    const source = new CancellationTokenSource();
    const asked = client.request('models/list', {}, source.token as never);
    source.cancel();
    await expect(asked).rejects.toBeInstanceOf(CancellationError);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
