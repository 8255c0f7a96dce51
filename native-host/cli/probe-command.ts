/** `lift probe`: measures what an adapter knows of a folder, beside the base model. */
import type { Command } from 'commander';
import type { ProbeResult } from '../services.ts';
import type { CliContext } from './context.ts';
import { count, integerFrom, percent } from './number-text.ts';
import { printLines, printResult } from './print.ts';
import { existingFolder, type SharedOptions, withServices, withSharedOptions } from './shared-options.ts';
import { textTable } from './text-table.ts';

interface ProbeCommandOptions extends SharedOptions {
  adapterOf?: string;
  package?: string;
  probes?: number;
}

export function addProbeCommand(program: Command, context: CliContext): void {
  const command = program
    .command('probe')
    .description('Measure recall of the text, and answers to questions in wordings that were never trained.')
    .argument('<folder>', "the repository's folder")
    .option('--adapter-of <folder>', "measure another folder's adapter, as a control")
    .option('--package <folder>', 'measure this package, where each has an adapter')
    .option('--probes <n>', 'how many questions to ask at most', integerFrom(1, 100_000));
  withSharedOptions(command).action((folder: string, options: ProbeCommandOptions) =>
    probeCommand(context, folder, options),
  );
}

async function probeCommand(context: CliContext, named: string, options: ProbeCommandOptions): Promise<void> {
  const folder = existingFolder(context, named);
  const asked: { adapterOf?: string; package?: string; probes?: number } = {};
  if (options.adapterOf !== undefined) asked.adapterOf = existingFolder(context, options.adapterOf);
  if (options.package !== undefined) asked.package = options.package;
  if (options.probes !== undefined) asked.probes = options.probes;
  const result = await withServices(context, options, (services) => {
    if (context.stderr.isTTY) printLines(context.stderr, ['Measuring the adapter and the base model …']);
    return services.probe(folder, asked, context.interrupt.signal);
  });
  printResult(context, options.json, result, () => probeLines(result, asked.adapterOf !== undefined));
}

/** For people. `control`: the adapter is another folder's. */
export function probeLines(result: ProbeResult, control: boolean): string[] {
  const share = (value: number) => (Number.isFinite(value) ? percent(value) : 'unknown');
  const strata = Object.entries(result.byStratum).map(([stratum, score]) => [
    stratum,
    count(score.probes),
    share(score.trainedExactMatch),
    share(score.exactMatch),
    share(score.baseExactMatch),
  ]);
  return [
    ...(control ? [`With the adapter of ${result.adapterOf}:`, ''] : []),
    ...textTable(
      ['', 'adapter', 'base'],
      [
        ['Next token of the text', share(result.nextTokenAccuracy), share(result.baseNextTokenAccuracy)],
        ['Exact match, new wording', share(result.exactMatch), share(result.baseExactMatch)],
        ['Exact match, trained wording', share(result.trainedExactMatch), share(result.baseTrainedExactMatch)],
        ['Token F1, new wording', share(result.tokenF1), share(result.baseTokenF1)],
      ],
      ['adapter', 'base'],
    ),
    '',
    ...textTable(
      ['Stratum', 'probes', 'trained wording', 'new wording', 'base'],
      [
        ...strata,
        [
          'all',
          count(result.probes),
          share(result.trainedExactMatch),
          share(result.exactMatch),
          share(result.baseExactMatch),
        ],
      ],
      ['probes', 'trained wording', 'new wording', 'base'],
    ),
  ];
}
