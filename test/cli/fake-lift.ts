// Runs the command line in this process with services that record what they are asked, and keeps what it prints.
import { PassThrough } from 'node:stream';
import type { CliContext, Output } from '../../native-host/cli/context.ts';
import { runCli } from '../../native-host/cli/program.ts';
import type { ProbeResult, ServiceOptions, Services } from '../../native-host/services.ts';
import { openStore } from '../../native-host/store/adapter-store.ts';
import type { AbsorbResult, AskResult, StatusResult } from '../../protocol/host.ts';
import { evalResult } from './eval/eval-result-fixture.ts';

export interface Call {
  name: string;
  parameters: unknown[];
}

export interface LiftRun {
  status: number;
  stdout: string;
  stderr: string;
  calls: Call[];
  opened: ServiceOptions[];
  closed: number;
}

export interface FakeLiftOptions {
  workingFolder: string;
  services?: Partial<Services>;
  terminal?: boolean;
  environment?: NodeJS.ProcessEnv;
  /** Given, so that a test can interrupt. */
  interrupt?: AbortController;
  bench?: CliContext['bench'];
}

export const devicePlans = [
  { device: 'cpu' as const, fits: true, plan: '0.6 GB of 8.0 GB.' },
  { device: 'cuda' as const, fits: false, plan: 'no NVIDIA card was found.' },
];

export const outcome: AbsorbResult = {
  documents: 3,
  tokens: 4200,
  steps: 12,
  trainedTokens: 9000,
  seconds: 75.2,
  version: 2,
  skipped: [{ path: '.env', reason: 'secret: name' }],
  end: 'saturated',
  absorbed: 0.8123,
  dirty: 0,
};

export const answer: AskResult = {
  answer: 'It is in lib/parse.ts.',
  citations: [
    { path: 'lib/parse.ts', startLine: 3, endLine: 9 },
    { path: 'lib/a.ts', startLine: 12, endLine: 12 },
  ],
  unknownPaths: ['lib/none.ts'],
  unknownSymbols: [],
  shown: [],
  firstTokenMs: 120,
  tokensPerSecond: 35,
  version: 2,
};

export const status: StatusResult = {
  documents: 3,
  tokens: 4200,
  absorbed: 0.5,
  dirty: 2,
  skipped: [],
  version: 2,
  device: 'cpu',
  model: 'lift-base',
  absorbedAt: '2026-11-22T07:00:00.000Z',
  absorbedCommit: '3f9c2b7e6a1d4c5b8e0f9a7d6c3b2a1f0e9d8c7b',
  adapterBytes: 12_300_000,
  memoryBytes: 400_000_000,
};

export const probeResult: ProbeResult = {
  nextTokenAccuracy: 0.81,
  baseNextTokenAccuracy: 0.34,
  exactMatch: 0.6,
  baseExactMatch: 0.02,
  trainedExactMatch: 0.9,
  baseTrainedExactMatch: 0.03,
  tokenF1: 0.7,
  baseTokenF1: 0.1,
  probes: 120,
  byStratum: { identifiers: { probes: 60, exactMatch: 0.7, baseExactMatch: 0.01, trainedExactMatch: 0.95 } },
  adapterOf: '/repo',
};

export async function runLift(parameters: readonly string[], options: FakeLiftOptions): Promise<LiftRun> {
  const controller = options.interrupt ?? new AbortController();
  const stdout = keptOutput(options.terminal ?? false);
  const stderr = keptOutput(options.terminal ?? false);
  const run: Omit<LiftRun, 'status' | 'stdout' | 'stderr'> = { calls: [], opened: [], closed: 0 };
  const code = await runCli(parameters, {
    stdout,
    stderr,
    environment: options.environment ?? {},
    workingFolder: options.workingFolder,
    version: '9.9.9',
    workerFile: new URL('file:///worker.js'),
    interrupt: {
      signal: controller.signal,
      get exitStatus() {
        return controller.signal.aborted ? 130 : null;
      },
    },
    openServices: async (serviceOptions) => {
      run.opened.push(serviceOptions);
      return fakeServices(serviceOptions, run, options.services ?? {});
    },
    bench: options.bench ?? (async () => []),
  });
  return { ...run, status: code, stdout: stdout.text(), stderr: stderr.text() };
}

/** The object of the last line, as a script reads it. */
export function lastObject(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>;
}

function fakeServices(
  { storeRoot }: ServiceOptions,
  run: { calls: Call[]; closed: number },
  overrides: Partial<Services>,
): Services {
  const services: Services = {
    device: 'cpu',
    model: {
      name: 'lift-base',
      folder: '/models/lift-base',
      architecture: 'llama',
      parameters: 4_000_000,
      window: 1024,
    },
    store: openStore(storeRoot),
    configure: () => {},
    estimate: async () => ({ documents: 3, tokens: 4200, skipped: 0, seconds: 60, bytes: 1_000_000 }),
    absorb: async () => outcome,
    ask: async (_params, onText) => {
      onText('It is in ');
      onText('lib/parse.ts.');
      return answer;
    },
    status: async () => status,
    coverage: async () => [],
    probe: async () => probeResult,
    evaluate: async () => evalResult,
    compare: async () => ({ score: probeResult, shown: [] }),
    checkModel: async () => ({
      architecture: 'llama',
      parameters: 4_000_000,
      nll: 2.5,
      greedyIds: [1, 2, 3],
      plans: devicePlans,
    }),
    models: async () => [services.model],
    adapters: async () => [],
    exportAdapter: async () => ['adapter_config.json', 'adapter_model.safetensors'],
    importAdapter: async () => 3,
    rollBack: async () => 1,
    filesChanged: async () => 0,
    close: async () => {
      run.closed += 1;
    },
    ...overrides,
  };
  const recording = new Proxy(services, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...parameters: unknown[]) => {
        run.calls.push({ name: String(name), parameters });
        return Reflect.apply(value, target, parameters);
      };
    },
  });
  return recording;
}

function keptOutput(terminal: boolean): Output & { text(): string } {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return Object.assign(stream, {
    ...(terminal ? { isTTY: true, columns: 100 } : {}),
    text: () => {
      for (let rest = stream.read(); rest !== null; rest = stream.read()) chunks.push(rest as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    },
  });
}
