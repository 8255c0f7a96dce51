// The native host as an editor runs it: dist/main.js as a child process that speaks JSON-RPC, with the embedded model.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CancellationTokenSource, type MessageConnection } from 'vscode-jsonrpc/node';
import { openStore } from '../../native-host/store/adapter-store.ts';
import {
  type AbsorbProgress,
  type AbsorbResult,
  type AskParams,
  type AskResult,
  type AskToken,
  HostErrorCode,
  type HostRequests,
  PROTOCOL_VERSION,
} from '../../protocol/host.ts';
import { HostProcess } from '../protocol/host-process.ts';
import { filesThatHold, secretValue, sources, writeSmallRepository } from './small-repository.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const embeddedModel = fileURLToPath(new URL('../../models/lift-base', import.meta.url));
const vanishingClient = fileURLToPath(new URL('./vanishing-client.mjs', import.meta.url));
const documents = Object.keys(sources).length;

let root: string;
let repository: string;
let store: string;

beforeAll(() => {
  if (!existsSync(main)) throw new Error('dist/main.js is missing: run `npm run build` first');
  root = realpathSync(mkdtempSync(join(tmpdir(), 'lift-host-')));
  repository = join(root, 'repository');
  store = join(root, 'store');
  writeSmallRepository(repository);
});
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

class Client {
  readonly host = new HostProcess(main);
  readonly connection: MessageConnection = this.host.connect();
  readonly progress: AbsorbProgress[] = [];
  readonly tokens: AskToken[] = [];
  private heard = () => {};

  constructor() {
    this.connection.onNotification('absorb/progress', (report: AbsorbProgress) => {
      this.progress.push(report);
      this.heard();
    });
    this.connection.onNotification('ask/token', (token: AskToken) => {
      this.tokens.push(token);
      this.heard();
    });
  }

  request<M extends keyof HostRequests>(
    method: M,
    params: HostRequests[M]['params'],
    cancellation = new CancellationTokenSource(),
  ): Promise<HostRequests[M]['result']> {
    return this.connection.sendRequest(method, params, cancellation.token);
  }

  initialize(storeRoot: string) {
    return this.request('initialize', { protocolVersion: PROTOCOL_VERSION, client: 'test', storeRoot });
  }

  ask(params: Partial<AskParams> & { askId: string; folder: string }, cancellation?: CancellationTokenSource) {
    return this.request('ask', { ...plainQuestion, ...params }, cancellation);
  }

  streamed(askId: string): string {
    return this.tokens
      .filter((token) => token.askId === askId)
      .map(({ text }) => text)
      .join('');
  }

  /** Resolves once the condition holds, which is looked at after each notification. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      this.heard = () => {
        if (condition()) resolve();
      };
    });
    this.heard = () => {};
  }

  /** Resolves once the training has taken another step. */
  trains(): Promise<void> {
    const before = this.progress.length;
    return this.until(() => this.progress.slice(before).some(({ phase }) => phase === 'train'));
  }
}

const plainQuestion = {
  question: 'What is the value of BERTH_COUNT?',
  openFiles: [],
  useAdapter: true,
  evidence: 0,
  temperature: 0,
  topP: 1,
  maxTokens: 24,
  conversation: [],
};

describe('a host', () => {
  let client: Client;

  beforeAll(() => {
    client = new Client();
  });
  afterAll(() => client.host.child.kill('SIGKILL'));

  it('refuses a client of another protocol version, then takes one of its own', async () => {
    const wrong = { protocolVersion: PROTOCOL_VERSION + 1, client: 'test', storeRoot: store };
    await expect(client.request('initialize', wrong)).rejects.toMatchObject({
      code: HostErrorCode.protocolVersionMismatch,
      message: expect.stringContaining('update'),
    });
    const first = client.initialize(store);
    await expect(client.initialize(store)).rejects.toThrow(/initialized already/);
    const { model, ...about } = await first;
    expect(about).toEqual({ protocolVersion: PROTOCOL_VERSION, hostVersion: '0.1.0', device: 'cpu' });
    expect(model).toMatchObject({ name: 'lift-base', architecture: 'llama' });
    expect(realpathSync(model.folder)).toBe(realpathSync(embeddedModel));
    expect(model.parameters).toBeGreaterThan(1_000_000);
    expect((await client.request('models/list', {})).models).toEqual([model]);
  });

  it('reports a folder that was never absorbed, and what is skipped and why', async () => {
    const status = await client.request('status', { folder: repository });
    expect(status).toMatchObject({ documents, absorbed: 0, dirty: documents, version: null, model: 'lift-base' });
    expect(status.tokens).toBeGreaterThan(100);
    expect(status.skipped.map(({ path }) => path)).toEqual(['.env', 'logo.dat']);
    for (const { reason } of status.skipped) expect(reason).not.toBe('');
    expect(status.skipped[0]!.reason).toMatch(/secret|environment file/);
    expect(status.skipped[1]!.reason).toMatch(/binary/);
    expect((await client.request('adapters/list', {})).adapters).toEqual([]);
  });

  it('says what to do about a folder or an adapter that is not there', async () => {
    const nowhere = join(root, 'nowhere');
    await expect(client.request('status', { folder: nowhere })).rejects.toThrow(/is not a folder/);
    await expect(client.request('absorb/start', { folder: nowhere })).rejects.toThrow(/is not a folder/);
    await expect(client.request('absorb/cancel', { folder: repository })).rejects.toThrow(/not being absorbed/);
    await expect(client.request('adapters/rollBack', { folder: repository })).rejects.toThrow();
    const target = join(root, 'nothing-exported');
    await expect(client.request('adapters/export', { folder: repository, target })).rejects.toMatchObject({
      code: HostErrorCode.nothingAbsorbed,
      message: expect.stringContaining('absorb'),
    });
  });

  it('estimates what absorbing would take, and knows nothing of any document before', async () => {
    const estimate = await client.request('absorb/estimate', { folder: repository });
    expect(estimate).toMatchObject({ documents, skipped: 2 });
    expect(estimate.tokens).toBeGreaterThan(100);
    expect(estimate.seconds).toBeGreaterThan(0);
    expect(estimate.bytes).toBeGreaterThan(1_000_000);
    const short = await client.request('absorb/estimate', { folder: repository, minutes: 0.01 });
    expect(short.seconds).toBeLessThanOrEqual(0.6);
    const { documents: coverage } = await client.request('coverage', { folder: repository });
    expect(coverage.map(({ path }) => path).sort()).toEqual(Object.keys(sources).sort());
    for (const entry of coverage) expect(entry).toMatchObject({ absorbed: 0, dirty: true });
  });

  it('leaves out what a folder is configured to leave out', async () => {
    const [first] = Object.keys(sources);
    await client.request('folder/configure', { folder: repository, exclude: [`/${first}`] });
    expect(await client.request('status', { folder: repository })).toMatchObject({ documents: documents - 1 });
    await client.request('folder/configure', { folder: repository, exclude: [] });
    expect(await client.request('status', { folder: repository })).toMatchObject({ documents });
  });

  it('absorbs and reports how far it is', async () => {
    const commit = '3f9c2b7e6a1d4c5b8e0f9a7d6c3b2a1f0e9d8c7b';
    mkdirSync(join(repository, '.git'));
    writeFileSync(join(repository, '.git', 'HEAD'), `${commit}\n`);
    const result = await client.request('absorb/start', { folder: repository, epochs: 2, seed: 5 });
    expect(result).toMatchObject({ documents, version: 1 });
    expect(result.steps).toBeGreaterThan(0);
    expect(result.trainedTokens).toBeGreaterThan(0);
    expect(result.skipped.map(({ path }) => path)).toEqual(['.env', 'logo.dat']);
    const phases = new Set(client.progress.map(({ phase }) => phase));
    expect([...phases]).toEqual(expect.arrayContaining(['scan', 'questions', 'train', 'measure', 'save']));
    for (const { folder } of client.progress) expect(folder).toBe(repository);
    const training = client.progress.filter(({ phase }) => phase === 'train');
    for (const { step, loss, tokens } of training) {
      expect(step).toBeGreaterThan(0);
      expect(loss).toBeGreaterThan(0);
      expect(tokens).toBe(result.tokens);
    }
    const status = await client.request('status', { folder: repository });
    expect(status).toMatchObject({ documents, tokens: result.tokens, dirty: 0, version: 1, absorbedCommit: commit });
    expect(status.absorbed).toBeGreaterThan(0);
    expect(status.absorbed).toBeLessThanOrEqual(1);
    expect(status.absorbedAt).toMatch(/^20\d\d-/);
    expect(status.adapterBytes).toBeGreaterThan(1_000_000);
    expect(status.memoryBytes).toBeGreaterThan(10_000_000);
    expect(result.absorbed).toBeCloseTo(status.absorbed, 9);
    expect(training.at(-1)!.documentsSeen).toBe(documents);
    const { documents: coverage } = await client.request('coverage', { folder: repository });
    const known = coverage.reduce((sum, { tokens, absorbed }) => sum + tokens * absorbed, 0);
    expect(known / result.tokens).toBeCloseTo(status.absorbed, 9);
    for (const { dirty } of coverage) expect(dirty).toBe(false);
    expect(await client.request('absorb/start', { folder: repository })).toMatchObject({ steps: 0, version: 1 });
  });

  it('tells by its code that another process trains the adapter', async () => {
    const other = new Client();
    await other.initialize(store);
    // Never answered: the host is killed.
    void other.request('absorb/start', { folder: repository, epochs: 1000, seed: 6, adapterKind: 'lora' });
    await other.until(() => other.progress.some(({ phase }) => phase === 'train'));
    await expect(client.request('absorb/start', { folder: repository })).rejects.toMatchObject({
      code: HostErrorCode.locked,
      message: expect.stringContaining(`${other.host.child.pid}`),
    });
    other.host.child.kill('SIGKILL');
    await once(other.host.child, 'exit');
    expect(await client.request('absorb/start', { folder: repository })).toMatchObject({ steps: 0, version: 1 });
  });

  it('keeps the secret out of everything that it stores', () => {
    expect(filesThatHold(repository, secretValue)).toEqual([join(repository, '.env')]);
    expect(filesThatHold(store, secretValue)).toEqual([]);
  });

  it('streams the answer that it gives', async () => {
    const answer = await client.ask({ askId: 'first', folder: repository });
    expect(answer.answer).not.toBe('');
    expect(answer).toMatchObject({ version: 1, shown: [] });
    expect(client.streamed('first')).toBe(answer.answer);
    const base = await client.ask({ askId: 'base', folder: repository, useAdapter: false, evidence: 3 });
    expect(base.version).toBeNull();
    expect(base.shown.some(({ kind, path }) => kind === 'evidence' && path === 'src/berths.ts')).toBe(true);
    expect(client.streamed('base')).toBe(base.answer);
  });

  it('ends an answer that is cancelled', async () => {
    const cancellation = new CancellationTokenSource();
    const maxTokens = 900;
    // At this temperature any token may come, so that an end is as unlikely as any other.
    const asked = client.ask({ askId: 'long', folder: repository, maxTokens, temperature: 10 }, cancellation);
    await client.until(() => client.streamed('long') !== '');
    cancellation.cancel();
    const { answer } = await asked;
    expect(answer).toBe(client.streamed('long'));
    expect(client.tokens.filter(({ askId }) => askId === 'long').length).toBeLessThan(maxTokens / 2);
    expect((await client.ask({ askId: 'after', folder: repository })).answer).not.toBe('');
  });

  it('shows text that is not saved to the model, but never a secret', async () => {
    const path = 'src/berths.ts';
    const text = sources[path].replace('BERTH_COUNT = 42', 'BERTH_COUNT = 57');
    const changed = (change: object) =>
      client.request('files/changed', { folder: repository, changes: [{ path, kind: 'changed', ...change }] });
    expect(await changed({ text })).toEqual({ dirty: 1 });
    expect(await client.request('status', { folder: repository })).toMatchObject({ dirty: 1, version: 1 });
    const { shown } = await client.ask({ askId: 'dirty', folder: repository });
    expect(shown).toContainEqual(expect.objectContaining({ kind: 'dirty', path, startLine: 1 }));

    const secret = { path: '.env', text: `HARBOUR_API_KEY=${secretValue}\nBERTH_COUNT=58\n` };
    expect(await changed(secret)).toEqual({ dirty: 1 });
    const { skipped } = await client.request('status', { folder: repository });
    expect(skipped.map((entry) => entry.path)).toEqual(['.env', 'logo.dat']);
    const again = await client.ask({ askId: 'secret', folder: repository, evidence: 5 });
    expect(again.shown.map((part) => part.path)).not.toContain('.env');
    const opened = await client.ask({ askId: 'opened', folder: repository, openFiles: [secret, { path, text }] });
    expect(opened.shown).toContainEqual({ kind: 'open', path: '.env', state: 'left out' });
    expect(opened.shown).toContainEqual(expect.objectContaining({ kind: 'open', path, state: 'whole' }));

    expect(await changed({ kind: 'removed' })).toEqual({ dirty: 1 });
    expect(await changed({})).toEqual({ dirty: 0 });
    const saved = await client.ask({ askId: 'saved', folder: repository });
    expect(saved.shown).toEqual([]);
  });

  it('exports, imports, rolls back and deletes', async () => {
    const target = join(root, 'exported');
    const { files } = await client.request('adapters/export', { folder: repository, target });
    expect(files.map((file) => basename(file))).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    for (const file of files) expect(existsSync(file)).toBe(true);
    const before = await client.ask({ askId: 'trained', folder: repository });

    expect(await client.request('adapters/import', { folder: repository, source: target })).toEqual({ version: 2 });
    // What it knows was never measured; it is taken to be of the folder as it is.
    const status = await client.request('status', { folder: repository });
    expect(status).toMatchObject({ version: 2, dirty: 0, absorbed: 0 });
    const imported = await client.ask({ askId: 'imported', folder: repository });
    expect(imported).toMatchObject({ version: 2, answer: before.answer });
    expect(await client.request('adapters/rollBack', { folder: repository })).toEqual({ version: 1 });
    expect(await client.request('status', { folder: repository })).toMatchObject({ version: 1, dirty: 0 });

    const { adapters } = await client.request('adapters/list', {});
    expect(adapters).toMatchObject([{ folder: repository, version: 1, versions: [1, 2] }]);
    const { repositoryKey } = adapters[0]!;
    const deleted = await client.request('adapters/delete', { repositoryKey });
    expect(deleted.removed).toMatchObject([{ repositoryKey }]);
    expect(deleted.freedBytes).toBeGreaterThan(0);
    expect((await client.request('adapters/list', {})).adapters).toEqual([]);
    const gone = await client.request('status', { folder: repository });
    expect(gone).toMatchObject({ absorbed: 0, version: null });
  });

  it('pauses, answers while it trains, and keeps what a cancelled absorption learned', async () => {
    let ended = false;
    const absorbing = client.request('absorb/start', { folder: repository, epochs: 1000 }).finally(() => {
      ended = true;
    });
    await client.trains();
    await expect(client.request('absorb/start', { folder: repository })).rejects.toThrow(/being absorbed already/);

    await client.request('absorb/pause', { folder: repository });
    await client.until(() => client.progress.at(-1)!.phase === 'paused');
    const reports = client.progress.length;
    expect(await client.ask({ askId: 'paused', folder: repository })).toMatchObject({ version: null });
    await setTimeout(500);
    expect(client.progress.length).toBe(reports);
    await client.request('absorb/resume', { folder: repository });
    await client.trains();

    const { answer } = await client.ask({ askId: 'meanwhile', folder: repository });
    expect(ended).toBe(false);
    expect(client.streamed('meanwhile')).toBe(answer);

    await client.request('absorb/cancel', { folder: repository });
    const result: AbsorbResult = await absorbing;
    expect(result).toMatchObject({ documents, version: 1 });
    expect(result.steps).toBeGreaterThan(0);
  });

  it('answers with the version that is there, not with a deleted one of the same number', async () => {
    const [adapter] = (await client.request('adapters/list', {})).adapters;
    const { repositoryKey } = adapter!;
    const stopped = await client.ask({ askId: 'stopped', folder: repository });
    expect(stopped.version).toBe(1);
    await client.request('adapters/delete', { repositoryKey });
    await client.request('absorb/start', { folder: repository, epochs: 1 });
    const anew = await client.ask({ askId: 'anew', folder: repository });
    expect(anew.version).toBe(1);

    const other = new Client();
    try {
      await other.initialize(store);
      expect((await other.ask({ askId: 'other', folder: repository })).answer).toBe(anew.answer);
    } finally {
      other.host.child.kill('SIGKILL');
    }
  });

  it('ends with status 0 when it is shut down', async () => {
    expect(await client.request('shutdown', {})).toBeNull();
    expect(await client.host.exited).toBe(0);
    expect(client.host.stderr).toContain('shut down by the client');
  });
});

describe('a host whose client goes away while it trains', () => {
  const started: { kill(signal: NodeJS.Signals): boolean }[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  /** What is left in a store is sound, unlocked, and can be used. */
  async function expectSound(storeRoot: string): Promise<void> {
    const left = openStore(storeRoot);
    const entries = await left.list();
    expect(entries).toMatchObject([{ folder: repository, current: 1, lockedBy: null, problems: [] }]);
    const adapter = left.adapter(repository, entries[0]!.baseModelKey);
    const loaded = await adapter.loadVersion();
    expect(loaded!.vector.every(Number.isFinite)).toBe(true);
    expect(await adapter.loadCheckpoint()).not.toBeNull();
  }

  it('ends by itself when its input closes, and keeps what was absorbed', async () => {
    const storeRoot = join(root, 'closed');
    const client = new Client();
    started.push(client.host.child);
    await client.initialize(storeRoot);
    client.request('absorb/start', { folder: repository, epochs: 1000 }).catch(() => undefined);
    await client.trains();
    client.host.child.stdin.end();
    expect(await client.host.exited).toBe(0);
    expect(client.host.stderr).toContain('the client went away');
    await expectSound(storeRoot);
  });

  it('ends by itself when the client is killed, and keeps what was absorbed', async () => {
    const storeRoot = join(root, 'killed');
    const client = spawn(process.execPath, [vanishingClient, main, storeRoot, repository], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    started.push(client);
    const bothEnded = once((client.stdio[3] as Readable).resume(), 'end');
    let said = '';
    for await (const text of client.stdout!.setEncoding('utf8')) {
      said += text;
      if (/^train/m.test(said)) break;
    }
    expect(said).toMatch(/^train/m);
    client.kill('SIGKILL');
    await bothEnded;
    await expectSound(storeRoot);
  });

  it('goes on from there in the next host', async () => {
    const client = new Client();
    started.push(client.host.child);
    await client.initialize(join(root, 'killed'));
    const before = await client.request('status', { folder: repository });
    expect(before).toMatchObject({ version: 1 });
    const after = await client.request('absorb/start', { folder: repository, epochs: 2 });
    expect(after.version).toBeGreaterThanOrEqual(1);
    const answer: AskResult = await client.ask({ askId: 'next', folder: repository });
    expect(client.streamed('next')).toBe(answer.answer);
  });
});
