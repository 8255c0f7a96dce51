/** `lift bench`: how fast this machine trains, decodes, scans and loads. */
import { join } from 'node:path';
import { Argument, type Command } from 'commander';
import { type BenchName, benchNames, type CliContext } from './context.ts';
import { measured } from './number-text.ts';
import { printLines, printResult } from './print.ts';
import { existingFolder, type SharedOptions, storeRoot, withSharedOptions } from './shared-options.ts';
import { textTable } from './text-table.ts';

interface BenchCommandOptions extends SharedOptions {
  shape: string;
  folder?: string;
  recompute?: boolean;
}

export function addBenchCommand(program: Command, context: CliContext): void {
  const command = program
    .command('bench')
    .description('Measure this machine with random weights in the shape of a model.')
    .addArgument(new Argument('<what>', 'what to measure').choices(benchNames))
    .option('--shape <name>', 'nano, 135m or 0.5b', '135m')
    .option(
      '--recompute',
      'train with each layer computed a second time: slower, in less memory (default: if it is short)',
    )
    .option('--folder <dir>', 'scan this folder (default: one of 50,000 small files that is made for it)');
  withSharedOptions(command).action(async (what: BenchName, options: BenchCommandOptions) => {
    const { interrupt, workerFile, stderr } = context;
    if (stderr.isTTY) printLines(stderr, [`Measuring ${what} …`]);
    const rows = await context.bench(what, {
      shape: options.shape,
      device: benchDevice(options.device),
      workerFile,
      cacheFolder: join(storeRoot(context, options), 'bench'),
      signal: interrupt.signal,
      ...(options.recompute === undefined ? {} : { recompute: options.recompute }),
      ...(options.folder === undefined ? {} : { folder: existingFolder(context, options.folder) }),
    });
    printResult(context, options.json, { rows }, () =>
      textTable(
        ['Measurement', 'Value', 'Unit'],
        rows.map(({ name, value, unit }) => [name, measured(value), unit]),
        ['Value'],
      ),
    );
  });
}

function benchDevice(device: BenchCommandOptions['device'] = 'cpu'): 'cpu' | 'webgpu' {
  if (device === 'cpu' || device === 'webgpu') return device;
  throw new Error('lift bench measures cpu and webgpu; what an NVIDIA card does is measured by `npm run gpu:check`');
}
