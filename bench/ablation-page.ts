// bench/ABLATION.md: a section for each model, between two marker comments; a run rewrites that of its model.
import { readFile, writeFile } from 'node:fs/promises';
import { bootstrapDifference, bootstrapMean } from '../native-host/study/eval/bootstrap.ts';
import type { EvalResult } from '../native-host/study/eval/eval-result.ts';
import { machineAndDay } from './results.ts';

export interface AblationPart {
  name: string;
  /** As `lift eval --method` takes it. */
  method: string;
  arms: readonly string[];
  /** What suits the model without it. */
  kind?: string;
}

export interface AblationRun {
  command: string;
  model: string;
  package: string;
  /** Of each training. */
  steps: number;
  /** The first is what the others are compared with. */
  measured: readonly { part: AblationPart; result: EvalResult }[];
}

const seed = 1;
const head = [
  'method',
  'exact match, new wording',
  'beside the first',
  'with evidence in the prompt',
  'next token',
  'trained wording',
  'general: code',
  'prose',
  'chat',
  'tokens',
  'seconds',
  'processor seconds',
];

/** A row of cells for each part that was measured. */
export function ablationRows({ measured }: AblationRun): string[][] {
  return measured.map(({ part, result }) => {
    const lift = part.arms.find((name) => name.startsWith('lift') && name !== 'lift+rag')!;
    const training = result.trainings[0]!;
    const exact = exactOf(result, lift);
    const { mean, low, high } = bootstrapMean(exact, seed);
    const evidence = part.arms.includes('lift+rag') ? percent(meanOf(exactOf(result, 'lift+rag'))) : '';
    const nats = (['code', 'prose', 'chat'] as const).map((text) =>
      signed(training.general[text] - result.base.general[text], 2),
    );
    return [
      part.name,
      `${percent(mean)} (${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)})`,
      besideFirst(measured[0]!, exact),
      evidence,
      percent(training.nextTokenAccuracy),
      percent(training.trainedWordings),
      ...nats,
      training.trainedTokens.toLocaleString('en-US'),
      training.seconds.toFixed(0),
      training.cpuSeconds.toFixed(0),
    ];
  });
}

function besideFirst({ part, result }: AblationRun['measured'][number], exact: readonly number[]): string {
  if (!part.arms.includes('lift')) return '';
  const { mean, low, high } = bootstrapDifference(exact, exactOf(result, 'lift'), seed);
  return mean === 0 && low === 0 && high === 0
    ? '–'
    : `${signed(100 * mean, 1)} (${signed(100 * low, 0)} to ${signed(100 * high, 0)})`;
}

/** For each probe 1 or 0. The probes of a package are the same in each run. */
function exactOf({ questions }: EvalResult, arm: string): number[] {
  return questions.filter(({ set }) => set === 'probe').map(({ answer, answers }) => (answers[arm] === answer ? 1 : 0));
}

export async function writeAblation(file: string, run: AblationRun): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => introduction);
  const [start, end] = [`<!-- ${run.model} -->`, `<!-- end of ${run.model} -->`];
  const section = `${start}\n${sectionOf(run)}\n${end}`;
  const [from, to] = [before.indexOf(start), before.indexOf(end)];
  const after =
    from >= 0 && to > from
      ? before.slice(0, from) + section + before.slice(to + end.length)
      : `${before.trimEnd()}\n\n${section}\n`;
  await writeFile(file, after);
}

const introduction = `# What each part of the method adds

Each part is a switch of \`lift absorb\` and \`lift eval\` (\`--method\`). Every row is a training of its own, from zero and with as many
steps, on a package that the model has never seen; probes are questions in wordings that training never uses. General: by how much the
mean −log p a token of texts that no repository holds is above the base's, in nats. The base's own writing counts among the seconds;
where the machine does other work meanwhile, processor seconds of all cores together tell more. Intervals hold 95 % of resampled means;
two trainings that differ in their order alone differ by some points, too.
`;

function sectionOf(run: AblationRun): string {
  const [first] = run.measured;
  const base = first?.part.arms.includes('base')
    ? `Without training: exact match ${percent(meanOf(exactOf(first.result, 'base')))}, next token ${percent(first.result.base.nextTokenAccuracy)}.`
    : '';
  return [
    `## ${run.model}`,
    `${run.package}, ${run.steps} steps for each training. \`${run.command}\`. ${machineAndDay()}.`,
    ...(base === '' ? [] : [base]),
    table(head, ablationRows(run)),
  ].join('\n\n');
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function signed(value: number, digits: number): string {
  return `${value > 0 ? '+' : ''}${value.toFixed(digits)}`;
}
