import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openStore } from '../../native-host/store/adapter-store.ts';
import { DiskFullError } from '../../native-host/store/store-error.ts';
import { absorb } from '../../native-host/study/absorb.ts';
import { startChild } from '../store/store-fixture.ts';
import { type BundledChild, bundleChild } from './bundled-child.ts';
import { moduleText, StudyFixture, writeTo } from './study-fixture.ts';

// Only there to end a hang; a busy machine may take its time.
vi.setConfig({ testTimeout: 600_000 });

/** Absorbs a folder with a checkpoint after every step, and says each step and the end. */
const childSource = `
import { writeSync } from 'node:fs';
import { openBaseModel } from './native-host/model/open-model.ts';
import { openOnnxDevice } from './native-host/runtime/onnx/onnx-device.ts';
import { openStore } from './native-host/store/adapter-store.ts';
import { absorb } from './native-host/study/absorb.ts';
const [workerFile, modelFolder, cacheFolder, storeFolder, folder, epochs] = process.argv.slice(2);
const device = openOnnxDevice('cpu', new URL(workerFile), 2);
const model = await openBaseModel(modelFolder, { folder: cacheFolder, form: 'F32' });
const adapter = openStore(storeFolder).adapter(folder, model.key);
const control = {
  signal: new AbortController().signal,
  whileRunning: async () => {},
  onProgress: ({ phase, step }) => phase === 'train' && writeSync(1, 'step ' + step + '\\n'),
  secondsBetweenCheckpoints: 0,
};
await absorb(device, model, folder, adapter, { epochs: Number(epochs) }, control);
writeSync(1, 'absorbed\\n');
process.exit(0);
`;

const workerFile = new URL('../../dist/worker.js', import.meta.url).href;
let fixture: StudyFixture;
let program: BundledChild;

beforeAll(async () => {
  fixture = await StudyFixture.open();
  program = await bundleChild(childSource);
});
afterAll(async () => {
  await fixture.close();
  await program.remove();
});

const littleRepository = { 'src/alpha.ts': moduleText('alpha', 1), 'src/bravo.ts': moduleText('bravo', 2) };

test('30 kills at random moments: the adapter loads, and the next absorption goes on from the step before', async () => {
  const storeFolder = join(fixture.path, 'store');
  const freshFolder = (count: number) => fixture.repository(`killed-${count}`, littleRepository);
  let repositories = 1;
  let folder = await freshFolder(repositories);
  let resumed = 0;
  for (let round = 0; round < 30; round++) {
    const adapter = openStore(storeFolder).adapter(folder, fixture.model.key);
    const before = await adapter.loadCheckpoint();
    const args = [workerFile, join(fixture.path, 'model'), join(fixture.path, 'cache'), storeFolder, folder, '12'];
    const { child, lines, ended } = startChild(program.file, args);
    let over = false;
    void ended.then(() => {
      over = true;
    });
    // In the child's own pace, so that a busy machine changes nothing: some steps, and then a part of the next.
    const wanted = Math.floor(Math.random() * 8);
    while (lines.length < wanted && !over) await pause(1);
    await pause(Math.random() * (wanted === 0 ? 400 : 40));
    child.kill('SIGKILL');
    await ended;

    const steps = lines.filter((line) => line.startsWith('step ')).map((line) => Number(line.slice(5)));
    if (steps.length > 0) {
      expect(steps[0]).toBe((before?.step ?? 0) + 1);
      if (before !== null) resumed += 1;
    }
    expect(await adapter.verify()).toEqual([]);
    const version = await adapter.loadVersion();
    const checkpoint = await adapter.loadCheckpoint();
    expect([...(version?.warnings ?? []), ...(checkpoint?.warnings ?? [])]).toEqual([]);
    const lastStep = steps.at(-1) ?? before?.step ?? 0;
    if (lines.includes('absorbed') || version !== null) {
      expect(version!.version.note.complete).toBe(true);
      repositories += 1;
      folder = await freshFolder(repositories);
    } else if (lastStep > 1) expect(checkpoint!.step).toBeGreaterThanOrEqual(lastStep - 1);
  }
  expect(resumed).toBeGreaterThan(0);

  const { end } = await fixture.absorb(folder, { epochs: 12 });
  expect(end).toBe('budget');
  expect(await fixture.absorb(folder, { epochs: 12 })).toMatchObject({ end: 'unchanged', steps: 0 });
});

test('a disk that fills up: an error that says so, and everything saved before stays', async ({ skip }) => {
  const disk = join(fixture.path, 'small-disk');
  await mkdir(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk], { stdio: 'pipe' });
  } catch {
    skip('mounting a small disk takes rights that this user lacks');
  }
  try {
    const folder = await fixture.repository('disk-full', littleRepository);
    const adapter = openStore(disk).adapter(folder, fixture.model.key);
    const control = {
      signal: new AbortController().signal,
      whileRunning: async () => {},
      onProgress: () => {},
      secondsBetweenCheckpoints: 0,
    };
    let saved = 0;
    let failure: unknown;
    // Without consolidation an absorption saves one version.
    const request = { epochs: 1, method: [] };
    for (let value = 3; failure === undefined && value < 15; value++) {
      await writeTo(join(folder, 'src/alpha.ts'), moduleText('alpha', value));
      const absorbed = await absorb(fixture.device, fixture.model, folder, adapter, request, control).catch(
        (error: unknown) => {
          failure = error;
          return null;
        },
      );
      saved = absorbed?.version ?? saved;
    }
    expect(failure).toBeInstanceOf(DiskFullError);
    expect(saved).toBeGreaterThan(0);
    expect(await adapter.verify()).toEqual([]);
    expect((await adapter.loadVersion())!.version.version).toBe(saved);

    await adapter.removeCheckpoints();
    await adapter.removeVersions((await adapter.versions()).map(({ version }) => version));
    const after = await absorb(fixture.device, fixture.model, folder, adapter, request, control);
    expect(after.version).toBeGreaterThan(saved);
  } finally {
    execFileSync('umount', [disk], { stdio: 'pipe' });
  }
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
