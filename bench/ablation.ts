// `node dist/bench-ablation.js [--model models/lift-base] [--steps 300] [--probes 100] [--only …]`: what each part of the method adds,
// on a package that the embedded model has never seen, written to bench/ABLATION.md as a section for the model. Each training
// has as many steps, so that the answers are the same whatever else the machine does. `--only`: some of the trainings below.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { embeddedModelFolder } from '../native-host/locations.ts';
import type { EvalResult } from '../native-host/study/eval/eval-result.ts';
import { type AblationPart, type AblationRun, ablationRows, writeAblation } from './ablation-page.ts';
import { lastLine, run } from './command.ts';
import { fetchRepository, measuredPackages } from './repositories/repositories.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    steps: { type: 'string', default: '300' },
    probes: { type: 'string', default: '100' },
    only: { type: 'string' },
  },
});

/** The first is what the others are compared with. */
const parts: readonly AblationPart[] = [
  { name: 'segments and questions', method: 'none', arms: ['base', 'lift', 'lift+rag'] },
  { name: '+ anchors', method: 'anchors', arms: ['lift', 'lift+rag'] },
  { name: '+ distractors', method: 'distractors', arms: ['lift', 'lift+rag'] },
  { name: '+ self-study distilled', method: 'self-study,distillation', arms: ['lift', 'lift+rag'] },
  { name: '+ self-study', method: 'self-study', arms: ['lift'] },
  { name: 'segments alone', method: 'none', arms: ['lift-segments'] },
  { name: 'questions alone', method: 'none', arms: ['lift-questions'] },
  { name: 'as LoRA', method: 'none', arms: ['lift'], kind: 'lora' },
  { name: 'as Gated Memory', method: 'none', arms: ['lift'], kind: 'gatedMemory' },
];

// Relative to the bundle in dist/.
const projectFile = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'lift-ablation-'));
const model = values.model === undefined ? embeddedModelFolder() : resolve(values.model);
const chosen = values.only?.split(',').map((name) => name.trim());
try {
  const wanted = measuredPackages.find(({ name }) => name === 'semver')!;
  const fetched = await fetchRepository(wanted, projectFile('.cache/bench/packages'), scratch);
  if (typeof fetched === 'string') throw new Error(fetched);
  const measured: { part: AblationPart; result: EvalResult }[] = [];
  const ran: AblationRun = {
    command: thisCommand(),
    model: basename(model),
    package: `${fetched.name} ${fetched.version}`,
    steps: Number(values.steps),
    measured,
  };
  for (const part of parts) {
    if (chosen !== undefined && !chosen.includes(part.name)) continue;
    measured.push({ part, result: await evaluated(part, fetched.folder) });
    console.log(ablationRows(ran).at(-1)!.join(' | '));
    // What was measured is on the page when it is stopped.
    await writeAblation(projectFile('bench/ABLATION.md'), ran);
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

/** Without the name of a folder, which says nothing elsewhere. */
function thisCommand(): string {
  const { model: named, steps, probes, only } = values;
  const ofModel = named === undefined ? '' : ` --model models/${basename(named)}`;
  const some = only === undefined ? '' : ` --only '${only}'`;
  return `node dist/bench-ablation.js${ofModel} --steps ${steps} --probes ${probes}${some}`;
}

async function evaluated({ method, arms, kind }: AblationPart, folder: string): Promise<EvalResult> {
  const output = await run(process.execPath, [
    projectFile('dist/cli.js'),
    ...['eval', folder, '--model', model, '--arms', arms.join(','), '--method', method],
    ...(kind === undefined ? [] : ['--adapter-kind', kind]),
    ...['--steps', values.steps, '--probes', values.probes, '--needles', '0'],
    ...['--store', join(scratch, 'store'), '--device', 'cpu', '--json'],
  ]);
  return lastLine(output) as EvalResult;
}
