// Packages over JSON-RPC: dist/main.js as a child process, with a tiny model, on a small monorepo.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MessageConnection } from 'vscode-jsonrpc/node';
import { type AbsorbProgress, type HostRequests, PROTOCOL_VERSION } from '../../protocol/host.ts';
import { HostProcess } from '../protocol/host-process.ts';
import { StudyFixture, smallMonorepo } from '../study/study-fixture.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
let fixture: StudyFixture;
let host: HostProcess;
let connection: MessageConnection;
let folder: string;
const progress: AbsorbProgress[] = [];

beforeAll(async () => {
  if (!existsSync(main)) throw new Error('dist/main.js is missing: run `npm run build` first');
  fixture = await StudyFixture.open();
  folder = await fixture.repository('mono', smallMonorepo());
  host = new HostProcess(main);
  connection = host.connect();
  connection.onNotification('absorb/progress', (report: AbsorbProgress) => void progress.push(report));
  const storeRoot = join(fixture.path, 'host-store');
  const modelFolder = join(fixture.path, 'model');
  await request('initialize', {
    protocolVersion: PROTOCOL_VERSION,
    client: 'test',
    storeRoot,
    modelFolder,
    device: 'cpu',
  });
});
afterAll(async () => {
  host.child.kill('SIGKILL');
  await fixture.close();
});

function request<M extends keyof HostRequests>(
  method: M,
  params: HostRequests[M]['params'],
): Promise<HostRequests[M]['result']> {
  return connection.sendRequest(method, params);
}

test('packages are asked for, told of, chosen and named', async () => {
  await expect(request('absorb/start', { folder, packages: 'some' as 'each' })).rejects.toThrow(
    /packages must be one of/,
  );
  const estimates = [];
  for (const packages of ['whole', 'each'] as const)
    estimates.push(await request('absorb/estimate', { folder, packages }));
  expect(estimates[1]!.bytes).toBe(4 * estimates[0]!.bytes);

  const absorbed = await request('absorb/start', { folder, packages: 'each', epochs: 1 });
  expect(absorbed).toMatchObject({ end: 'budget', version: 1, documents: 11, dirty: 0 });
  expect(absorbed.packages).toHaveLength(4);
  const trained = progress.filter(({ phase }) => phase === 'train');
  expect(new Set(trained.map(({ package: turn }) => turn?.number))).toEqual(new Set([1, 2, 3, 4]));
  expect(trained.every(({ package: turn, documents }) => turn?.of === 4 && documents === 11)).toBe(true);
  expect(trained.map(({ step }) => step)).toEqual(trained.map(({ step }) => step).sort((a, b) => a - b));

  const status = await request('status', { folder });
  expect(status.packages!.map((one) => [one.folder, one.version])).toEqual([
    ['.', 1],
    ['packages/one', 1],
    ['packages/three', 1],
    ['packages/two', 1],
  ]);
  expect(status.arrangement).toMatch(/^An adapter for each of 3 packages, as before\.$/);
  const asked = {
    folder,
    openFiles: [],
    useAdapter: true,
    evidence: 0,
    temperature: 0,
    topP: 1,
    maxTokens: 4,
    conversation: [],
  };
  const pointed = await request('ask', { ...asked, askId: 'a', question: 'What calls nextCarol?' });
  expect(pointed).toMatchObject({ package: 'packages/two', version: 1 });
  const named = await request('ask', {
    ...asked,
    askId: 'b',
    question: 'What calls nextCarol?',
    package: 'packages/one',
  });
  expect(named.package).toBe('packages/one');
  await expect(request('ask', { ...asked, askId: 'c', question: 'What?', package: '../x' })).rejects.toThrow(
    /inside it/,
  );

  const { adapters } = await request('adapters/list', {});
  expect(adapters.map((adapter) => adapter.package).sort()).toEqual([
    '.',
    'packages/one',
    'packages/three',
    'packages/two',
  ]);
  await expect(request('adapters/rollBack', { folder })).rejects.toThrow(/name one of/);
  const target = join(fixture.path, 'one-exported');
  const { files } = await request('adapters/export', { folder, target, package: 'packages/one' });
  expect(files).toHaveLength(2);
  expect(await request('adapters/import', { folder, source: target, package: 'packages/one' })).toEqual({ version: 2 });
  expect(await request('adapters/rollBack', { folder, package: 'packages/one' })).toEqual({ version: 1 });
});
