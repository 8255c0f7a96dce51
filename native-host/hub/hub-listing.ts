/** What a repository on a hub holds at one commit, and under which licence. */
import { HubApiError, listFiles, modelInfo } from '@huggingface/hub';
import { HubError, noToken, notAllowed, notFound, unreachable } from './hub-error.ts';
import type { HubFile } from './hub-plan.ts';
import type { HubSettings } from './hub-settings.ts';

export interface HubListing {
  commit: string;
  /** As the hub names it, such as `apache-2.0`; null where the model's page names none. */
  license: string | null;
  /** Those at the top, of which there is a hash. */
  files: HubFile[];
}

/** Errors: HubError; others as `explained` takes them. */
export async function listRepository(
  { endpoint, token }: HubSettings,
  id: string,
  revision: string,
  fetch: typeof globalThis.fetch,
): Promise<HubListing> {
  if (token !== null && !token.startsWith('hf_')) throw noToken();
  const asked = { hubUrl: endpoint, revision, fetch, ...(token === null ? {} : { accessToken: token }) };
  const info = await modelInfo({ ...asked, name: id, additionalFields: ['sha', 'cardData', 'tags'] });
  if (!/^[0-9a-f]{40}$/.test(info.sha)) throw new HubError(`The hub does not say which commit of ${id} it means.`);
  const files: HubFile[] = [];
  for await (const { type, path, size, oid, lfs } of listFiles({ ...asked, revision: info.sha, repo: id })) {
    const hash = lfs?.oid ?? oid;
    if (type === 'file' && hash !== undefined && isHash(hash)) {
      files.push({ name: path, size: lfs?.size ?? size, hash });
    }
  }
  return { commit: info.sha, license: licenseOf(info.cardData, info.tags), files };
}

/** The hash becomes a file's name. */
function isHash(hash: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash);
}

function licenseOf(card: unknown, tags: unknown): string | null {
  const named = (card as { license?: unknown } | undefined)?.license;
  if (typeof named === 'string') return named;
  const tag = Array.isArray(tags) ? tags.find((each) => typeof each === 'string' && each.startsWith('license:')) : null;
  return typeof tag === 'string' ? tag.slice('license:'.length) : null;
}

/** An error of the hub's library or of the connection, as one that says what to do; any other as it is. */
export function explained(error: unknown, id: string, revision: string, endpoint: string): unknown {
  if (error instanceof HubApiError) {
    if (error.statusCode === 404) return notFound(id, revision, endpoint);
    if (error.statusCode === 401 || error.statusCode === 403) return notAllowed(id, endpoint);
    return unreachable(endpoint, `it answers with status ${error.statusCode}`);
  }
  if (error instanceof SyntaxError) return unreachable(endpoint, 'it answers with something that is no JSON');
  if (error instanceof TypeError && error.cause instanceof Error) return unreachable(endpoint, error.cause.message);
  return error;
}
