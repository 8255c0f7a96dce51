/** `lift absorb`: trains a folder into its adapter. */
import { relative, resolve, sep } from 'node:path';
import { type Command, Option } from 'commander';
import type { AbsorbResult } from '../../protocol/host.ts';
import type { Services } from '../services.ts';
import type { AbsorbFolderRequest } from '../study/absorb-folder.ts';
import { type AbsorbProgressView, openAbsorbProgress } from './absorb-progress.ts';
import { absorbWatching } from './absorb-watch.ts';
import type { CliContext } from './context.ts';
import { methodOption } from './name-list.ts';
import { counted, duration, integerFrom, numberFrom, percent } from './number-text.ts';
import { packageLines } from './package-lines.ts';
import { printResult } from './print.ts';
import { existingFolder, type SharedOptions, storeRoot, withServices, withSharedOptions } from './shared-options.ts';

interface AbsorbCommandOptions extends SharedOptions {
  epochs?: number;
  minutes?: number;
  seed?: number;
  adapterKind?: NonNullable<AbsorbFolderRequest['adapterKind']>;
  rank?: number;
  packages?: NonNullable<AbsorbFolderRequest['packages']>;
  method?: NonNullable<AbsorbFolderRequest['method']>;
  watch?: boolean;
  first?: string[];
}

export function addAbsorbCommand(program: Command, context: CliContext): void {
  const command = program
    .command('absorb')
    .description('Train a folder into its adapter; what has not changed since the last time costs nothing.')
    .argument('<folder>', "the repository's folder")
    .option('--epochs <n>', 'end after so many passes (default: when another one gains little)', integerFrom(1, 1000))
    .option('--minutes <n>', 'end after so many minutes', numberFrom(0.01, 100_000))
    .option('--rank <n>', "of LoRA (default: what suits the corpus's size)", integerFrom(1, 1024))
    .option('--first <paths...>', 'files and folders to learn before all else, relative to the folder')
    .option('--watch', 'then absorb every change, until Ctrl-C')
    .option('--seed <n>', 'of everything that is random (default: 1)', integerFrom(0, 2 ** 32 - 1))
    .addOption(methodOption())
    .addOption(
      new Option('--adapter-kind <kind>', "what is trained (default: what suits the model's size)").choices([
        'lora',
        'full',
        'gatedMemory',
      ]),
    )
    .addOption(
      new Option(
        '--packages <how>',
        'of a monorepo: one adapter, or one for each package (default: auto, as before, and at first by size)',
      ).choices(['auto', 'whole', 'each']),
    );
  withSharedOptions(command).action((folder: string, options: AbsorbCommandOptions) =>
    absorbCommand(context, folder, options),
  );
}

async function absorbCommand(context: CliContext, named: string, options: AbsorbCommandOptions): Promise<void> {
  const folder = existingFolder(context, named);
  await withServices(context, options, async (services) => {
    const absorb = async () => {
      const outcome = await absorbShowing(context, services, folder, absorbOptions(folder, options));
      printResult(context, options.json, outcome, () => outcomeLines(outcome, named));
    };
    if (options.watch) await absorbWatching(context, folder, storeRoot(context, options), absorb);
    else await absorb();
  });
}

function absorbOptions(
  folder: string,
  { epochs, minutes, seed, adapterKind, rank, method, first, packages }: AbsorbCommandOptions,
): AbsorbFolderRequest {
  const options: AbsorbFolderRequest = {};
  if (epochs !== undefined) options.epochs = epochs;
  if (minutes !== undefined) options.minutes = minutes;
  if (seed !== undefined) options.seed = seed;
  if (adapterKind !== undefined) options.adapterKind = adapterKind;
  if (rank !== undefined) options.rank = rank;
  if (packages !== undefined) options.packages = packages;
  if (method !== undefined) options.method = method;
  if (first !== undefined)
    options.first = first.map((path) => relative(folder, resolve(folder, path)).split(sep).join('/'));
  return options;
}

async function absorbShowing(
  { stderr, interrupt: { signal } }: CliContext,
  services: Services,
  folder: string,
  options: AbsorbFolderRequest,
): Promise<AbsorbResult> {
  const view = openAbsorbProgress(stderr);
  const announceStop = () => noteStop(view);
  signal.addEventListener('abort', announceStop);
  try {
    return await services.absorb(folder, options, {
      signal,
      whileRunning: () => Promise.resolve(),
      onProgress: (report) => view.report(report),
    });
  } finally {
    signal.removeEventListener('abort', announceStop);
    view.end();
  }
}

function noteStop(view: AbsorbProgressView): void {
  view.note('Stopping. What was absorbed is kept; Ctrl-C again ends at once.');
}

/** For people. `named` is the folder as the user wrote it. */
export function outcomeLines(outcome: AbsorbResult, named: string): string[] {
  const { end, version, absorbed, documents, tokens, steps, trainedTokens, seconds, skipped, recipe } = outcome;
  const { arrangement, packages = [] } = outcome;
  const saved = packages.length > 0 ? 'What each package learned is saved' : `Version ${version} is saved`;
  const corpus = `${counted(tokens, 'token')} in ${counted(documents, 'document')}`;
  const lines: string[] = [];
  if (documents === 0) lines.push('There is nothing to absorb in this folder.');
  else if (end === 'unchanged') lines.push(`Nothing has changed since version ${version}: no step was needed.`);
  else if (end === 'restored') lines.push(restoredText(outcome));
  else if (version === null) lines.push('Stopped before anything was learned.');
  else {
    lines.push(
      `${endTexts[end]} ${saved}: ${counted(steps, 'step')}, ` +
        `${counted(trainedTokens, 'token')} trained, ${duration(seconds)}.`,
    );
  }
  if (documents > 0) lines.push(`Absorbed ${percent(absorbed)} of ${corpus}.`);
  if (arrangement) lines.push(arrangement);
  lines.push(...packageLines(packages));
  if (steps > 0 && recipe) lines.push(recipe);
  if (skipped.length > 0) {
    lines.push(`Skipped: ${counted(skipped.length, 'entry', 'entries')}; \`lift status ${named}\` says why.`);
  }
  return lines;
}

function restoredText({ version, packages = [] }: AbsorbResult): string {
  return packages.length > 0
    ? 'Versions that know this very tree are the current ones again.'
    : `Version ${version} knows this very tree; it is the current one again.`;
}

const endTexts: Record<Exclude<AbsorbResult['end'], 'unchanged' | 'restored'>, string> = {
  budget: 'Done: the budget is spent.',
  saturated: 'Done: another pass would gain little.',
  cancelled: 'Stopped early; absorb again to go on.',
};
