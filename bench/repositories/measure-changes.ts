// Absorbs a folder, then changes and refreshes it again and again, as the extension does after edits, and at last absorbs it
// anew; measures what became of the facts.

import { join } from 'node:path';
import type { Fact } from '../../native-host/corpus/questions/fact.ts';
import { embeddedModelFolder, workerFile } from '../../native-host/locations.ts';
import { openBaseModel } from '../../native-host/model/open-model.ts';
import { openServices } from '../../native-host/open-services.ts';
import { openOnnxDevice } from '../../native-host/runtime/onnx/onnx-device.ts';
import type { LoadedVersion } from '../../native-host/store/version-file.ts';
import { type Change, type FactsOfFolder, factsOfChange, factsOfFolder, knownShare } from './changes.ts';
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
  const absorb = (editsOnly: boolean) =>
    services.absorb(
      folder,
      { minutes, editsOnly },
      {
        signal: new AbortController().signal,
        whileRunning: () => Promise.resolve(),
        onProgress: () => undefined,
      },
    );
  const adapter = services.store.adapter(folder, model.key);
  const measure = async (name: string, before: FactsOfFolder, editsOnly: boolean): Promise<MeasuredChange> => {
    const versionBefore = (await adapter.loadVersion())!;
    const { fresh, gone, kept } = factsOfChange(before, await factsOfFolder(model, folder));
    const started = performance.now();
    const { steps, trainedTokens, end } = await absorb(editsOnly);
    const seconds = (performance.now() - started) / 1000;
    const versionAfter = (await adapter.loadVersion())!;
    const share = (version: LoadedVersion, facts: readonly Fact[]) => knownShare(device, model, version, facts);
    const measured = {
      name,
      steps,
      trainedTokens,
      seconds,
      end,
      fresh: await share(versionAfter, fresh),
      goneBefore: await share(versionBefore, gone),
      gone: await share(versionAfter, gone),
      keptBefore: await share(versionBefore, kept),
      keptAfter: await share(versionAfter, kept),
    };
    console.log(JSON.stringify(measured));
    return measured;
  };
  try {
    const first = await absorb(false);
    if ((await adapter.loadVersion())?.version.note.whole !== true)
      throw new Error(
        `${first.steps} steps in ${minutes} minutes did not go through ${name} once: give more with --change-minutes`,
      );
    const atFirst = await factsOfFolder(model, folder);
    const measured: MeasuredChange[] = [];
    for (const change of changes) {
      const before = await factsOfFolder(model, folder);
      await change.apply(folder);
      measured.push(await measure(change.name, before, true));
    }
    const anew = await measure('everything anew', atFirst, false);
    const { steps, seconds } = first;
    return { name, minutes, steps, seconds, changes: measured, anew };
  } finally {
    await services.close();
    await device.close();
  }
}
