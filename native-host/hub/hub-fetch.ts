/** `fetch` that goes through the proxy which HTTPS_PROXY, HTTP_PROXY and NO_PROXY name; Node's own knows none of them. */
import { EnvHttpProxyAgent, fetch as undiciFetch } from 'undici';

export function hubFetch(): typeof fetch {
  const dispatcher = new EnvHttpProxyAgent();
  return ((input: string, init: object = {}) => undiciFetch(input, { ...init, dispatcher })) as unknown as typeof fetch;
}
