/** `lift ask`: a question about a folder, answered as it is written. */
import type { Command } from 'commander';
import type { AskResult } from '../../protocol/host.ts';
import { type CliContext, UsageError } from './context.ts';
import { count, integerFrom, numberFrom } from './number-text.ts';
import { readOpenFile } from './open-file.ts';
import { harmless, printLines, printResult } from './print.ts';
import { existingFolder, type SharedOptions, withServices, withSharedOptions } from './shared-options.ts';

interface AskCommandOptions extends SharedOptions {
  open?: string[];
  adapter: boolean;
  package?: string;
  evidence?: number;
  temperature: number;
  topP: number;
  maxTokens: number;
}

export function addAskCommand(program: Command, context: CliContext): void {
  const command = program
    .command('ask')
    .description('Ask about a folder; the answer comes from its adapter and from what is shown beside the question.')
    .argument('<folder>', "the repository's folder")
    .argument('<question>', 'in quotes')
    .option('--open <file>', 'show a file, or lines of it: <file>:<from>-<to>; may be repeated', collected)
    .option('--no-adapter', 'ask the base model')
    .option(
      '--package <folder>',
      "ask this package's adapter, '.' for what is in no package (default: what the question and open files point at)",
    )
    .option(
      '--evidence <n>',
      'show so many passages that match the question; 0 for none (default: 4)',
      integerFrom(0, 100),
    )
    .option('--temperature <t>', 'how freely to choose words; 0 takes the likeliest', numberFrom(0, 10), 0)
    .option('--top-p <p>', 'choose among the likeliest words that make up this share', numberFrom(0, 1), 0.95)
    .option('--max-tokens <n>', 'longest answer', integerFrom(1, 65_536), 256);
  withSharedOptions(command).action((folder: string, question: string, options: AskCommandOptions) =>
    askCommand(context, folder, question, options),
  );
}

function collected(value: string, before: string[] = []): string[] {
  return [...before, value];
}

async function askCommand(
  context: CliContext,
  named: string,
  question: string,
  options: AskCommandOptions,
): Promise<void> {
  const { stdout, stderr, interrupt, workingFolder } = context;
  const folder = existingFolder(context, named);
  if (question.trim() === '') throw new UsageError('The question is empty. Write it in quotes after the folder.');
  const openFiles = (options.open ?? []).map((file) => readOpenFile(file, folder, workingFolder));
  const { adapter: useAdapter, temperature, topP, maxTokens } = options;
  const answer = await withServices(context, options, (services) =>
    services.ask(
      {
        ...{ folder, question, openFiles, useAdapter, temperature, topP, maxTokens, conversation: [] },
        ...(options.package === undefined ? {} : { package: options.package }),
        ...(options.evidence === undefined ? {} : { evidence: options.evidence }),
      },
      (text) => {
        if (!options.json) stdout.write(harmless(text));
      },
      interrupt.signal,
    ),
  );
  if (!options.json && answer.answer !== '' && !answer.answer.endsWith('\n')) stdout.write('\n');
  printResult(context, options.json, answer, () => sourceLines(answer));
  if (useAdapter && answer.version === null) {
    printLines(stderr, [`Nothing of this folder has been absorbed yet: run \`lift absorb ${named}\` first.`]);
  }
  if (stderr.isTTY) printLines(stderr, [speedText(answer)]);
}

/** What stands under an answer: where its citations are, and what it names without its being there. */
export function sourceLines({ citations, unknownPaths, unknownSymbols }: AskResult): string[] {
  const lines = citations.map(
    ({ path, startLine, endLine }) => `  ${path}:${startLine}${endLine > startLine ? `-${endLine}` : ''}`,
  );
  if (unknownPaths.length > 0) lines.push(`  not in this folder: ${unknownPaths.join(', ')}`);
  if (unknownSymbols.length > 0) lines.push(`  not declared in this folder: ${unknownSymbols.join(', ')}`);
  return lines.length > 0 ? ['', ...lines] : [];
}

function speedText({ version, package: named, fromMemory, firstTokenMs, tokensPerSecond }: AskResult): string {
  const whose = named === undefined ? '' : `${named === '.' ? 'what is in no package' : named}, `;
  const who = version === null ? 'base model' : `${whose}version ${version}`;
  return `(${who}${fromMemory ? ', from memory' : ''}, first token after ${count(firstTokenMs)} ms, ${count(tokensPerSecond)} tokens/s)`;
}
