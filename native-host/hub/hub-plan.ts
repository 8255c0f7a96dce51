/** What downloading a model means: which files of which commit, how large, under which licence. Asked before anything is loaded. */
import { HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { parseModelConfig } from '../model/config.ts';
import { HubError, noToken, notAllowed, notFound, unreachable } from './hub-error.ts';
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
}

const wantedFiles =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template)\.json$|^(merges\.txt|chat_template\.jinja|LICENSE(\.\w+)?|model\.safetensors(\.index\.json)?|model-\d{5}-of-\d{5}\.safetensors)$/;

/**
 * Asks the hub what a model consists of, and reads its config.json, so that a model which could not be opened is refused
 * before its weights are loaded. Errors: HubError; ModelError where the config is of no model that this program can run.
 */
export async function planDownload(
  settings: HubSettings,
  id: string,
  revision: string,
  fetch: typeof globalThis.fetch,
): Promise<DownloadPlan> {
  const { endpoint } = settings;
  if (settings.token !== null && !settings.token.startsWith('hf_')) throw noToken();
  const asked = {
    hubUrl: endpoint,
    revision,
    fetch,
    ...(settings.token === null ? {} : { accessToken: settings.token }),
  };
  try {
    const info = await modelInfo({ ...asked, name: id, additionalFields: ['sha', 'cardData', 'tags'] });
    const files: HubFile[] = [];
    for await (const { type, path, size, oid, lfs } of listFiles({ ...asked, revision: info.sha, repo: id })) {
      const hash = lfs?.oid ?? oid;
      if (type === 'file' && wantedFiles.test(path) && hash !== undefined && isHash(hash)) {
        files.push({ name: path, size: lfs?.size ?? size, hash });
      }
    }
    files.sort((a, b) => a.size - b.size);
    const plan: DownloadPlan = {
      id,
      revision,
      commit: info.sha,
      license: licenseOf(info.cardData, info.tags),
      files,
      bytes: files.reduce((total, { size }) => total + size, 0),
    };
    checkFiles(plan);
    await checkConfig(plan, settings, fetch);
    return plan;
  } catch (error) {
    throw explained(error, id, revision, endpoint);
  }
}

export function fileUrl({ endpoint }: HubSettings, { id, commit }: DownloadPlan, name: string): string {
  return `${endpoint}/${id}/resolve/${commit}/${name}`;
}

export function authorization({ token }: HubSettings): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** The hash becomes a file's name. */
function isHash(hash: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash);
}

function checkFiles({ id, commit, files }: DownloadPlan): void {
  if (!/^[0-9a-f]{40}$/.test(commit)) throw new HubError(`The hub does not say which commit of ${id} it means.`);
  const names = new Set(files.map(({ name }) => name));
  if (!names.has('config.json'))
    throw new HubError(`${id} has no config.json: it is no model in Hugging Face's layout.`);
  if (!names.has('model.safetensors') && !names.has('model.safetensors.index.json')) {
    throw new HubError(
      `${id} has no weights in safetensors. Other formats can run code when they are opened, or are of other programs: ` +
        'choose a model with a file model.safetensors.',
    );
  }
}

async function checkConfig(plan: DownloadPlan, settings: HubSettings, fetch: typeof globalThis.fetch): Promise<void> {
  const response = await fetch(fileUrl(settings, plan, 'config.json'), { headers: authorization(settings) });
  if (response.status === 401 || response.status === 403) throw notAllowed(plan.id, settings.endpoint);
  if (!response.ok) throw new HubError(`The hub answers ${response.status} when asked for config.json of ${plan.id}.`);
  let config: unknown;
  try {
    config = await response.json();
  } catch {
    throw new HubError(`What the hub gives as config.json of ${plan.id} is no JSON. Try again; check HF_ENDPOINT.`);
  }
  if (typeof config !== 'object' || config === null) throw new HubError(`config.json of ${plan.id} holds no object.`);
  parseModelConfig(config as Record<string, unknown>, plan.id);
}

function licenseOf(card: unknown, tags: unknown): string | null {
  const named = (card as { license?: unknown } | undefined)?.license;
  if (typeof named === 'string') return named;
  const tag = Array.isArray(tags) ? tags.find((each) => typeof each === 'string' && each.startsWith('license:')) : null;
  return typeof tag === 'string' ? tag.slice('license:'.length) : null;
}

function explained(error: unknown, id: string, revision: string, endpoint: string): unknown {
  if (error instanceof HubApiError) {
    if (error.statusCode === 404) return notFound(id, revision, endpoint);
    if (error.statusCode === 401 || error.statusCode === 403) return notAllowed(id, endpoint);
    return unreachable(endpoint, `it answers with status ${error.statusCode}`);
  }
  if (error instanceof SyntaxError) return unreachable(endpoint, 'it answers with something that is no JSON');
  if (error instanceof TypeError && error.cause instanceof Error) return unreachable(endpoint, error.cause.message);
  return error;
}
