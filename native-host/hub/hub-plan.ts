/** What downloading a model means: which files of which commit, how large, under which licence. Asked before anything is loaded. */
import { parseModelConfig } from '../model/config.ts';
import { isGgufHeaderWhole } from '../model/gguf/gguf-model.ts';
import { chooseGguf, type GgufOffers, type GgufWish, ggufOffers } from './gguf-offers.ts';
import { HubError, notAllowed, unreachable } from './hub-error.ts';
import { explained, type HubListing, listRepository } from './hub-listing.ts';
import type { HubSettings } from './hub-settings.ts';

export interface HubFile {
  name: string;
  /** In bytes. */
  size: number;
  /** Of large files the SHA-256 of the contents, of small ones the SHA-1 that Git knows them by. Lower-case hex. */
  hash: string;
}

export interface DownloadPlan {
  id: string;
  revision: string;
  commit: string;
  /** As the hub names it, such as `apache-2.0`; null where the model's page names none. */
  license: string | null;
  /** Small files first. */
  files: HubFile[];
  /** Of all files. */
  bytes: number;
  /** The GGUF file that the model is, why it is this one, and what else there is; null for a model that is a folder. */
  gguf: { file: string; reason: string; offers: GgufOffers } | null;
}

const configAndTokenizer =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template)\.json$|^(merges\.txt|chat_template\.jinja)$/;
const weights = /^(model\.safetensors(\.index\.json)?|model-\d{5}-of-\d{5}\.safetensors)$/;
const licenseText = /^LICENSE(\.\w+)?$/;

/**
 * Asks the hub what a model consists of, and reads its config.json, or the header of its GGUF file, so that a model which
 * could not be opened is refused before its weights are loaded. A repository is taken as a folder of safetensors where it is
 * one, unless `wish` names a file. Errors: HubError; ModelError where it is no model that this program can run.
 */
export async function planDownload(
  settings: HubSettings,
  id: string,
  revision: string,
  fetch: typeof globalThis.fetch,
  wish: GgufWish = {},
): Promise<DownloadPlan> {
  try {
    const listing = await listRepository(settings, id, revision, fetch);
    const offers = ggufOffers(listing.files);
    const hasGguf = offers.readable.length + offers.unread.length > 0;
    const isGguf = wish.file !== undefined || (hasGguf && !listing.files.some(({ name }) => weights.test(name)));
    if (!isGguf) return await planFolder(settings, id, revision, listing, fetch);
    const { offer, reason } = chooseGguf(id, offers, wish);
    const files = listing.files.filter(({ name }) => licenseText.test(name) || name === offer.name);
    const plan = planOf(id, revision, listing, files, { file: offer.name, reason, offers });
    await checkGguf(plan, offer, settings, fetch);
    return plan;
  } catch (error) {
    throw explained(error, id, revision, settings.endpoint);
  }
}

export function fileUrl({ endpoint }: HubSettings, { id, commit }: DownloadPlan, name: string): string {
  return `${endpoint}/${id}/resolve/${commit}/${name}`;
}

export function authorization({ token }: HubSettings): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

function planOf(
  id: string,
  revision: string,
  { commit, license }: HubListing,
  files: readonly HubFile[],
  gguf: DownloadPlan['gguf'],
): DownloadPlan {
  const bytes = files.reduce((total, { size }) => total + size, 0);
  return { id, revision, commit, license, files: files.toSorted((a, b) => a.size - b.size), bytes, gguf };
}

async function planFolder(
  settings: HubSettings,
  id: string,
  revision: string,
  listing: HubListing,
  fetch: typeof globalThis.fetch,
): Promise<DownloadPlan> {
  const files = listing.files.filter(({ name }) =>
    [configAndTokenizer, weights, licenseText].some((pattern) => pattern.test(name)),
  );
  const has = (name: string) => files.some((file) => file.name === name);
  if (!has('config.json')) throw new HubError(`${id} has no config.json: it is no model in Hugging Face's layout.`);
  if (!has('model.safetensors') && !has('model.safetensors.index.json')) {
    throw new HubError(
      `${id} has no weights in safetensors or GGUF. Other formats can run code when they are opened, or are of other ` +
        'programs: choose a model with a file model.safetensors, or with GGUF files.',
    );
  }
  const plan = planOf(id, revision, listing, files, null);
  await checkConfig(plan, settings, fetch);
  return plan;
}

async function checkConfig(plan: DownloadPlan, settings: HubSettings, fetch: typeof globalThis.fetch): Promise<void> {
  const response = await requestFile(plan, 'config.json', settings, fetch);
  let config: unknown;
  try {
    config = await response.json();
  } catch {
    throw new HubError(`What the hub gives as config.json of ${plan.id} is no JSON. Try again; check HF_ENDPOINT.`);
  }
  if (typeof config !== 'object' || config === null) throw new HubError(`config.json of ${plan.id} holds no object.`);
  parseModelConfig(config as Record<string, unknown>, plan.id);
}

const firstLook = 1 << 20;

/** Reads until the header is whole, which says the architecture and the format of every tensor; the rest is not asked for. */
async function checkGguf(
  plan: DownloadPlan,
  { name, size }: HubFile,
  settings: HubSettings,
  fetch: typeof globalThis.fetch,
): Promise<void> {
  const { body } = await requestFile(plan, name, settings, fetch);
  let bytes = Buffer.alloc(0);
  let chunks: Uint8Array[] = [];
  let unread = 0;
  // Leaving the loop ends the connection.
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    unread += chunk.length;
    const here = bytes.length + unread;
    if (here < Math.max(firstLook, 2 * bytes.length) && here < size) continue;
    bytes = Buffer.concat([bytes, ...chunks]);
    chunks = [];
    unread = 0;
    if (isGgufHeaderWhole(`${plan.id}/${name}`, bytes, size)) return;
  }
  throw unreachable(settings.endpoint, 'it sends less than it says');
}

/** Errors: HubError where the hub does not give the file. */
async function requestFile(
  plan: DownloadPlan,
  name: string,
  settings: HubSettings,
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  const headers = { ...authorization(settings), 'accept-encoding': 'identity' };
  const response = await fetch(fileUrl(settings, plan, name), { headers });
  if (response.ok) return response;
  await response.body?.cancel();
  if (response.status === 401 || response.status === 403) throw notAllowed(plan.id, settings.endpoint);
  throw new HubError(`The hub answers ${response.status} when asked for ${name} of ${plan.id}.`);
}
