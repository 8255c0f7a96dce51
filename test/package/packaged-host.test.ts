// The host of the packaged extension, unpacked where no other package is, works on its own: it absorbs and answers.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AbsorbResult, type AskResult, PROTOCOL_VERSION } from '../../protocol/host.ts';
import { sources, writeSmallRepository } from '../host/small-repository.ts';
import { HostProcess } from '../protocol/host-process.ts';
import { makePackages, platforms } from './packaged-extension.ts';
import { unzip } from './zip-file.ts';

const platform = `${process.platform}-${process.arch}`;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'lift-packaged-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));

it.runIf(platforms.some((other) => other === platform))('absorbs a folder and answers', async () => {
  unzip(makePackages([platform], join(root, 'vsix'))[platform]!, root);
  const folder = join(root, 'repository');
  writeSmallRepository(folder);
  const host = new HostProcess(join(root, 'extension', 'dist', 'main.js'));
  const connection = host.connect();
  await connection.sendRequest('initialize', {
    protocolVersion: PROTOCOL_VERSION,
    client: 'test',
    storeRoot: join(root, 'store'),
  });
  const absorbed: AbsorbResult = await connection.sendRequest('absorb/start', { folder, minutes: 0.1 });
  expect(absorbed.documents).toBe(Object.keys(sources).length);
  expect(absorbed.version).toBe(1);
  const answer: AskResult = await connection.sendRequest('ask', {
    folder,
    askId: '1',
    question: 'Where is berthFor defined?',
    openFiles: [],
    useAdapter: true,
    evidence: 0,
    temperature: 0,
    topP: 1,
    maxTokens: 30,
    conversation: [],
  });
  expect(answer.answer).not.toBe('');
  expect(answer.version).toBe(1);
  await connection.sendRequest('shutdown', {});
  host.child.stdin.end();
  expect(await host.exited).toBe(0);
  expect(host.stderr).not.toMatch(/error/i);
});
