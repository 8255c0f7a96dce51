// A native host with simple handlers, bundled and run as a child process by the tests: on its standard streams, or for one
// connection after another on a socket when a path is given.
import '../../native-host/rpc-stdout.ts';

import { once } from 'node:events';
import { createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { type HostHandlers, serve } from '../../native-host/rpc-server.ts';
import { rpcOutput } from '../../native-host/rpc-stdout.ts';
import { PROTOCOL_VERSION } from '../../protocol/host.ts';

const model = { name: 'none', folder: '/none', architecture: 'llama', parameters: 0, window: 0 };
const counts = { documents: 1, tokens: 2, steps: 3, trainedTokens: 4, seconds: 5, version: 6, skipped: [] };
const absorbed = { ...counts, end: 'saturated' as const, absorbed: 0.5, dirty: 0 };

function testHandlers(): HostHandlers {
  const until = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      const stop = () => {
        process.stderr.write('aborted\n');
        reject(signal.reason);
      };
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop);
    });
  return {
    async initialize() {
      return { protocolVersion: PROTOCOL_VERSION, hostVersion: 'test', device: 'cpu', model };
    },
    async 'absorb/start'({ folder }, { signal, notify }) {
      const progress = { folder, phase: 'train', documents: 1, tokens: 2, step: 0, steps: 3, loss: null };
      notify('absorb/progress', {
        ...progress,
        tokensPerSecond: null,
        absorbed: 0,
        secondsLeft: null,
        documentsSeen: 0,
      });
      return folder === '/forever' ? until(signal) : absorbed;
    },
    'folder/configure': async () => null,
    'absorb/estimate': async () => ({ documents: 0, tokens: 0, skipped: 0, seconds: 0, bytes: 0 }),
    'absorb/pause': async () => null,
    'absorb/resume': async () => null,
    'absorb/cancel': async () => null,
    'files/changed': async ({ changes }) => ({ dirty: changes.length }),
    async ask({ askId, question, maxTokens }, { signal, notify }) {
      if (question === 'forever') return until(signal);
      if (question === 'crash') throw new Error('the model is gone: run `lift models check`');
      if (question === 'print') {
        console.log('printed by the console');
        process.stdout.write('printed by a stream\n');
        await once(new Worker('console.log("printed by a worker")', { eval: true }), 'exit');
      }
      for (let index = 0; index < (question === 'flood' ? maxTokens : 3); index++)
        notify('ask/token', { askId, text: 'é' });
      const timing = { firstTokenMs: 1, tokensPerSecond: 2, version: null };
      return { answer: question, citations: [], unknownPaths: [], unknownSymbols: [], shown: [], ...timing };
    },
    async status() {
      const nothing = { documents: 0, tokens: 0, absorbed: 0, dirty: 0, skipped: [], version: null };
      const adapter = { absorbedAt: null, absorbedCommit: null, adapterBytes: 0, memoryBytes: 1 };
      return { ...nothing, ...adapter, device: 'cpu', model: 'none' };
    },
    coverage: async () => ({ documents: [] }),
    'eval/run': async () => ({ html: '', made: '' }),
    'eval/last': async () => ({ evaluation: null }),
    'adapters/list': async () => ({ adapters: [] }),
    'adapters/delete': async () => ({ removed: [], freedBytes: 0 }),
    'adapters/prune': async () => ({ removed: [], freedBytes: 0 }),
    'adapters/export': async () => ({ files: [] }),
    'adapters/import': async () => ({ version: 1 }),
    'adapters/rollBack': async () => ({ version: 1 }),
    'models/list': async () => ({ models: [model], suggested: [] }),
    'models/find': async ({ id }) => ({ id, endpoint: '', license: null, bytes: 0, folder: '/' }),
    'models/get': async () => ({ folder: '/' }),
    async close() {
      process.stderr.write('closed\n');
      if (process.env.TEST_HOST_CLOSE === 'hang') await new Promise(() => {});
    },
  };
}

const socketPath = process.argv[2];
if (socketPath) {
  createServer((socket) => {
    serve(socket, socket, testHandlers(), { log: () => {} }).then(({ exitCode }) => {
      process.stderr.write(`ended ${exitCode}\n`);
    });
  }).listen(socketPath, () => rpcOutput.write('listening\n'));
} else {
  const stop = new AbortController();
  process.on('SIGTERM', () => stop.abort());
  const outcome = await serve(process.stdin, rpcOutput, testHandlers(), {
    stop: stop.signal,
    closeMilliseconds: 300,
  });
  process.stderr.write(`host ends: ${outcome.reason}\n`);
  process.exit(outcome.exitCode);
}
