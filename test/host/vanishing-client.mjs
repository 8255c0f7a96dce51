// A client that starts the host and lets it absorb for ever; a test kills it. File 3 is open in both for as long as they live.
import { spawn } from 'node:child_process';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';

const [main, storeRoot, folder] = process.argv.slice(2);
const host = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'pipe', 3] });
const connection = createMessageConnection(new StreamMessageReader(host.stdout), new StreamMessageWriter(host.stdin));
connection.listen();
connection.onNotification('absorb/progress', ({ phase, step }) => process.stdout.write(`${phase} ${step}\n`));
await connection.sendRequest('initialize', { protocolVersion: 1, client: 'vanishing client', storeRoot });
await connection.sendRequest('absorb/start', { folder, epochs: 1000 });
