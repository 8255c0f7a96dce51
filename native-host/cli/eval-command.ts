/** `lift eval`: what absorbing a folder gives, beside the base model, texts in context and controls. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { reportPage } from '../report/page.ts';
import { type ArmName, armNames } from '../study/eval/arms.ts';
import type { EvalRequest } from '../study/eval/eval-request.ts';
import { parseReferenceQuestions, type ReferenceQuestion } from '../study/eval/reference-questions.ts';
import { type CliContext, UsageError } from './context.ts';
import { openEvalProgress } from './eval-progress.ts';
import { evalLines } from './eval-table.ts';
import { listOf, methodOption } from './name-list.ts';
import { integerFrom, numberFrom } from './number-text.ts';
import { printLines, printResult } from './print.ts';
import { existingFolder, type SharedOptions, withServices, withSharedOptions } from './shared-options.ts';

type AdapterKinds = NonNullable<EvalRequest['adapterKinds']>;
const adapterKinds: AdapterKinds = ['lora', 'full', 'gatedMemory'];

interface EvalCommandOptions extends SharedOptions {
  questions?: string;
  arms?: ArmName[];
  adapterKind?: AdapterKinds;
  optimizer?: NonNullable<EvalRequest['optimizer']>;
  method?: NonNullable<EvalRequest['method']>;
  adapterOf?: string;
  minutes?: number;
  epochs?: number;
  steps?: number;
  probes?: number;
  needles?: number;
  seed?: number;
  out?: string;
}

export function addEvalCommand(program: Command, context: CliContext): void {
  const command = program
    .command('eval')
    .description(
      'Train adapters for this alone, ask all arms the same questions, and compare. No adapter in the store changes.',
    )
    .argument('<folder>', "the repository's folder")
    .option('--questions <file>', 'also measure these reference answers: {"question", "answer", "path"?} a line')
    .option('--arms <names>', `some of ${armNames.join(', ')} (default: all)`, listOf(armNames))
    .option(
      '--adapter-kind <kinds>',
      `some of ${adapterKinds.join(', ')} (default: what suits the model)`,
      listOf(adapterKinds),
    )
    .addOption(
      new Option('--optimizer <name>', 'of each training (default: what suits model and kind)').choices([
        'adamw',
        'muon',
      ]),
    )
    .addOption(methodOption())
    .option('--adapter-of <folder>', "the other repository of the arm 'wrong', which is left out without it")
    .option('--minutes <n>', 'of each training (default: 3)', numberFrom(0.01, 100_000))
    .option('--epochs <n>', 'end each training after so many passes', integerFrom(1, 1000))
    .option('--steps <n>', 'or after so many steps, the same on every machine', integerFrom(1, 10_000_000))
    .option('--probes <n>', 'how many questions to ask at most (default: 100)', integerFrom(1, 100_000))
    .option('--needles <n>', 'how many needles to hide in the text (default: 10)', integerFrom(0, 100))
    .option('--seed <n>', 'of everything that is random (default: 1)', integerFrom(0, 2 ** 32 - 1))
    .option('--out <dir>', 'write eval.json and eval.html there');
  withSharedOptions(command).action((folder: string, options: EvalCommandOptions) =>
    evalCommand(context, folder, options),
  );
}

async function evalCommand(context: CliContext, named: string, options: EvalCommandOptions): Promise<void> {
  const folder = existingFolder(context, named);
  const { workingFolder, interrupt, stderr, stdout } = context;
  const { arms, adapterKind, optimizer, method, minutes, epochs, steps, probes, needles, seed } = options;
  if (arms?.includes('wrong') && options.adapterOf === undefined)
    throw new UsageError("The arm 'wrong' needs --adapter-of <folder>: another repository.");
  const request: EvalRequest & { adapterOf?: string } = {
    ...(arms === undefined ? {} : { arms }),
    ...(adapterKind === undefined ? {} : { adapterKinds: adapterKind }),
    ...(optimizer === undefined ? {} : { optimizer }),
    ...(method === undefined ? {} : { method }),
    ...(minutes === undefined ? {} : { minutes }),
    ...(epochs === undefined ? {} : { epochs }),
    ...(steps === undefined ? {} : { steps }),
    ...(probes === undefined ? {} : { probes }),
    ...(needles === undefined ? {} : { needles }),
    ...(seed === undefined ? {} : { seed }),
    ...(options.adapterOf === undefined ? {} : { adapterOf: existingFolder(context, options.adapterOf) }),
    ...(options.questions === undefined
      ? {}
      : { references: readQuestions(resolve(workingFolder, options.questions)) }),
  };
  const out = options.out === undefined ? null : resolve(workingFolder, options.out);
  // Before the minutes of training, not after them.
  if (out !== null) mkdirSync(out, { recursive: true });
  const progress = openEvalProgress(stderr);
  const result = await withServices(context, options, (services) =>
    services.evaluate(folder, request, { signal: interrupt.signal, onProgress: progress }),
  );
  if (out !== null) {
    writeFileSync(join(out, 'eval.json'), `${JSON.stringify(result, null, 1)}\n`);
    writeFileSync(join(out, 'eval.html'), reportPage(result));
  }
  printResult({ stdout }, options.json, result, () => evalLines(result));
  if (out !== null && !options.json) printLines(stdout, ['', `Report: ${join(out, 'eval.html')}`]);
}

function readQuestions(file: string): ReferenceQuestion[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`The questions ${file} cannot be read: ${(error as Error).message}`);
  }
  return parseReferenceQuestions(text, file);
}
