// Mutated frames against a real host process: each is answered, skipped or ends its connection; the process outlives all.
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { uniformNumbers } from '../../native-host/model/random.ts';
import { PROTOCOL_VERSION } from '../../protocol/host.ts';
import { bundleTestHost, frame, initializeParams, peakMemory, SocketHost } from './host-process.ts';

const cases = Number(process.env.LIFT_FUZZ_CASES ?? 300);
const CONCURRENT = 16;
/** A mutated length can make the host wait for bytes that never come; after this many milliseconds the client leaves. */
const PATIENCE = 200;

let bundle: Awaited<ReturnType<typeof bundleTestHost>>;
let host: SocketHost;

beforeAll(async () => {
  bundle = await bundleTestHost();
  host = await SocketHost.start(bundle.file);
});
afterAll(async () => {
  await host.stop();
  await bundle.remove();
});

it(`survives ${cases} mutated frames`, { timeout: 60_000 + 200 * cases }, async () => {
  const outcomes = { alive: 0, ended: 0, waiting: 0 };
  let next = 0;
  const worker = async () => {
    while (next < cases) {
      const seed = next++;
      const { bytes, framed } = mutatedFrame(seed);
      const outcome = await send(bytes);
      outcomes[outcome]++;
      if (framed) expect(outcome, `case ${seed}: ${bytes.toString('utf8').slice(0, 300)}`).toBe('alive');
      expect(host.child.exitCode, `case ${seed} killed the host: ${host.stderr.slice(-2000)}`).toBeNull();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
  // The host has seen all three: frames that it could read, that it could not, and that were not complete.
  expect(outcomes.alive).toBeGreaterThan(cases / 3);
  expect(outcomes.ended).toBeGreaterThan(0);
  expect(outcomes.alive + outcomes.ended + outcomes.waiting).toBe(cases);
  await expect.poll(() => host.stderr.match(/^ended [01]$/gm)?.length, { timeout: 20_000 }).toBe(cases);
  if (process.platform === 'linux') expect(await peakMemory(host.child.pid!)).toBeLessThan(512 * 1024 * 1024);
});

async function send(bytes: Buffer): Promise<'alive' | 'ended' | 'waiting'> {
  const { socket, next } = host.open();
  const closed = once(socket, 'close');
  socket.write(frame({ jsonrpc: '2.0', id: 'first', method: 'initialize', params: initializeParams }));
  expect(await next()).toMatchObject({ id: 'first', result: { protocolVersion: PROTOCOL_VERSION } });
  socket.write(bytes);
  socket.write(frame({ jsonrpc: '2.0', id: 'alive', method: 'status', params: { folder: '/a' } }));
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<'waiting'>((resolve) => {
    timer = setTimeout(() => resolve('waiting'), PATIENCE);
  });
  const outcome = await Promise.race([answered(next), patience]);
  clearTimeout(timer);
  socket.end();
  socket.resume();
  await closed;
  return outcome;
}

async function answered(next: ReturnType<SocketHost['open']>['next']): Promise<'alive' | 'ended'> {
  for (;;) {
    const reply = await next();
    if (reply === null) return 'ended';
    if (reply.id === 'alive') {
      expect(reply.result).toMatchObject({ device: 'cpu' });
      return 'alive';
    }
  }
}

/** A valid message with one to four mutations of its values (the framing stays right) or of its bytes (it may not). */
function mutatedFrame(seed: number): { bytes: Buffer; framed: boolean } {
  const random = uniformNumbers(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const message = structuredClone(pick(messages)) as Record<string, unknown>;
  const count = 1 + Math.floor(random() * 4);
  if (random() < 0.5) {
    for (let index = 0; index < count; index++) mutateValue(message, pick, random);
    return { bytes: frame(message), framed: true };
  }
  let bytes = frame(message);
  for (let index = 0; index < count; index++) bytes = mutateBytes(bytes, pick, random);
  return { bytes, framed: false };
}

const options = { useAdapter: true, evidence: 3, temperature: 0.5, topP: 0.9, maxTokens: 5, conversation: [] };
const openFiles = [{ path: 'lib/a.ts', text: 'const a = 1;\n', from: 1, to: 2, selection: { from: 1, to: 1 } }];
const messages = [
  { jsonrpc: '2.0', id: 1, method: 'status', params: { folder: '/a' } },
  {
    jsonrpc: '2.0',
    id: 2,
    method: 'ask',
    params: { folder: '/a', askId: 'q', question: 'why?', openFiles, ...options },
  },
  {
    jsonrpc: '2.0',
    id: 3,
    method: 'files/changed',
    params: { folder: '/a', changes: [{ path: 'b', kind: 'removed' }] },
  },
  { jsonrpc: '2.0', id: 4, method: 'absorb/start', params: { folder: '/forever', epochs: 2, seed: 1 } },
  { jsonrpc: '2.0', id: 5, method: 'initialize', params: initializeParams },
  { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 4 } },
];

const strangeValues: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e308,
  2 ** 53,
  '',
  '\u0000',
  '__proto__',
  '../../etc/passwd',
  'x'.repeat(100_000),
  '\ud800',
  [],
  {},
  [[[[[]]]]],
  { constructor: { prototype: 1 } },
  { toString: 1, valueOf: null },
];

function mutateValue(message: object, pick: <T>(items: readonly T[]) => T, random: () => number): void {
  let target = message as Record<string, unknown>;
  for (;;) {
    const key = pick(Object.keys(target));
    const value = target[key];
    if (typeof value === 'object' && value !== null && Object.keys(value).length > 0 && random() < 0.8) {
      target = value as Record<string, unknown>;
      continue;
    }
    const way = random();
    if (way < 0.7 || Object.keys(target).length < 2) target[key] = structuredClone(pick(strangeValues));
    else if (way < 0.85) delete target[key];
    else target[`${key}x`] = structuredClone(pick(strangeValues));
    return;
  }
}

function mutateBytes(bytes: Buffer, pick: <T>(items: readonly T[]) => T, random: () => number): Buffer {
  const at = Math.floor(random() * bytes.length);
  const until = Math.min(bytes.length, at + 1 + Math.floor(random() * 20));
  const splice = (middle: Buffer) => Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(until)]);
  switch (pick(['flip', 'insert', 'remove', 'repeat', 'truncate', 'number'] as const)) {
    case 'flip': {
      const flipped = Buffer.from(bytes);
      flipped[at] = flipped[at]! ^ (1 << Math.floor(random() * 8));
      return flipped;
    }
    case 'insert':
      return splice(Buffer.from(pick(['\r\n', '\u0000', '{', '"', ':', '\r\n\r\n', 'é', '9'])));
    case 'remove':
      return splice(Buffer.alloc(0));
    case 'repeat':
      return splice(Buffer.concat([bytes.subarray(at, until), bytes.subarray(at, until)]));
    case 'truncate':
      return bytes.subarray(0, at);
    case 'number':
      return Buffer.from(
        bytes.toString('latin1').replace(/\d+/, pick(['-1', '0', '999999999999999', '1e9', '67108865', '300', ''])),
        'latin1',
      );
  }
}
