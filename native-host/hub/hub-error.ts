/** Why a model could not be had from a hub. Every message says what to do next. */
export class HubError extends Error {
  override name = 'HubError';
}

export function notFound(id: string, revision: string, endpoint: string): HubError {
  return new HubError(
    `${endpoint} has no model ${id} with a revision ${revision}. Check the name; it looks like "organisation/model".`,
  );
}

export function notAllowed(id: string, endpoint: string): HubError {
  return new HubError(
    `${endpoint} does not give ${id} to you. If it is gated, accept its terms on its page (${endpoint}/${id}) and set HF_TOKEN ` +
      'to a token of your account that may read it.',
  );
}

export function noToken(): HubError {
  return new HubError(
    'What HF_TOKEN, or the file `token` of the Hugging Face folder, holds is no token: one begins with `hf_`.',
  );
}

export function unreachable(endpoint: string, reason: string): HubError {
  return new HubError(
    `${endpoint} cannot be reached: ${reason}. Check the connection; HTTPS_PROXY names a proxy, HF_ENDPOINT a mirror. ` +
      'What was downloaded is kept, and the next try goes on from there.',
  );
}

export function webPage(file: string, endpoint: string): HubError {
  return new HubError(
    `A web page came instead of ${file}, perhaps the login page of a proxy. Open ${endpoint} in a browser, sign in where it ` +
      'asks, and try again.',
  );
}

export function wrongContents(file: string): HubError {
  return new HubError(
    `${file} arrived twice with other contents than its hash says, so it was thrown away. A proxy or the mirror may ` +
      'change files: try again without it.',
  );
}

export function offline(id: string): HubError {
  return new HubError(
    `${id} is not on this machine, and nothing is downloaded while HF_HUB_OFFLINE is set or --offline is given.`,
  );
}
