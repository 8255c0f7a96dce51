// Standard output carries JSON-RPC and nothing else. Importing this file first keeps it so: whatever a library or a worker
// thread prints goes to the standard error.
export const rpcOutput = process.stdout;

// `console` and the relays of worker threads take the stream from here when they first print.
Object.defineProperty(process, 'stdout', { configurable: true, enumerable: true, value: process.stderr });
