// `node dist/bench-repositories.js [--only semver,tar] [--steps 1200] [--probes 200] [--change-minutes 5] [--questions <folder>]`:
// what absorbing real repositories gives, written to bench/ABSORPTION.md.
//   `lift eval` of each package, with the next one's adapter as the wrong one, in a process of its own
//   edits, renames and removals of one of them (none with --change-minutes 0)
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
import { embeddedModelFolder, workerFile } from '../native-host/locations.ts';
import { openBaseModel } from '../native-host/model/open-model.ts';
import { openServices } from '../native-host/open-services.ts';
import { openOnnxDevice } from '../native-host/runtime/onnx/onnx-device.ts';
import type { EvalResult } from '../native-host/study/eval/eval-result.ts';
import { run } from './command.ts';
import { changes, factsOfChange, factsOfFolder, knownShare } from './repositories/changes.ts';
import { absorptionPage, type ChangeRun, type MeasuredChange, type MeasuredRepository } from './repositories/page.ts';
import { type FetchedRepository, fetchRepository, measuredPackages } from './repositories/repositories.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: measuredPackages.map(({ name }) => name).join(',') },
    /** Of each training. */
    steps: { type: 'string', default: '1200' },
    probes: { type: 'string', default: '200' },
    'change-minutes': { type: 'string', default: '5' },
    questions: { type: 'string' },
  },
});
const changeMinutes = Number(values['change-minutes']);
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
  let changed: ChangeRun | null = null;
  const write = async () => {
    const repositories: MeasuredRepository[] = [];
    for (const { name, version } of fetched) {
      const result = await keptResult<EvalResult>(name, optionsOf(name));
      if (result !== null) repositories.push({ name, version, result });
    }
    const page = absorptionPage({ command: thisCommand(), repositories, missing, changes: changed });
    await writeFile(projectFile('bench/ABSORPTION.md'), page);
  };
  for (const [i, one] of fetched.entries()) {
    if (!only.includes(one.name) || (await keptResult(one.name, optionsOf(one.name))) !== null) continue;
    await evaluate(one, fetched[(i + 1) % fetched.length]!);
    await write();
  }
  const semver = fetched.find(({ name }) => name === 'semver');
  if (semver !== undefined && changeMinutes > 0) {
    const options = ['--change-minutes', String(changeMinutes)];
    changed = await keptResult<ChangeRun>('changes', options);
    if (changed === null) {
      changed = await measureChanges(semver, changeMinutes);
      await keep('changes', options, changed);
    }
  }
  await write();
} finally {
  await rm(scratch, { recursive: true, force: true });
}

/** Without the name of a folder, which says nothing elsewhere. */
function thisCommand(): string {
  const { steps, probes, questions } = values;
  const rest = questions === undefined ? '' : ' --questions <folder>';
  return `node dist/bench-repositories.js --steps ${steps} --probes ${probes} --change-minutes ${changeMinutes}${rest}`;
}

/** Of `lift eval`, whatever folders it works in. */
function optionsOf(name: string): string[] {
  const questions = values.questions === undefined ? null : resolve(values.questions, `${name}.jsonl`);
  return [
    ...['--steps', values.steps, '--probes', values.probes],
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

/** Absorbs a copy, then changes and refreshes it again and again. */
async function measureChanges(
  { name, version, folder: source }: FetchedRepository,
  minutes: number,
): Promise<ChangeRun> {
  const folder = join(scratch, 'changed');
  const storeRoot = join(scratch, 'store');
  await mkdir(folder);
  await cp(source, folder, { recursive: true });
  const services = await openServices({ storeRoot, device: 'cpu' });
  const model = await openBaseModel(embeddedModelFolder(), { folder: join(storeRoot, 'float32'), form: 'F32' });
  const device = openOnnxDevice('cpu', workerFile);
  // A refresh takes at most two of the minutes.
  const absorb = () =>
    services.absorb(
      folder,
      { minutes },
      {
        signal: new AbortController().signal,
        whileRunning: () => Promise.resolve(),
        onProgress: () => undefined,
      },
    );
  const adapter = services.store.adapter(folder, model.key);
  try {
    const first = await absorb();
    if ((await adapter.loadVersion())?.version.note.whole !== true)
      throw new Error(
        `${first.steps} steps in ${minutes} minutes did not go through ${name} once: give more with --change-minutes`,
      );
    const measured: MeasuredChange[] = [];
    for (const change of changes) {
      const before = await factsOfFolder(model, folder);
      const versionBefore = (await adapter.loadVersion())!;
      await change.apply(folder);
      const { fresh, gone, kept } = factsOfChange(before, await factsOfFolder(model, folder));
      const started = performance.now();
      const { steps, trainedTokens, end } = await absorb();
      const seconds = (performance.now() - started) / 1000;
      const versionAfter = (await adapter.loadVersion())!;
      measured.push({
        name: change.name,
        steps,
        trainedTokens,
        seconds,
        end,
        fresh: await knownShare(device, model, versionAfter, fresh),
        gone: await knownShare(device, model, versionAfter, gone),
        keptBefore: await knownShare(device, model, versionBefore, kept),
        keptAfter: await knownShare(device, model, versionAfter, kept),
      });
      console.log(JSON.stringify(measured.at(-1)));
    }
    const { steps, seconds } = first;
    return { name: `${name} ${version}`, minutes, steps, seconds, changes: measured };
  } finally {
    await services.close();
    await device.close();
  }
}
