// Models from a hub as the extension asks for them: dist/main.js against a hub on this machine.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CancellationTokenSource, type MessageConnection } from 'vscode-jsonrpc/node';
import { HostErrorCode, type HostRequests, type ModelProgress, PROTOCOL_VERSION } from '../../protocol/host.ts';
import { converted, ggufBytes } from '../fixtures/gguf-writer.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';
import { HostProcess } from '../protocol/host-process.ts';
import { HubServer, modelId } from './hub-server.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

let root: string;
let server: HubServer;
let endpoint: string;
let host: HostProcess;
let connection: MessageConnection;
const progress: ModelProgress[] = [];

beforeAll(async () => {
  if (!existsSync(main)) throw new Error('dist/main.js is missing: run `npm run build` first');
  root = mkdtempSync(join(tmpdir(), 'lift-host-downloads-'));
  await makeTinyModel(join(root, 'model'));
  const files = readdirSync(join(root, 'model')).map((name) => [name, readFileSync(join(root, 'model', name))]);
  server = new HubServer(Object.fromEntries(files));
  endpoint = await server.open();
  host = new HostProcess(main, { HF_ENDPOINT: endpoint, HF_HOME: join(root, 'home') });
  connection = host.connect();
  connection.onNotification('models/progress', (report: ModelProgress) => void progress.push(report));
  await request('initialize', {
    protocolVersion: PROTOCOL_VERSION,
    client: 'test',
    storeRoot: join(root, 'store'),
  });
});
afterAll(async () => {
  await request('shutdown', {});
  await host.exited;
  await server.close();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

function request<M extends keyof HostRequests>(
  method: M,
  params: HostRequests[M]['params'],
  cancellation = new CancellationTokenSource(),
): Promise<HostRequests[M]['result']> {
  return connection.sendRequest(method, params, cancellation.token);
}

it('suggests models, and says which this machine has the memory for', async () => {
  const { suggested } = await request('models/list', {});
  expect(suggested.length).toBeGreaterThan(3);
  const memory = suggested.map(({ memoryBytes }) => memoryBytes);
  expect(memory).toEqual([...memory].sort((a, b) => a - b));
  // One that fits after one that does not would be a mistake.
  expect(suggested.map(({ fits }) => fits)).toEqual(
    suggested.map((_, i) => i < suggested.filter(({ fits }) => fits).length),
  );
});

it('says what a download would be, and downloads nothing for that', async () => {
  const found = await request('models/find', { id: modelId });
  expect(found).toMatchObject({ id: modelId, endpoint, license: 'apache-2.0', folder: null });
  expect(found.bytes).toBeGreaterThan(1000);
  expect(server.requests.filter(({ url }) => url.endsWith('.safetensors'))).toEqual([]);
});

it('refuses names that are none, and says so of a model that there is none of', async () => {
  await expect(request('models/find', { id: '../../etc' })).rejects.toThrow(/organisation\/model/);
  await expect(request('models/get', { id: 'example/none' })).rejects.toThrow(/has no model example\/none/);
});

it('tells which GGUF files there are to choose from, and takes the one that is named', async () => {
  const { metadata, tensors } = await converted(join(root, 'model'), 'F16');
  server.files['small-F16.gguf'] = ggufBytes(metadata, tensors);
  const found = await request('models/find', { id: modelId, file: 'small-F16.gguf' });
  const bytes = server.files['small-F16.gguf'].length;
  expect(found).toMatchObject({ folder: null, bytes, gguf: { file: 'small-F16.gguf' } });
  expect(found.gguf!.files).toEqual([{ name: 'small-F16.gguf', bytes }]);
  await expect(request('models/get', { id: modelId, file: '../small-F16.gguf' })).rejects.toThrow(/ending in \.gguf/);
  delete server.files['small-F16.gguf'];
});

it('stops when it is told to, and goes on the next time', async () => {
  server.misbehaviours.push({ kind: 'stall', after: 1000 });
  const cancellation = new CancellationTokenSource();
  const stopped = request('models/get', { id: modelId }, cancellation);
  const isStalled = () => server.requests.some(({ url }) => url.endsWith('.safetensors'));
  while (!isStalled()) await new Promise((resolve) => setTimeout(resolve, 5));
  cancellation.cancel();
  await expect(stopped).rejects.toMatchObject({ code: HostErrorCode.requestCancelled });

  const { folder } = await request('models/get', { id: modelId });
  expect(existsSync(join(folder, 'model.safetensors'))).toBe(true);
  expect(progress.at(-1)).toMatchObject({ id: modelId });
  expect(progress.at(-1)!.bytesDone).toBe(progress.at(-1)!.bytes);
  expect(await request('models/find', { id: modelId })).toMatchObject({ folder });
  const { models } = await request('models/list', {});
  expect(models.map(({ name }) => name)).toEqual(['lift-base', modelId]);
  expect(models.at(-1)).toMatchObject({ folder, architecture: 'llama' });
});
