// `lift mcp` as another program uses it: dist/cli.js as a child process of a client of the Model Context Protocol.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeSmallRepository } from '../host/small-repository.ts';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

let root: string;
let folder: string;
let store: string;
let client: Client;

beforeAll(async () => {
  if (!existsSync(cli)) throw new Error('dist/cli.js is missing: run `npm run build` first');
  root = mkdtempSync(join(tmpdir(), 'lift-mcp-'));
  folder = join(root, 'repository');
  store = join(root, 'store');
  writeSmallRepository(folder);
  client = new Client({ name: 'test', version: '1.0.0' });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [cli, 'mcp', folder, '--store', store],
  });
  await client.connect(transport);
});
afterAll(async () => {
  await client.close();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

async function call(name: string, parameters: Record<string, unknown> = {}) {
  const { content, isError = false } = await client.callTool({ name, arguments: parameters });
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  return { text, isError };
}

it('offers two tools, which change nothing', async () => {
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(['ask_codebase', 'codebase_status']);
  for (const { annotations } of tools) expect(annotations).toMatchObject({ readOnlyHint: true });
  expect(tools[0]!.inputSchema).toMatchObject({ required: ['question'] });
});

it('says that nothing was absorbed, and refuses a question that is none', async () => {
  expect(await call('ask_codebase', { question: 'Where is berthsLeft defined?' })).toMatchObject({
    isError: true,
    text: expect.stringContaining('lift absorb'),
  });
  expect((await call('codebase_status')).text).toMatch(/^0\.0 % of \d+ files absorbed by lift-base/);
  expect(await call('ask_codebase', { question: '  ' })).toMatchObject({ isError: true });
});

it('answers with what was absorbed meanwhile', async () => {
  execFileSync(process.execPath, [cli, 'absorb', folder, '--store', store, '--epochs', '2'], { stdio: 'pipe' });
  const { text, isError } = await call('ask_codebase', { question: 'What is the value of BERTH_COUNT?' });
  expect(isError).toBe(false);
  expect(text.trim()).not.toBe('');
  expect((await call('codebase_status')).text).toMatch(/^[1-9][\d.]* % .* files changed since: 0$/);
});

it('ends when its client has gone', async () => {
  const server = spawn(process.execPath, [cli, 'mcp', folder, '--store', store], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  server.stdin.end();
  expect(await once(server, 'exit')).toEqual([0, null]);
});
