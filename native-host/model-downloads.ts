/** Base models from a hub, as the protocol speaks of them. */
import type {
  ModelEntry,
  ModelFindResult,
  ModelGetResult,
  ModelProgress,
  SuggestedModelEntry,
} from '../protocol/host.ts';
import { downloadModel } from './hub/download-model.ts';
import { findModel } from './hub/find-model.ts';
import { hubFetch } from './hub/hub-fetch.ts';
import { hubSettings } from './hub/hub-settings.ts';
import { suggestedModels } from './hub/suggested-models.ts';
import { machineMemory, neededMemory } from './runtime/fitting.ts';

/** Of the machine's memory; the rest is for the editor and the system. */
const usableShare = 0.75;
const millisecondsBetweenReports = 250;

/** What could be downloaded beside the models that are at hand. */
export function suggestionsBeside(models: readonly ModelEntry[]): SuggestedModelEntry[] {
  const names = new Set(models.map(({ name }) => name));
  return suggestedModels()
    .filter(({ id }) => !names.has(id))
    .map((model) => {
      const memoryBytes = neededMemory(model.parameters, 'absorbingFast');
      return { ...model, memoryBytes, fits: memoryBytes <= usableShare * machineMemory() };
    });
}

/** Errors: HubError; ModelError where this program cannot run the model. */
export async function findOnHub(id: string): Promise<ModelFindResult> {
  const settings = hubSettings(process.env);
  const { plan, folder } = await findModel(settings, id, 'main', hubFetch());
  return { id, endpoint: settings.endpoint, license: plan?.license ?? null, bytes: plan?.bytes ?? 0, folder };
}

/** Errors: HubError; the signal's reason. */
export async function getFromHub(
  id: string,
  signal: AbortSignal,
  onProgress: (progress: ModelProgress) => void,
): Promise<ModelGetResult> {
  const settings = hubSettings(process.env);
  const fetch = hubFetch();
  const { plan, folder } = await findModel(settings, id, 'main', fetch);
  if (plan === null) return { folder: folder! };
  let reported = 0;
  const report = ({ bytesDone, bytes }: { bytesDone: number; bytes: number }) => {
    const now = performance.now();
    if (bytesDone < bytes && now - reported < millisecondsBetweenReports) return;
    reported = now;
    onProgress({ id, bytesDone, bytes });
  };
  return { folder: await downloadModel(settings, plan, fetch, { signal, onProgress: report }) };
}
