import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openStore } from '../../native-host/store/adapter-store.ts';
import {
  baseModelKey,
  bundleForChild,
  folderNamed,
  smallLayout,
  startChild,
  temporaryFolder,
  vectorOf,
} from './store-fixture.ts';

// Only there to end a hang; a busy machine may take its time.
vi.setConfig({ testTimeout: 600_000 });

/** Saves versions and checkpoints for ever, and says before and after each which one. */
const childSource = `
import { writeSync } from 'node:fs';
import { openStore } from './adapter-store.ts';
const [root, folder, baseModelKey, layoutJson] = process.argv.slice(2) as [string, string, string, string];
const layout = JSON.parse(layoutJson);
const vectorOf = (seed: number) => Float32Array.from({ length: layout.length }, (_, i) => Math.fround(Math.sin(seed * 7919 + i)));
const adapter = openStore(root, { keepVersions: 3 }).adapter(folder, baseModelKey);
const say = (text: string) => writeSync(1, text + '\\n');
await adapter.lock();
for (let seed = ((await adapter.manifest())?.lastVersion ?? 0) + 1; ; seed++) {
  say('saving ' + seed);
  await adapter.saveVersion(layout, vectorOf(seed), { seed });
  say('saved ' + seed);
  const [vector, m, v] = [vectorOf(seed), vectorOf(seed + 1), vectorOf(seed + 2)];
  await adapter.saveCheckpoint({ layout, vector, m, v, step: seed, state: { seed } });
  say('checkpoint ' + seed);
}
`;

let temporary: ReturnType<typeof temporaryFolder>;
let bundle: string;

beforeAll(async () => {
  temporary = temporaryFolder();
  bundle = await bundleForChild(temporary.path, 'kill-child', childSource);
});
afterAll(() => temporary.remove());

test('30 kills at random moments: the last version saved is there, or the one that was being saved', async () => {
  const root = join(temporary.path, 'store');
  const repository = folderNamed(temporary.path, 'repository');
  let lastSaved = 0;
  let lastCheckpoint = 0;
  for (let round = 0; round < 30; round++) {
    const { child, lines, ended } = startChild(bundle, [root, repository, baseModelKey, JSON.stringify(smallLayout)]);
    // In the child's own pace, so that a busy machine changes nothing: some steps, and then a part of the next.
    const wanted = 1 + Math.floor(Math.random() * 6);
    const started = performance.now();
    while (lines.length < wanted) await new Promise((resolve) => setTimeout(resolve, 1));
    const pace = wanted === 1 ? 20 : (performance.now() - started) / wanted;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * pace));
    child.kill('SIGKILL');
    await ended;

    const said = (what: string): number =>
      Number(lines.findLast((line) => line.startsWith(`${what} `))?.split(' ')[1] ?? 0);
    lastSaved = Math.max(lastSaved, said('saved'));
    lastCheckpoint = Math.max(lastCheckpoint, said('checkpoint'));

    const adapter = openStore(root).adapter(repository, baseModelKey);
    const loaded = await adapter.loadVersion();
    if (lastSaved > 0 || loaded !== null) {
      const seed = loaded!.version.note.seed as number;
      expect([lastSaved, said('saving')]).toContain(seed);
      expect(loaded!.vector).toEqual(vectorOf(smallLayout, seed));
      expect(loaded!.warnings).toEqual([]);
      // A kill between the save and the word about it.
      lastSaved = seed;
    }
    const checkpoint = await adapter.loadCheckpoint();
    if (lastCheckpoint > 0) expect(checkpoint!.step).toBeGreaterThanOrEqual(lastCheckpoint);
    if (checkpoint !== null) {
      lastCheckpoint = checkpoint.step;
      expect(checkpoint.m).toEqual(vectorOf(smallLayout, checkpoint.step + 1));
      expect(checkpoint.warnings).toEqual([]);
    }
    expect(await adapter.verify()).toEqual([]);
  }
  expect(lastSaved).toBeGreaterThan(0);
  expect(lastCheckpoint).toBeGreaterThan(0);
});
