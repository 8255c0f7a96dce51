// bench/ABLATION.md: a section for each model and number of packages, between two marker comments; a run rewrites its own.
import { readFile, writeFile } from 'node:fs/promises';
import { bootstrapDifference, bootstrapMean } from '../native-host/study/eval/bootstrap.ts';
import type { EvalResult } from '../native-host/study/eval/eval-result.ts';
import { machineAndDay, withSection } from './results.ts';

export interface AblationPart {
  name: string;
  /** As `lift eval --method` takes it. */
  method: string;
  arms: readonly string[];
  /** What suits the model without it. */
  kind?: string;
  optimizer?: string;
}

export interface AblationRun {
  command: string;
  model: string;
  packages: readonly string[];
  /** Of each training. */
  steps: number;
  /** The first is what the others are compared with. A result for each package. */
  measured: readonly { part: AblationPart; results: readonly EvalResult[] }[];
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

/** A row of cells for each part that was measured: probes of all packages together, means and sums over the packages. */
export function ablationRows({ measured }: AblationRun): string[][] {
  return measured.map(({ part, results }) => {
    const lift = part.arms.find((name) => name.startsWith('lift') && name !== 'lift+rag')!;
    const exact = exactOf(results, lift);
    const { mean, low, high } = bootstrapMean(exact, seed);
    const evidence = part.arms.includes('lift+rag') ? percent(meanOf(exactOf(results, 'lift+rag'))) : '';
    const nats = (['code', 'prose', 'chat'] as const).map((text) =>
      signed(meanOf(results.map(({ base, trainings }) => trainings[0]!.general[text] - base.general[text])), 2),
    );
    const trainings = results.map((result) => result.trainings[0]!);
    const sum = (of: (training: (typeof trainings)[number]) => number) =>
      trainings.reduce((total, training) => total + of(training), 0);
    return [
      part.name,
      `${percent(mean)} (${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)})`,
      besideFirst(measured[0]!, exact),
      evidence,
      percent(meanOf(trainings.map(({ nextTokenAccuracy }) => nextTokenAccuracy))),
      percent(meanOf(trainings.map(({ trainedWordings }) => trainedWordings))),
      ...nats,
      sum(({ trainedTokens }) => trainedTokens).toLocaleString('en-US'),
      sum(({ seconds }) => seconds).toFixed(0),
      sum(({ cpuSeconds }) => cpuSeconds).toFixed(0),
    ];
  });
}

function besideFirst({ part, results }: AblationRun['measured'][number], exact: readonly number[]): string {
  if (!part.arms.includes('lift')) return '';
  const { mean, low, high } = bootstrapDifference(exact, exactOf(results, 'lift'), seed);
  return mean === 0 && low === 0 && high === 0
    ? '–'
    : `${signed(100 * mean, 1)} (${signed(100 * low, 0)} to ${signed(100 * high, 0)})`;
}

/** For each probe 1 or 0. The probes of a package are the same in each run. */
function exactOf(results: readonly EvalResult[], arm: string): number[] {
  return results.flatMap(({ questions }) =>
    questions.filter(({ set }) => set === 'probe').map(({ answer, answers }) => (answers[arm] === answer ? 1 : 0)),
  );
}

export async function writeAblation(file: string, run: AblationRun): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => introduction);
  await writeFile(file, withSection(before, titleOf(run), sectionOf(run)));
}

const introduction = `# What each part of the method adds

Each part is a switch of \`lift absorb\` and \`lift eval\` (\`--method\`). Every row is a training of its own, from zero and with as many
steps, on packages that the model has never seen; probes are questions in wordings that training never uses. General: by how much the
mean −log p a token of texts that no repository holds is above the base's, in nats. The base's own writing counts among the seconds;
where the machine does other work meanwhile, processor seconds of all cores together tell more. Intervals hold 95 % of resampled means;
two trainings that differ in their order alone differ by some points, too.
`;

function titleOf({ model, packages }: AblationRun): string {
  return packages.length > 1 ? `${model}, ${packages.length} packages` : model;
}

function sectionOf(run: AblationRun): string {
  const [first] = run.measured;
  const base = first?.part.arms.includes('base')
    ? `Without training: exact match ${percent(meanOf(exactOf(first.results, 'base')))}, next token ${percent(meanOf(first.results.map(({ base }) => base.nextTokenAccuracy)))}.`
    : '';
  return [
    `## ${titleOf(run)}`,
    `${run.packages.join(', ')}: ${run.steps} steps for each training. \`${run.command}\`. ${machineAndDay()}.`,
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
