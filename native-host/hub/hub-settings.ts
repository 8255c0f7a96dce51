/** Where models come from and where they are kept, as Hugging Face's own tools read it from the environment. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface HubSettings {
  /** Without a slash at the end. */
  endpoint: string;
  token: string | null;
  /** Holds a folder `models--<organisation>--<name>` for each model. */
  cacheFolder: string;
  isOffline: boolean;
}

const defaultEndpoint = 'https://huggingface.co';

export function hubSettings(environment: NodeJS.ProcessEnv): HubSettings {
  const home =
    set(environment.HF_HOME) ?? join(set(environment.XDG_CACHE_HOME) ?? join(homedir(), '.cache'), 'huggingface');
  return {
    endpoint: (set(environment.HF_ENDPOINT) ?? defaultEndpoint).replace(/\/+$/, ''),
    token: set(environment.HF_TOKEN) ?? savedToken(set(environment.HF_TOKEN_PATH) ?? join(home, 'token')),
    cacheFolder: set(environment.HF_HUB_CACHE) ?? set(environment.HUGGINGFACE_HUB_CACHE) ?? join(home, 'hub'),
    isOffline: /^(1|on|yes|true)$/i.test(environment.HF_HUB_OFFLINE ?? ''),
  };
}

function set(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}

function savedToken(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim() || null;
  } catch {
    return null;
  }
}
