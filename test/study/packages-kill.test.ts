import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startChild } from '../store/store-fixture.ts';
import { type BundledChild, bundleChild } from './bundled-child.ts';
import { StudyFixture, smallMonorepo } from './study-fixture.ts';

// Only there to end a hang; a busy machine may take its time.
vi.setConfig({ testTimeout: 600_000 });

/** Absorbs a monorepo into an adapter for each package with a checkpoint after every step; says each step and the end. */
const childSource = `
import { writeSync } from 'node:fs';
import { openBaseModel } from './native-host/model/open-model.ts';
import { openOnnxDevice } from './native-host/runtime/onnx/onnx-device.ts';
import { openStore } from './native-host/store/adapter-store.ts';
import { absorbFolder } from './native-host/study/absorb-folder.ts';
const [workerFile, modelFolder, cacheFolder, storeFolder, folder] = process.argv.slice(2);
const device = openOnnxDevice('cpu', new URL(workerFile), 2);
const model = await openBaseModel(modelFolder, { folder: cacheFolder, form: 'F32' });
const store = openStore(storeFolder);
const adapters = {
  whole: store.adapter(folder, model.key),
  ofPackage: (name) => store.packageAdapter(folder, name, model.key),
};
const control = {
  signal: new AbortController().signal,
  whileRunning: async () => {},
  onProgress: ({ phase, package: turn }) => phase === 'train' && writeSync(1, turn.folder + '\\n'),
  secondsBetweenCheckpoints: 0,
};
await absorbFolder(device, model, folder, adapters, { epochs: 3, packages: 'each' }, control);
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

test('killed in one package after another: those before it are not trained again, and the end is the same', async () => {
  const folder = await fixture.repository('killed', smallMonorepo());
  const other = await fixture.repository('never-killed', smallMonorepo());
  const order = (await fixture.absorbFolder(other, { epochs: 3, packages: 'each' })).packages.map((one) => one.package);
  const args = [workerFile, join(fixture.path, 'model'), join(fixture.path, 'cache'), fixture.store.root, folder];
  for (const [index, name] of order.entries()) {
    const { child, lines, ended } = startChild(program.file, args);
    // Two steps into the package, or in the last, to the end.
    const isLast = index === order.length - 1;
    const isReached = () => (isLast ? lines.includes('absorbed') : lines.filter((line) => line === name).length >= 2);
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    while (!isReached() && !isOver) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await ended;
    expect(isReached()).toBe(true);
    // What was done before is not gone through again; the one that was killed is gone on with.
    expect(lines.filter((line) => order.indexOf(line) >= 0 && order.indexOf(line) < index - 1)).toEqual([]);
    for (const one of order) expect(await fixture.adapters(folder).ofPackage(one).verify()).toEqual([]);
  }
  expect(await fixture.absorbFolder(folder)).toMatchObject({ end: 'unchanged', steps: 0, dirty: 0 });
  for (const name of order) {
    const [one, same] = await Promise.all(
      [folder, other].map(async (path) => (await fixture.adapters(path).ofPackage(name).loadVersion())!.vector),
    );
    // Two vectors that differ would take minutes to print.
    expect(
      one!.findIndex((value, i) => value !== same![i]),
      name,
    ).toBe(-1);
  }
});
