/** What can go wrong between the extension and its native host. */

/** The host's own answer to a request that it could not serve; the message says what to do. */
export class HostError extends Error {
  override name = 'HostError';

  constructor(
    message: string,
    /** One of HostErrorCode, or of JSON-RPC's own. */
    readonly code: number,
  ) {
    super(message);
  }
}

/** There is no host to ask, or it ended before it answered. */
export class HostUnavailableError extends Error {
  override name = 'HostUnavailableError';

  constructor(
    message: string,
    /** The host ended in the middle: asking again starts it anew. Otherwise something must be done first. */
    readonly mayAskAgain: boolean,
  ) {
    super(message);
  }
}
