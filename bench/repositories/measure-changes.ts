// Absorbs a folder, then changes and refreshes it again and again, and measures what became of the facts.

import { join } from 'node:path';
import { embeddedModelFolder, workerFile } from '../../native-host/locations.ts';
import { openBaseModel } from '../../native-host/model/open-model.ts';
import { openServices } from '../../native-host/open-services.ts';
import { openOnnxDevice } from '../../native-host/runtime/onnx/onnx-device.ts';
import { type Change, factsOfChange, factsOfFolder, knownShare } from './changes.ts';
import type { ChangeRun, MeasuredChange } from './page.ts';

/**
 * `folder` is changed in place; `store` holds its adapter. Errors: Error where the minutes are too few to go through the
 * folder once.
 */
export async function measureChanges(
  name: string,
  folder: string,
  store: string,
  minutes: number,
  changes: readonly Change[],
): Promise<ChangeRun> {
  const services = await openServices({ storeRoot: store, device: 'cpu' });
  const model = await openBaseModel(embeddedModelFolder(), { folder: join(store, 'float32'), form: 'F32' });
  const device = openOnnxDevice('cpu', workerFile);
  // A refresh takes at most two of the minutes.
  const absorb = () =>
    services.absorb(
      folder,
      { minutes },
      {
        signal: new AbortController().signal,
        whileRunning: () => Promise.resolve(),
        onProgress: () => undefined,
      },
    );
  const adapter = services.store.adapter(folder, model.key);
  try {
    const first = await absorb();
    if ((await adapter.loadVersion())?.version.note.whole !== true)
      throw new Error(
        `${first.steps} steps in ${minutes} minutes did not go through ${name} once: give more with --change-minutes`,
      );
    const measured: MeasuredChange[] = [];
    for (const change of changes) {
      const before = await factsOfFolder(model, folder);
      const versionBefore = (await adapter.loadVersion())!;
      await change.apply(folder);
      const { fresh, gone, kept } = factsOfChange(before, await factsOfFolder(model, folder));
      const started = performance.now();
      const { steps, trainedTokens, end } = await absorb();
      const seconds = (performance.now() - started) / 1000;
      const versionAfter = (await adapter.loadVersion())!;
      measured.push({
        name: change.name,
        steps,
        trainedTokens,
        seconds,
        end,
        fresh: await knownShare(device, model, versionAfter, fresh),
        gone: await knownShare(device, model, versionAfter, gone),
        keptBefore: await knownShare(device, model, versionBefore, kept),
        keptAfter: await knownShare(device, model, versionAfter, kept),
      });
      console.log(JSON.stringify(measured.at(-1)));
    }
    const { steps, seconds } = first;
    return { name, minutes, steps, seconds, changes: measured };
  } finally {
    await services.close();
    await device.close();
  }
}
