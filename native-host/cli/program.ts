/** `lift` in a terminal: its commands, and what their success or failure means to the shell. */
import { Command, CommanderError } from 'commander';
import { addAbsorbCommand } from './absorb-command.ts';
import { addAdaptersCommand } from './adapters-command.ts';
import { addAskCommand } from './ask-command.ts';
import { addBenchCommand } from './bench-command.ts';
import { type CliContext, UsageError } from './context.ts';
import { addEvalCommand } from './eval-command.ts';
import { addMcpCommand } from './mcp-command.ts';
import { addModelsCommand } from './models-command.ts';
import { printLines } from './print.ts';
import { addProbeCommand } from './probe-command.ts';
import { addStatusCommand } from './status-command.ts';

/**
 * Runs one command line (without node and the script). Returns the exit status: 0, 1 when something failed, 2 when the
 * command was used wrongly, or what an interrupt calls for.
 */
export async function runCli(parameters: readonly string[], context: CliContext): Promise<number> {
  try {
    await liftProgram(context).parseAsync([...parameters], { from: 'user' });
    return context.interrupt.exitStatus ?? 0;
  } catch (error) {
    // Commander has printed what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { exitStatus, signal } = context.interrupt;
    if (!isAbort(error, signal))
      printLines(context.stderr, [`lift: ${error instanceof Error ? error.message : error}`]);
    if (exitStatus !== null) return exitStatus;
    return error instanceof UsageError ? 2 : 1;
  }
}

function liftProgram(context: CliContext): Command {
  const program = new Command('lift');
  // Before the commands are added, which inherit this.
  program
    .description(
      'Train a repository into an adapter of a local language model, and ask about it. Nothing leaves this machine.',
    )
    .version(context.version)
    .exitOverride()
    .showHelpAfterError('`lift --help` and `lift <command> --help` tell how it is used.')
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
      getOutHelpWidth: () => context.stdout.columns ?? 80,
      getErrHelpWidth: () => context.stderr.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => write(text.replace(/^error: /, 'lift: ')),
    });
  addAbsorbCommand(program, context);
  addAskCommand(program, context);
  addStatusCommand(program, context);
  addProbeCommand(program, context);
  addEvalCommand(program, context);
  addMcpCommand(program, context);
  addAdaptersCommand(program, context);
  addModelsCommand(program, context);
  addBenchCommand(program, context);
  return program;
}

/** Whether an error only says that the user ended the command. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'));
}
