/** Base models from a hub, as the protocol speaks of them. */
import type {
  ModelEntry,
  ModelFindParams,
  ModelFindResult,
  ModelGetResult,
  ModelProgress,
  SuggestedModelEntry,
} from '../protocol/host.ts';
import { downloadModel } from './hub/download-model.ts';
import { findModel } from './hub/find-model.ts';
import type { GgufWish } from './hub/gguf-offers.ts';
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

/** Which of several GGUF files is wanted: the one that is named, or what suits the memory of this machine. */
export function ggufWish(file: string | undefined): GgufWish {
  const holdsExactly = (parameters: number) => neededMemory(parameters, 'absorbing') <= machineMemory();
  return { holdsExactly, ...(file === undefined ? {} : { file }) };
}

/** Errors: HubError; ModelError where this program cannot run the model. */
export async function findOnHub({ id, file }: ModelFindParams): Promise<ModelFindResult> {
  const settings = hubSettings(process.env);
  const { plan, folder } = await findModel(settings, id, 'main', hubFetch(), ggufWish(file));
  const { license, bytes, gguf } = plan ?? { license: null, bytes: 0, gguf: null };
  const found = { id, endpoint: settings.endpoint, license, bytes, folder };
  if (gguf === null) return found;
  const files = gguf.offers.readable.map(({ name, size }) => ({ name, bytes: size }));
  return { ...found, gguf: { file: gguf.file, files } };
}

/** Errors: HubError; the signal's reason. */
export async function getFromHub(
  { id, file }: ModelFindParams,
  signal: AbortSignal,
  onProgress: (progress: ModelProgress) => void,
): Promise<ModelGetResult> {
  const settings = hubSettings(process.env);
  const fetch = hubFetch();
  const { plan, folder } = await findModel(settings, id, 'main', fetch, ggufWish(file));
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
