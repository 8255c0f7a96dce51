/** `lift mcp`: other programs ask about a folder, over the Model Context Protocol on standard input and output. */
import { once } from 'node:events';
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { existingFolder, type SharedOptions, withServices, withSharedOptions } from './shared-options.ts';

export function addMcpCommand(program: Command, context: CliContext): void {
  const command = program
    .command('mcp')
    .description('Answer the questions of other programs about a folder, as a server of the Model Context Protocol.')
    .argument('<folder>', "the repository's folder");
  withSharedOptions(command).action(async (named: string, options: SharedOptions) => {
    const folder = existingFolder(context, named);
    // No other command is to wait for that library.
    const { serveMcp } = await import('./mcp-server.ts');
    await withServices(context, options, async (services) => {
      const connection = serveMcp(services, folder, context.version);
      await clientGone(context.interrupt.signal);
      await connection.close();
    });
  });
}

/** Or the user ends it. */
async function clientGone(signal: AbortSignal): Promise<void> {
  await once(process.stdin, 'end', { signal }).catch((error: Error) => {
    if (error.name !== 'AbortError') throw error;
  });
}
