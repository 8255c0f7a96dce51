/** A model by its name on a hub: on this machine already, or what downloading it would mean. */
import type { GgufWish } from './gguf-offers.ts';
import { HubCache } from './hub-cache.ts';
import { offline } from './hub-error.ts';
import { type DownloadPlan, planDownload } from './hub-plan.ts';
import type { HubSettings } from './hub-settings.ts';

export interface FoundModel {
  commit: string;
  /** Where the model lies, a folder or a GGUF file; null where it is to be downloaded. */
  folder: string | null;
  /** Null where the hub was not asked. */
  plan: DownloadPlan | null;
}

/**
 * Asks the hub which commit a branch or tag means, unless `settings` say that this machine is offline.
 * Errors: HubError; ModelError where this program cannot run the model.
 */
export async function findModel(
  settings: HubSettings,
  id: string,
  revision: string,
  fetch: typeof globalThis.fetch,
  wish: GgufWish = {},
): Promise<FoundModel> {
  const cache = new HubCache(settings.cacheFolder);
  if (settings.isOffline) {
    const cached = await cache.find(id, revision, wish.file);
    if (cached === null) throw offline(id);
    return { ...cached, plan: null };
  }
  const plan = await planDownload(settings, id, revision, fetch, wish);
  const cached = await cache.find(id, plan.commit, plan.gguf?.file ?? null);
  return { commit: plan.commit, folder: cached?.folder ?? null, plan };
}
