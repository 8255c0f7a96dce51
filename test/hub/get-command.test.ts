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
