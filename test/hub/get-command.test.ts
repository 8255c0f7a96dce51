// `lift models get` as a user runs it: dist/cli.js against a hub on this machine, also through a proxy.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { converted, ggufBytes } from '../fixtures/gguf-writer.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';
import { HubServer, modelId } from './hub-server.ts';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const run = promisify(execFile);

let root: string;
let server: HubServer;
let endpoint: string;

beforeAll(async () => {
  if (!existsSync(cli)) throw new Error('dist/cli.js is missing: run `npm run build` first');
  root = mkdtempSync(join(tmpdir(), 'lift-get-'));
  await makeTinyModel(join(root, 'model'));
  const files = readdirSync(join(root, 'model')).map((name) => [name, readFileSync(join(root, 'model', name))]);
  server = new HubServer(Object.fromEntries(files));
  endpoint = await server.open();
});
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true, force: true });
});

async function lift(parameters: string[], environment: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH, HF_ENDPOINT: endpoint, HF_HOME: join(root, 'home'), ...environment };
  const { stdout, stderr } = await run(process.execPath, [cli, ...parameters, '--json'], { env });
  return { result: JSON.parse(stdout.trimEnd().split('\n').at(-1)!), stderr };
}

it('asks nobody where nobody is there to ask, and downloads what it is told to', async () => {
  await expect(lift(['models', 'get', modelId])).rejects.toMatchObject({ stderr: expect.stringContaining('--yes') });
  await expect(lift(['models', 'get', modelId, '--offline'])).rejects.toMatchObject({
    stderr: expect.stringContaining('not on this machine'),
  });
  const { result, stderr } = await lift(['models', 'get', modelId, '--yes']);
  expect(stderr).toContain('licence apache-2.0');
  expect(result).toMatchObject({ id: modelId, license: 'apache-2.0' });
  expect(result.bytes).toBeGreaterThan(1000);
  expect((await lift(['models', 'get', modelId, '--yes'])).result).toMatchObject({ folder: result.folder, bytes: 0 });
  expect((await lift(['models', 'get', modelId], { HF_HUB_OFFLINE: '1' })).result).toMatchObject({ bytes: 0 });
});

it('opens a downloaded model by its name', async () => {
  const { result } = await lift(['models', 'list', '--model', modelId, '--store', join(root, 'store')]);
  expect(result.models.at(-1)).toMatchObject({ architecture: 'llama' });
  await expect(
    lift(['models', 'list', '--model', 'example/other', '--store', join(root, 'store')]),
  ).rejects.toMatchObject({ stderr: expect.stringContaining('lift models get example/other') });
});

it('downloads a GGUF file, says which there are, and opens it by its name', async () => {
  const [half, eighth] = [await converted(join(root, 'model'), 'F16'), await converted(join(root, 'model'), 'Q8_0')];
  const hub = new HubServer({
    'tiny-f16.gguf': ggufBytes(half.metadata, half.tensors),
    'tiny-q8_0.gguf': ggufBytes(eighth.metadata, eighth.tensors),
    'tiny-q2_k.gguf': Buffer.from('of no use'),
  });
  const environment = { HF_ENDPOINT: await hub.open(), HF_HOME: join(root, 'gguf') };
  try {
    const { result, stderr } = await lift(['models', 'get', modelId, '--yes'], environment);
    expect(result.folder).toMatch(/tiny-f16\.gguf$/);
    expect(stderr).toMatch(/tiny-f16\.gguf: the most exact one/);
    expect(stderr).toContain('  tiny-q8_0.gguf, ');
    expect(stderr).toContain('Not tiny-q2_k.gguf: its format Q2_K is not read.');
    const store = ['--store', join(root, 'gguf-store')];
    const { result: opened } = await lift(['models', 'list', '--model', modelId, ...store], environment);
    expect(opened.models.map(({ name }: { name: string }) => name)).toEqual(['lift-base', `${modelId}/tiny-f16.gguf`]);

    await lift(['models', 'get', modelId, '--file', 'tiny-q8_0.gguf', '--yes'], environment);
    await expect(lift(['models', 'list', '--model', modelId, ...store], environment)).rejects.toMatchObject({
      stderr: expect.stringContaining(`Name one: ${modelId}/tiny-f16.gguf, ${modelId}/tiny-q8_0.gguf`),
    });
    await expect(lift(['models', 'get', modelId, '--file', 'tiny-q2_k.gguf'], environment)).rejects.toMatchObject({
      stderr: expect.stringContaining('is not read'),
    });
  } finally {
    await hub.close();
  }
});

it('goes through the proxy that the environment names', async () => {
  const passed: string[] = [];
  const proxy = createServer((incoming, outgoing) => {
    passed.push(incoming.url!);
    const onward = request(incoming.url!, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  // A proxy for plain HTTP is asked to open a tunnel, as one for HTTPS is.
  proxy.on('connect', (incoming, socket) => {
    passed.push(incoming.url!);
    const { hostname, port } = new URL(`http://${incoming.url}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  try {
    const home = join(root, 'proxied');
    const { result } = await lift(['models', 'get', modelId, '--yes'], { HTTP_PROXY: address, HF_HOME: home });
    expect(existsSync(join(result.folder, 'model.safetensors'))).toBe(true);
    expect(passed.length).toBeGreaterThan(0);
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});
