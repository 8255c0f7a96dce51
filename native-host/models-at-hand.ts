/** The base models that can be used without a download. */
import { basename } from 'node:path';
import type { ModelEntry } from '../protocol/host.ts';
import { HubCache, nameOfCached } from './hub/hub-cache.ts';
import { hubSettings } from './hub/hub-settings.ts';
import { embeddedModelFolder } from './locations.ts';
import { openGguf } from './model/gguf/gguf-model.ts';
import { ModelError } from './model/model-error.ts';
import { type ModelFolder, openModelFolder } from './model/model-folder.ts';

export function modelEntry({ folder, config, parameters }: Omit<ModelFolder, 'tensors' | 'key'>): ModelEntry {
  const { modelType: architecture, maxPositionEmbeddings: window } = config;
  return { name: nameOfCached(folder) ?? basename(folder), folder, architecture, parameters, window };
}

/** The embedded one first, then the one in use, then what Hugging Face's cache holds of families that can be run. */
export async function modelsAtHand(inUse: ModelEntry, environment: NodeJS.ProcessEnv): Promise<ModelEntry[]> {
  const embedded = modelEntry(await openModelFolder(embeddedModelFolder()));
  const entries = inUse.folder === embedded.folder ? [embedded] : [embedded, inUse];
  for (const { folder } of await new HubCache(hubSettings(environment).cacheFolder).list()) {
    if (entries.some((entry) => entry.folder === folder)) continue;
    try {
      const isFile = folder.toLowerCase().endsWith('.gguf');
      entries.push(modelEntry(isFile ? { ...(await openGguf(folder)), folder } : await openModelFolder(folder)));
    } catch (error) {
      // Other programs' models are there, too.
      if (!(error instanceof ModelError)) throw error;
    }
  }
  return entries;
}
