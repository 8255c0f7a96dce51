// Whether the share that a stopped absorption told is what measuring tells: of its version, all documents that it visited
// are measured whole; others count nothing.

import { workerFile } from '../native-host/locations.ts';
import { adapterLayout } from '../native-host/model/adapter-init.ts';
import { openBaseModel } from '../native-host/model/open-model.ts';
import { openOnnxDevice } from '../native-host/runtime/onnx/onnx-device.ts';
import type { AdapterFolder } from '../native-host/store/adapter-folder.ts';
import { readLedger } from '../native-host/study/ledger.ts';
import { openMeasurable } from '../native-host/study/probe.ts';
import { readRepository } from '../native-host/study/repository.ts';
import { measureItems, recallItems } from '../native-host/train/measure.ts';
import { recipeFor } from '../native-host/train/recipe.ts';

export interface StoppedShare {
  /** What it told when it was stopped. */
  told: number;
  measured: number;
  documents: number;
  visited: number;
}

export async function measureStopped(
  modelFolder: string,
  cacheFolder: string,
  folder: string,
  adapter: AdapterFolder,
  version: number,
): Promise<StoppedShare> {
  const model = await openBaseModel(modelFolder, cacheFolder);
  const device = openOnnxDevice('cpu', workerFile);
  try {
    const loaded = (await adapter.loadVersion(version))!;
    const ledger = (await readLedger(adapter.path, loaded.version.note.ledger))!;
    const { documents, tokens, tokenCount } = await readRepository(folder, model.tokenizer, null);
    const recipe = recipeFor(model.parameters, model.config.maxPositionEmbeddings, loaded.layout.kind);
    if (adapterLayout(model.config, recipe.adapter).length !== loaded.layout.length) throw new Error('another layout');
    const measurable = await openMeasurable(device, model, loaded, recipe);
    const visited = documents.filter(({ path }) => (ledger.documents.get(path)?.counted ?? 0) > 0);
    let known = 0;
    for (const { path } of visited) {
      const items = recallItems(model, path, tokens.get(path)!, recipe.segmentLength);
      const count = (await measureItems(measurable, items, recipe.full.shape)).get(path);
      if (count !== undefined) known += (tokens.get(path)!.length * count.correct) / count.counted;
    }
    await measurable.close();
    const told = Number(loaded.version.note.absorbed);
    return { told, measured: known / tokenCount, documents: documents.length, visited: visited.length };
  } finally {
    await device.close();
  }
}
