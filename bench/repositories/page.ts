// bench/ABSORPTION.md from what was measured.
import { armNames, comparedArms } from '../../native-host/study/eval/arms.ts';
import { bootstrapDifference, bootstrapMean, type Interval } from '../../native-host/study/eval/bootstrap.ts';
import type { EvalResult } from '../../native-host/study/eval/eval-result.ts';
import { machineAndDay } from '../results.ts';
import type { KnownShare } from './changes.ts';

export interface MeasuredRepository {
  name: string;
  version: string;
  result: EvalResult;
}

export interface MeasuredChange {
  name: string;
  steps: number;
  trainedTokens: number;
  /** Of the whole `absorb`, from reading the folder to the saved version. */
  seconds: number;
  /** How it ended: 'saturated', 'budget' … */
  end: string;
  fresh: KnownShare;
  /** By the answers that held before. */
  goneBefore: KnownShare;
  gone: KnownShare;
  keptBefore: KnownShare;
  keptAfter: KnownShare;
}

export interface ChangeRun {
  name: string;
  minutes: number;
  steps: number;
  seconds: number;
  changes: readonly MeasuredChange[];
  /** What absorbing everything anew made of all changes together. */
  anew: MeasuredChange;
}

export interface AbsorptionRun {
  command: string;
  repositories: readonly MeasuredRepository[];
  missing: readonly string[];
  changeRuns: readonly ChangeRun[];
}

const seed = 1;

export function absorptionPage(run: AbsorptionRun): string {
  const { command, repositories, missing, changeRuns } = run;
  return `${[
    '# What absorbing gives',
    `Written by \`${command}\` (after \`npm run build\`), and by nothing else. ${machineAndDay()}.`,
    'Repositories that the embedded model has never seen (`scripts/pretrain/excluded.ts`), each with adapters trained for this alone. ' +
      'Probes are questions whose answers are true by construction, in wordings that training never uses; answers are greedy. ' +
      'Every training has the same number of steps. `wrong` is the adapter of the next repository of the list. Intervals hold 95 % of resampled means.',
    'What each part of the method adds: [ABLATION.md](ABLATION.md).',
    ...repositorySections(repositories),
    ...changeSections(changeRuns),
    ...(missing.length === 0 ? [] : ['## Left out', missing.map((reason) => `- ${reason}`).join('\n')]),
  ].join('\n\n')}\n`;
}

function repositorySections(repositories: readonly MeasuredRepository[]): string[] {
  if (repositories.length === 0) return [];
  const results = repositories.map(({ result }) => result);
  const names = armNames.filter((name) => results.some(({ arms }) => arms.some((arm) => arm.name === name)));
  return [
    '## All repositories together',
    table(
      ['arm', 'exact match', 'token F1', ...strata(results), 'needles', 'reference answers, nats a token'],
      names.map((name) => armRow(name, results)),
    ),
    table(
      ['difference', 'points of exact match', '95 %'],
      comparedArms.flatMap(([left, right]) => {
        if (!names.includes(left) || !names.includes(right)) return [];
        const { mean, low, high } = bootstrapDifference(exactOf(left, results), exactOf(right, results), seed);
        return [[`${left} − ${right}`, points(mean), `${points(low)} to ${points(high)}`]];
      }),
    ),
    '## Exact match by repository',
    table(
      ['repository', 'tokens', 'probes', ...names],
      repositories.map(({ name, version, result }) => [
        `${name} ${version}`,
        count(result.tokens),
        count(result.arms[0]!.probes.questions),
        ...names.map((arm) => percent(result.arms.find((one) => one.name === arm)?.probes.exactMatch.mean)),
      ]),
    ),
    '## What training took, and what it left of general ability',
    'Trained wording: probes answered exactly as training asks them. Unseen wording: asked as not even the pretraining of the base model asks. Code, prose and chat: by how much the mean −log p a token of texts that no repository holds differs from the base, in nats; ' +
      'below 0 is better than the base. Memory is the peak of the whole process.',
    table(
      [
        'repository',
        'trained on',
        'steps',
        'tokens',
        'seconds',
        'memory',
        'next token',
        'trained wording',
        'unseen wording',
        'code',
        'prose',
        'chat',
      ],
      repositories.flatMap(({ name, result: { trainings, base } }) =>
        trainings.map(({ general, ...training }) => [
          name,
          training.name,
          count(training.steps),
          count(training.trainedTokens),
          training.seconds.toFixed(0),
          `${count(training.peakBytes / 1e6)} MB`,
          `${percent(training.nextTokenAccuracy)} (base ${percent(base.nextTokenAccuracy)})`,
          `${percent(training.trainedWordings)} (base ${percent(base.trainedWordings)})`,
          `${percent(training.unseenWordings)} (base ${percent(base.unseenWordings)})`,
          ...(['code', 'prose', 'chat'] as const).map((text) => signed(general[text] - base.general[text])),
        ]),
      ),
    ),
  ];
}

function strata(results: readonly EvalResult[]): string[] {
  const found = results.flatMap(({ questions }) => questions.filter(({ set }) => set === 'probe'));
  return [...new Set(found.map(({ stratum }) => stratum))].sort();
}

/** All probes count the same, whatever their repository. */
function exactOf(arm: string, results: readonly EvalResult[], stratum?: string, set = 'probe'): number[] {
  return results.flatMap(({ questions }) =>
    questions
      .filter((asked) => asked.set === set && (stratum === undefined || asked.stratum === stratum))
      .filter(({ answers }) => arm in answers)
      .map(({ answer, answers }) => (answers[arm] === answer ? 1 : 0)),
  );
}

function armRow(name: string, results: readonly EvalResult[]): string[] {
  const arms = results.flatMap((result) => result.arms.filter((arm) => arm.name === name));
  const probes = arms.reduce((sum, arm) => sum + arm.probes.questions, 0);
  const f1 = arms.reduce((sum, arm) => sum + arm.probes.tokenF1.mean * arm.probes.questions, 0) / probes;
  const asked = arms.flatMap(({ references }) => (references === null ? [] : [references]));
  const total = asked.reduce((sum, { questions }) => sum + questions, 0);
  const nll = asked.reduce((sum, { nll, questions }) => sum + nll.mean * questions, 0) / total;
  const mean = (values: readonly number[]) =>
    values.length === 0 ? '' : percent(values.reduce((sum, value) => sum + value, 0) / values.length);
  return [
    name,
    interval(bootstrapMean(exactOf(name, results), seed)),
    percent(f1),
    ...strata(results).map((stratum) => mean(exactOf(name, results, stratum))),
    mean(exactOf(name, results, undefined, 'needle')),
    asked.length === 0 ? '' : `${nll.toFixed(3)} (${count(total)})`,
  ];
}

function changeSections(runs: readonly ChangeRun[]): string[] {
  if (runs.length === 0) return [];
  return [
    '## Changes',
    'A folder is absorbed, then changed and refreshed, one change after another. Facts that are new, facts that hold no more ' +
      '(by the answer that they had), and facts that a change leaves as they were: shares that are answered exactly in a ' +
      'wording of training / in a new one. Below are all changes together: sums, means by fact, and what was kept before the ' +
      'first and after the last of them; then what absorbing everything anew (consolidation) makes of them in the minutes of ' +
      'the first absorption. Its adapter is taken if it predicts at least as much of the text right; otherwise the refreshed one ' +
      'stays.',
    ...runs.flatMap(changeTable),
  ];
}

function changeTable({ name, minutes, steps, seconds, changes, anew }: ChangeRun): string[] {
  const known = ({ facts, trained, heldBack }: KnownShare) =>
    facts === 0 ? '–' : `${percent(trained)} / ${percent(heldBack)} of ${facts}`;
  const row = (label: string, change: Omit<MeasuredChange, 'name' | 'end'>) => [
    label,
    count(change.steps),
    count(change.trainedTokens),
    change.seconds.toFixed(1),
    known(change.fresh),
    known(change.goneBefore),
    known(change.gone),
    known(change.keptBefore),
    known(change.keptAfter),
  ];
  const all = {
    steps: sumOf(changes, (change) => change.steps),
    trainedTokens: sumOf(changes, (change) => change.trainedTokens),
    seconds: sumOf(changes, (change) => change.seconds),
    fresh: together(changes.map(({ fresh }) => fresh)),
    goneBefore: together(changes.map(({ goneBefore }) => goneBefore)),
    gone: together(changes.map(({ gone }) => gone)),
    keptBefore: changes[0]!.keptBefore,
    keptAfter: changes.at(-1)!.keptAfter,
  };
  return [
    `### ${name}`,
    `Absorbed for ${minutes} minutes: ${count(steps)} steps, ${seconds.toFixed(0)} s.`,
    table(
      [
        'change',
        'steps',
        'tokens',
        'seconds',
        'new, after',
        'gone, before',
        'gone, after',
        'kept, before',
        'kept, after',
      ],
      [...changes.map((change) => row(labelOf(change), change)), row('**all**', all), row(labelOf(anew), anew)],
    ),
  ];
}

function labelOf({ name, end }: MeasuredChange): string {
  return `${name.replaceAll('|', '\\|')} (${end})`;
}

function together(shares: readonly KnownShare[]): KnownShare {
  const facts = sumOf(shares, (share) => share.facts);
  const mean = (kind: 'trained' | 'heldBack') =>
    sumOf(shares, (share) => share.facts * share[kind]) / Math.max(1, facts);
  return { facts, trained: mean('trained'), heldBack: mean('heldBack') };
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function interval({ mean, low, high }: Interval): string {
  return `${percent(mean)} (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`;
}

function percent(share: number | undefined): string {
  return share === undefined ? '' : `${(100 * share).toFixed(1)} %`;
}

function points(difference: number): string {
  return `${difference > 0 ? '+' : ''}${(100 * difference).toFixed(1)}`;
}

function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${value.toFixed(3)}`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
