/** A model by its name on a hub: on this machine already, or what downloading it would mean. */
import { HubCache } from './hub-cache.ts';
import { offline } from './hub-error.ts';
import { type DownloadPlan, planDownload } from './hub-plan.ts';
import type { HubSettings } from './hub-settings.ts';

export interface FoundModel {
  commit: string;
  /** Where the model lies; null where it is to be downloaded. */
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
): Promise<FoundModel> {
  const cache = new HubCache(settings.cacheFolder);
  if (settings.isOffline) {
    const cached = await cache.find(id, revision);
    if (cached === null) throw offline(id);
    return { ...cached, plan: null };
  }
  const plan = await planDownload(settings, id, revision, fetch);
  const cached = await cache.find(id, plan.commit);
  return { commit: plan.commit, folder: cached?.folder ?? null, plan };
}
