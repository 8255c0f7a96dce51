/** Errors that a client tells apart by their code; all others are plain failures with a message. */
import { ResponseError } from 'vscode-jsonrpc/node';
import { HostErrorCode } from '../protocol/host.ts';
import { NothingAbsorbedError } from './services.ts';
import { LockedError } from './store/store-error.ts';

/** The error with its code, or as it is where it has none. */
export function withErrorCode(error: unknown): unknown {
  if (error instanceof LockedError) return new ResponseError(HostErrorCode.locked, error.message);
  if (error instanceof NothingAbsorbedError) return new ResponseError(HostErrorCode.nothingAbsorbed, error.message);
  return error;
}
