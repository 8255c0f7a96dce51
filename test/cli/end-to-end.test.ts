// The command as a user runs it: dist/cli.js as a child process, with the embedded model, on a small repository.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeConverted } from '../fixtures/gguf-writer.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';
import { lastObject } from './fake-lift.ts';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
let root: string;

beforeAll(() => {
  if (!existsSync(cli)) throw new Error('dist/cli.js is missing: run `npm run build` first');
  root = mkdtempSync(join(tmpdir(), 'lift-end-to-end-'));
  writeRepository(join(root, 'repo'), ['circle', 'square', 'triangle', 'hexagon']);
  writeRepository(
    join(root, 'long'),
    Array.from({ length: 10 }, (_, i) => `shape${i}`),
  );
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

class RunningLift {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stderr = '';
  private stdout = '';

  constructor(parameters: readonly string[]) {
    this.child = spawn(process.execPath, [cli, ...parameters], {
      cwd: root,
      env: { ...process.env, LIFT_STORE: join(root, 'store') },
    });
    this.child.stdin.end();
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, 'close').then(([status, signal]) => ({
      status: status as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** Resolves when standard error matches; fails when the process ends before. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stderr)) {
      const event = await Promise.race([once(this.child.stderr, 'data'), this.ended]);
      if (!Array.isArray(event))
        throw new Error(`ended with ${event.status} before it said ${pattern}: ${event.stderr}`);
    }
  }
}

function lift(...parameters: string[]): Promise<Ended> {
  return new RunningLift(parameters).ended;
}

async function json(...parameters: string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await lift(...parameters, '--json');
  expect(stderr).not.toMatch(/^lift:/m);
  expect(status).toBe(0);
  return lastObject(stdout);
}

describe('lift', () => {
  it('says that nothing is absorbed yet', async () => {
    expect(await json('status', 'repo')).toMatchObject({
      absorbed: 0,
      version: null,
      device: 'cpu',
      skipped: [{ path: '.env' }],
    });
  });

  it('absorbs, and then there is nothing left to do', async () => {
    const absorbed = await json('absorb', 'repo', '--epochs', '2', '--seed', '3');
    expect(absorbed).toMatchObject({ documents: 5, version: 1, end: 'budget', skipped: [{ path: '.env' }] });
    for (const field of ['tokens', 'steps', 'trainedTokens', 'seconds']) expect(absorbed[field]).toBeGreaterThan(0);
    expect(await json('absorb', 'repo')).toMatchObject({ steps: 0, version: 1, end: 'unchanged' });
    const status = await json('status', 'repo');
    expect(status).toMatchObject({ documents: 5, dirty: 0, version: 1, model: 'lift-base', tokens: absorbed.tokens });
    expect(status.absorbed).toBeGreaterThan(0);
    expect(status.absorbed).toBeLessThanOrEqual(1);
  });

  it('shows a changed file as dirty', async () => {
    const file = join(root, 'repo/src/circle.ts');
    const before = shapeSource('circle', 0);
    writeFileSync(file, before.replace('const circleSides = 3', 'const circleSides = 77'));
    expect(await json('status', 'repo')).toMatchObject({ dirty: 1, version: 1 });
    writeFileSync(file, before);
    expect(await json('status', 'repo')).toMatchObject({ dirty: 0 });
  });

  it('answers', async () => {
    const question = 'Where is circleArea defined?';
    const answer = await json('ask', 'repo', question, '--max-tokens', '24', '--open', 'src/circle.ts:1-3');
    expect(typeof answer.answer).toBe('string');
    expect(Array.isArray(answer.citations)).toBe(true);
    expect(answer.firstTokenMs).toBeGreaterThan(0);
    expect(answer.tokensPerSecond).toBeGreaterThan(0);
    const base = await lift('ask', 'repo', question, '--max-tokens', '8', '--no-adapter', '--evidence', '0');
    expect(base.status).toBe(0);
    expect(base.stdout.trim()).not.toBe('');
  });

  it('probes, and prints a table for people', async () => {
    const probe = await json('probe', 'repo', '--probes', '12');
    for (const field of ['nextTokenAccuracy', 'baseNextTokenAccuracy', 'exactMatch', 'baseExactMatch', 'tokenF1']) {
      expect(probe[field]).toBeGreaterThanOrEqual(0);
      expect(probe[field]).toBeLessThanOrEqual(1);
    }
    expect(probe.probes).toBeGreaterThan(0);
    expect(Object.keys(probe.byStratum as object).length).toBeGreaterThan(0);
    expect(probe.nextTokenAccuracy).toBeGreaterThan(probe.baseNextTokenAccuracy as number);
  });

  it('lists and exports adapters', async () => {
    const { adapters } = await json('adapters', 'list');
    expect(adapters).toMatchObject([{ version: 1, versions: [1] }]);
    const { files } = (await json('adapters', 'export', 'repo', 'exported')) as { files: string[] };
    expect(files.length).toBeGreaterThanOrEqual(2);
    for (const file of files) expect(existsSync(join(root, 'exported', basename(file)))).toBe(true);
  });

  it('checks the embedded model', async () => {
    const { models } = (await json('models', 'list')) as { models: { folder: string }[] };
    const check = await json('models', 'check', models[0]!.folder);
    expect(check.nll).toBeGreaterThan(0);
    expect(check.greedyIds).toHaveLength(32);
  });

  it('takes a GGUF file as it takes the folder of that model', async () => {
    await makeTinyModel(join(root, 'tiny'), { dtype: 'F16' });
    await writeConverted(join(root, 'tiny'), 'F16', join(root, 'tiny.gguf'));
    const [ofFolder, ofFile] = [await json('models', 'check', 'tiny'), await json('models', 'check', 'tiny.gguf')];
    expect(ofFile.nll).toBeCloseTo(ofFolder.nll as number, 5);
    expect(ofFile.greedyIds).toEqual(ofFolder.greedyIds);
    const status = await json('status', 'repo', '--model', 'tiny.gguf');
    expect(status).toMatchObject({ model: 'tiny.gguf', absorbed: 0 });
  });

  it('keeps what was absorbed when interrupted, and goes on from there', async () => {
    const running = new RunningLift(['absorb', 'long', '--epochs', '500', '--json']);
    await running.says(/epoch 2/);
    running.child.kill('SIGINT');
    const ended = await running.ended;
    expect(ended.status).toBe(130);
    expect(ended.stderr).toMatch(/What was absorbed is kept/);
    const stopped = lastObject(ended.stdout);
    expect(stopped).toMatchObject({ end: 'cancelled', version: 1 });
    expect(stopped.steps).toBeGreaterThan(0);
    expect(await json('status', 'long')).toMatchObject({ version: 1 });
    expect(await json('absorb', 'long', '--epochs', '3')).toMatchObject({ end: 'budget', version: 2 });
  });

  it('ends at once at the second interrupt, and the store still loads', async () => {
    const running = new RunningLift(['absorb', 'long', '--epochs', '500', '--seed', '9', '--adapter-kind', 'lora']);
    await running.says(/epoch 1/);
    running.child.kill('SIGINT');
    await running.says(/Stopping/);
    running.child.kill('SIGINT');
    const { status, signal } = await running.ended;
    // At the first one if it was faster than the second.
    expect(signal === 'SIGINT' || status === 130).toBe(true);
    expect((await lift('status', 'long')).status).toBe(0);
  });

  it('ends quietly when nobody reads its output', async () => {
    const running = new RunningLift(['ask', 'repo', 'What is a circle?', '--max-tokens', '64']);
    running.child.stdout.destroy();
    const { status, stderr } = await running.ended;
    expect(status).toBe(0);
    expect(stderr).not.toMatch(/EPIPE|at .*:\d+/);
  });

  it('fails with a message and a status', async () => {
    const missing = await lift('probe', 'never');
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/^lift: There is no folder/);
    mkdirSync(join(root, 'model'));
    const model = await lift('models', 'check', 'model');
    expect(model.status).toBe(1);
    expect(model.stderr).toMatch(/^lift: .*config\.json/s);
  });
});

function writeRepository(folder: string, names: readonly string[]): void {
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  write(
    'README.md',
    `# Shapes\n\nAreas of simple shapes: ${names.join(', ')}.\n\n## Use\n\nCall the area function of a shape.\n`,
  );
  write('.env', 'KEY=value\n');
  for (const [index, name] of names.entries()) write(`src/${name}.ts`, shapeSource(name, index));
}

function shapeSource(name: string, index: number): string {
  return `/** What is known of a ${name}. */
export const ${name}Sides = ${index + 3};

/** The area of a ${name} whose edges have the given length. */
export function ${name}Area(length: number): number {
  const factor = ${(index + 1) * 1.25};
  return factor * length * length;
}

/** Tells a ${name} in words. */
export function ${name}Text(length: number): string {
  return \`a ${name} of area \${${name}Area(length)} with \${${name}Sides} sides\`;
}
`;
}
