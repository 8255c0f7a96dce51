/** `lift models get`: downloads a base model from a hub, after saying how large it is and under which licence. */
import { createInterface } from 'node:readline/promises';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { type DownloadProgress, downloadModel } from '../hub/download-model.ts';
import { findModel } from '../hub/find-model.ts';
import { isModelId, nameOfCached } from '../hub/hub-cache.ts';
import { hubFetch } from '../hub/hub-fetch.ts';
import type { DownloadPlan } from '../hub/hub-plan.ts';
import { hubSettings } from '../hub/hub-settings.ts';
import { ggufWish } from '../model-downloads.ts';
import { type CliContext, UsageError } from './context.ts';
import { byteSize } from './number-text.ts';
import { printLines, printResult } from './print.ts';

interface GetOptions {
  file?: string;
  json?: boolean;
  revision: string;
  yes?: boolean;
  offline?: boolean;
}

interface GetResult {
  id: string;
  /** Or the GGUF file. */
  folder: string;
  commit: string;
  license: string | null;
  /** Of the model's files; 0 where it was here already. */
  bytes: number;
}

export function addModelsGetCommand(models: Command, context: CliContext): void {
  models
    .command('get')
    .description('Download a base model from a hub into the cache that Hugging Face’s tools share.')
    .argument('<id>', 'such as HuggingFaceTB/SmolLM2-135M-Instruct')
    .option('--file <name>', 'one of several GGUF files (default: what suits the memory of this machine)')
    .option('--revision <name>', 'a branch, tag or commit', 'main')
    .option('--yes', 'do not ask before downloading')
    .option('--offline', 'only look whether it is on this machine')
    .option('--json', 'print one JSON object as the last line')
    .action(async (id: string, options: GetOptions) => {
      const result = await getModel(context, id, options);
      if (result === null) return;
      printResult(context, options.json, result, () => [
        `${id} is in ${result.folder}`,
        `Use it with \`--model ${nameOfCached(result.folder) ?? id}\`.`,
      ]);
    });
}

/** Null where the user does not want it. */
async function getModel(context: CliContext, id: string, options: GetOptions): Promise<GetResult | null> {
  if (!isModelId(id)) throw new UsageError(`${id} is no name of a model. It looks like "organisation/model".`);
  const settings = hubSettings(context.environment);
  settings.isOffline ||= options.offline === true;
  const { signal } = context.interrupt;
  const fetch = hubFetch();
  const wish = ggufWish(options.file);
  const { plan, commit, folder: found } = await findModel(settings, id, options.revision, fetch, wish);
  if (plan === null) return { id, folder: found!, commit, license: null, bytes: 0 };
  const { license, bytes } = plan;
  printLines(context.stderr, ggufLines(plan));
  if (found === null && !(await agreed(context, plan, options))) return null;
  const view = openDownloadView(context, bytes);
  try {
    const folder = await downloadModel(settings, plan, fetch, {
      signal,
      onProgress: (progress) => view.report(progress),
    });
    return { id, folder, commit, license, bytes: found === null ? bytes : 0 };
  } finally {
    view.end();
  }
}

async function agreed(context: CliContext, plan: DownloadPlan, { yes }: GetOptions): Promise<boolean> {
  const { id, bytes, license, files } = plan;
  printLines(context.stderr, [
    `${id}: ${byteSize(bytes)} in ${files.length} files, licence ${license ?? 'not stated: read the model’s page'}`,
  ]);
  if (yes) return true;
  if (!context.stderr.isTTY || !process.stdin.isTTY) {
    throw new UsageError('Nobody is here to ask. Say --yes to download it.');
  }
  const reader = createInterface({ input: process.stdin, output: context.stderr });
  try {
    return /^y(es)?$/i.test(await reader.question('Download it? [y/N] ', { signal: context.interrupt.signal }));
  } finally {
    reader.close();
  }
}

/** Which of a model's GGUF files it is, why, and which others there are. */
function ggufLines({ gguf }: DownloadPlan): string[] {
  if (gguf === null) return [];
  const { file, reason, offers } = gguf;
  const others = offers.readable.filter(({ name }) => name !== file);
  return [
    `${file}: ${reason}.`,
    ...(others.length === 0 ? [] : ['Others, with --file:']),
    ...others.map(({ name, size }) => `  ${name}, ${byteSize(size)}`),
    ...offers.unread.map(({ name, reason: why }) => `Not ${name}: ${why}.`),
  ];
}

function openDownloadView({ stderr }: CliContext, bytes: number) {
  if (!stderr.isTTY) return { report: () => {}, end: () => {} };
  const bar = new SingleBar({
    stream: stderr,
    format: '[{bar}] {percentage} %  {file}',
    barsize: 20,
    clearOnComplete: true,
    gracefulExit: false,
  });
  bar.start(bytes, 0, { file: '' });
  return {
    report: ({ bytesDone, file }: DownloadProgress) => bar.update(bytesDone, { file }),
    end: () => bar.stop(),
  };
}
