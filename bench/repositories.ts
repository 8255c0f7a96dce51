// `node dist/bench-repositories.js [--only semver,tar] [--arms base,lift] [--steps 1200] [--probes 200] [--change-minutes 5]
// [--commits 20] [--questions <folder>]`: what absorbing real repositories gives, written to bench/ABSORPTION.md.
//   `lift eval` of each package, with the next one's adapter as the wrong one, in a process of its own
//   edits, renames and removals of one of them (none with --change-minutes 0)
//   the last commits of a day of this project's own history, one after another (none with --commits 0)
// `--questions`: a folder that may hold <package>.jsonl with reference answers. It takes hours: what the same build measured
// with the same options stays in .cache, with HTML reports, and is not measured again. `--only` measures some, and leaves
// the others as they are there.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { EvalResult } from '../native-host/study/eval/eval-result.ts';
import { run } from './command.ts';
import { changes } from './repositories/changes.ts';
import { dayOfCommits } from './repositories/history.ts';
import { measureChanges } from './repositories/measure-changes.ts';
import { absorptionPage, type ChangeRun, type MeasuredRepository } from './repositories/page.ts';
import { type FetchedRepository, fetchRepository, measuredPackages } from './repositories/repositories.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: measuredPackages.map(({ name }) => name).join(',') },
    /** As `lift eval` takes them; all of them by default. */
    arms: { type: 'string' },
    /** Of each training. */
    steps: { type: 'string', default: '1200' },
    probes: { type: 'string', default: '200' },
    'change-minutes': { type: 'string', default: '5' },
    commits: { type: 'string', default: '20' },
    questions: { type: 'string' },
  },
});
const changeMinutes = Number(values['change-minutes']);
const mostCommits = Number(values.commits);
/** Of this project: as large as a package that is measured. */
const replayedFolders = ['native-host/train'];
// Relative to the bundle in dist/.
const projectFile = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const cache = projectFile('.cache/bench');
const scratch = await mkdtemp(join(tmpdir(), 'lift-bench-'));
const only = values.only.split(',');
const unknown = only.filter((name) => !measuredPackages.some((one) => one.name === name));
if (unknown.length > 0) throw new Error(`there is no package ${unknown.join(', ')} in the set`);
const build = createHash('sha256')
  .update(await readFile(projectFile('dist/cli.js')))
  .digest('hex');

try {
  const missing: string[] = [];
  const fetched: FetchedRepository[] = [];
  for (const wanted of measuredPackages) {
    const found = await fetchRepository(wanted, join(cache, 'packages'), scratch);
    if (typeof found === 'string') missing.push(`${wanted.name}: ${found}`);
    else fetched.push(found);
  }
  const changeRuns: ChangeRun[] = [];
  const write = async () => {
    const repositories: MeasuredRepository[] = [];
    for (const { name, version } of fetched) {
      const result = await keptResult<EvalResult>(name, optionsOf(name));
      if (result !== null) repositories.push({ name, version, result });
    }
    const page = absorptionPage({ command: thisCommand(), repositories, missing, changeRuns });
    await writeFile(projectFile('bench/ABSORPTION.md'), page);
  };
  if (changeMinutes > 0) {
    const changedOptions = ['--change-minutes', String(changeMinutes)];
    const semver = fetched.find(({ name }) => name === 'semver');
    if (semver !== undefined)
      changeRuns.push(await keptOrMeasured('changes', changedOptions, () => measureSemver(semver)));
    if (mostCommits > 0) {
      const options = [...changedOptions, '--commits', String(mostCommits)];
      const replayed = await keptOrMeasured('commits', options, measureCommits);
      if (replayed === null) missing.push('a day of commits: this folder has no history of Git');
      else changeRuns.push(replayed);
    }
  }
  for (const [i, one] of fetched.entries()) {
    if (!only.includes(one.name) || (await keptResult(one.name, optionsOf(one.name))) !== null) continue;
    await evaluate(one, fetched[(i + 1) % fetched.length]!);
    await write();
  }
  await write();
} finally {
  await rm(scratch, { recursive: true, force: true });
}

/** Without the name of a folder, which says nothing elsewhere. */
function thisCommand(): string {
  const { steps, probes, arms, questions, commits } = values;
  const rest = `${arms === undefined ? '' : ` --arms ${arms}`}${questions === undefined ? '' : ' --questions <folder>'}`;
  const changed = `--change-minutes ${changeMinutes} --commits ${commits}`;
  return `node dist/bench-repositories.js --steps ${steps} --probes ${probes} ${changed}${rest}`;
}

/** Of `lift eval`, whatever folders it works in. */
function optionsOf(name: string): string[] {
  const questions = values.questions === undefined ? null : resolve(values.questions, `${name}.jsonl`);
  return [
    ...['--steps', values.steps, '--probes', values.probes],
    ...(values.arms === undefined ? [] : ['--arms', values.arms]),
    ...(questions !== null && existsSync(questions) ? ['--questions', questions] : []),
  ];
}

async function evaluate({ name, folder }: FetchedRepository, other: FetchedRepository): Promise<void> {
  const out = join(cache, 'absorption', name);
  await run(process.execPath, [
    projectFile('dist/cli.js'),
    ...['eval', folder, '--adapter-of', other.folder, ...optionsOf(name)],
    ...['--store', join(scratch, 'store'), '--out', out],
  ]);
  await keep(name, optionsOf(name), JSON.parse(await readFile(join(out, 'eval.json'), 'utf8')));
}

function keptFile(name: string): string {
  return join(cache, 'absorption', name, 'measured.json');
}

async function keep(name: string, options: string[], result: unknown): Promise<void> {
  await mkdir(join(cache, 'absorption', name), { recursive: true });
  await writeFile(keptFile(name), JSON.stringify({ build, options, result }));
}

/** What this build measured with these options; null where it has not. */
async function keptResult<T>(name: string, options: string[]): Promise<T | null> {
  const text = await readFile(keptFile(name), 'utf8').catch(() => null);
  if (text === null) return null;
  const found = JSON.parse(text);
  return found.build === build && found.options.join(' ') === options.join(' ') ? found.result : null;
}

async function keptOrMeasured<T>(name: string, options: string[], measure: () => Promise<T>): Promise<T> {
  const kept = await keptResult<T>(name, options);
  if (kept !== null) return kept;
  const result = await measure();
  if (result !== null) await keep(name, options, result);
  return result;
}

async function measureSemver({ name, version, folder: source }: FetchedRepository): Promise<ChangeRun> {
  const folder = join(scratch, 'changed');
  await cp(source, folder, { recursive: true });
  return measureChanges(`${name} ${version}`, folder, join(scratch, 'store'), changeMinutes, changes);
}

async function measureCommits(): Promise<ChangeRun | null> {
  const day = await dayOfCommits(projectFile('.'), replayedFolders, mostCommits).catch(() => null);
  if (day === null) return null;
  const folder = join(scratch, 'replayed');
  await day.before(folder);
  const name = `${replayedFolders.join(' and ')} of this project, the last ${day.commits.length} commits of ${day.day}`;
  return measureChanges(name, folder, join(scratch, 'store'), changeMinutes, day.commits);
}
