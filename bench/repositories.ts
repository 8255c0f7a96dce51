// `node dist/bench-repositories.js [--only semver,tar] [--minutes 5] [--probes 200] [--change-minutes 5] [--questions <folder>]`:
// what absorbing real repositories gives, written to bench/ABSORPTION.md.
//   `lift eval` of each package, with the next one's adapter as the wrong one, in a process of its own
//   edits, renames and removals of one of them (none with --change-minutes 0)
// `--questions`: a folder that may hold <package>.jsonl with reference answers. JSON and HTML reports stay in .cache.
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

const defaults = { minutes: '5', probes: '200', 'change-minutes': '5' };
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: measuredPackages.map(({ name }) => name).join(',') },
    minutes: { type: 'string', default: defaults.minutes },
    probes: { type: 'string', default: defaults.probes },
    'change-minutes': { type: 'string', default: defaults['change-minutes'] },
    questions: { type: 'string' },
  },
});
const fullCommand = 'npm run build && node dist/bench-repositories.js';
// Relative to the bundle in dist/.
const projectFile = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const cache = projectFile('.cache/bench');
const scratch = await mkdtemp(join(tmpdir(), 'lift-bench-'));
const only = values.only.split(',');
const unknown = only.filter((name) => !measuredPackages.some((one) => one.name === name));
if (unknown.length > 0) throw new Error(`there is no package ${unknown.join(', ')} in the set`);

try {
  const missing: string[] = [];
  const fetched: FetchedRepository[] = [];
  for (const wanted of measuredPackages) {
    const found = await fetchRepository(wanted, join(cache, 'packages'), scratch);
    if (typeof found === 'string') missing.push(`${wanted.name}: ${found}`);
    else fetched.push(found);
  }
  const repositories: MeasuredRepository[] = [];
  const write = async (changed: ChangeRun | null) => {
    const page = absorptionPage({ command: thisCommand(), fullCommand, repositories, missing, changes: changed });
    await writeFile(projectFile('bench/ABSORPTION.md'), page);
  };
  for (const [i, one] of fetched.entries()) {
    if (!only.includes(one.name)) continue;
    const result = await evaluated(one, fetched[(i + 1) % fetched.length]!);
    repositories.push({ name: one.name, version: one.version, result });
    // A run takes hours: what it has come to is on the page when it is stopped.
    await write(null);
  }
  const semver = fetched.find(({ name }) => name === 'semver');
  const minutes = Number(values['change-minutes']);
  await write(semver === undefined || minutes === 0 ? null : await measureChanges(semver, minutes));
} finally {
  await rm(scratch, { recursive: true, force: true });
}

/** Without the name of a folder, which says nothing elsewhere. */
function thisCommand(): string {
  const { only, minutes, probes, questions } = values;
  const rest = questions === undefined ? '' : ' --questions <folder>';
  return `node dist/bench-repositories.js --only ${only} --minutes ${minutes} --probes ${probes} --change-minutes ${values['change-minutes']}${rest}`;
}

async function evaluated({ name, folder }: FetchedRepository, other: FetchedRepository): Promise<EvalResult> {
  const out = join(cache, 'absorption', name);
  const questions = values.questions === undefined ? null : resolve(values.questions, `${name}.jsonl`);
  await run(process.execPath, [
    projectFile('dist/cli.js'),
    ...['eval', folder, '--adapter-of', other.folder, '--minutes', values.minutes, '--probes', values.probes],
    ...['--store', join(scratch, 'store'), '--out', out],
    ...(questions !== null && existsSync(questions) ? ['--questions', questions] : []),
  ]);
  return JSON.parse(await readFile(join(out, 'eval.json'), 'utf8'));
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
