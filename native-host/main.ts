// The native host as a process: JSON-RPC on standard input and output, diagnosis on standard error. It ends when its
// standard input closes, when it is shut down, or on a signal; a second signal ends it at once.

// Before everything else, so that nothing prints into the protocol while it loads.
import './rpc-stdout.ts';

import { constants, setPriority } from 'node:os';
import { createHandlers } from './handlers.ts';
import { withErrorCode } from './rpc-error-codes.ts';
import { serve } from './rpc-server.ts';
import { rpcOutput } from './rpc-stdout.ts';

// Training takes every core for minutes: the editor and what the user runs in it come first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort();
  });
}

const outcome = await serve(process.stdin, rpcOutput, createHandlers(), { stop: stop.signal, coded: withErrorCode });
process.stderr.write(`native host ends: ${outcome.reason}\n`);
process.exit(outcome.exitCode);
