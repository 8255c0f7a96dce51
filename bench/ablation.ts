// `node dist/bench-ablation.js [--model models/lift-base] [--packages semver,tar] [--steps 300] [--probes 100] [--only …]`: what
// each part of the method adds, on packages that the embedded model has never seen (all of them by default), written to
// bench/ABLATION.md as a section for the model and so many packages. Each training has as many steps, so that the answers are
// the same whatever else the machine does. `--only`: some of the trainings below.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { embeddedModelFolder } from '../native-host/locations.ts';
import type { EvalResult } from '../native-host/study/eval/eval-result.ts';
import { type AblationPart, type AblationRun, ablationRows, writeAblation } from './ablation-page.ts';
import { lastLine, run } from './command.ts';
import { type FetchedRepository, fetchRepository, measuredPackages } from './repositories/repositories.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    packages: { type: 'string', default: measuredPackages.map(({ name }) => name).join(',') },
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
  { name: 'with AdamW (twice the steps)', method: 'none', arms: ['lift'], optimizer: 'adamw' },
  ...(['lora', 'gatedMemory'] as const).flatMap((kind): AblationPart[] => {
    const name = kind === 'lora' ? 'LoRA' : 'Gated Memory (twice the steps)';
    return [
      { name: `as ${name}`, method: 'none', arms: ['lift'], kind },
      { name: `segments alone as ${name}`, method: 'none', arms: ['lift-segments'], kind },
      { name: `questions alone as ${name}`, method: 'none', arms: ['lift-questions'], kind },
      { name: `+ self-study distilled as ${name}`, method: 'self-study,distillation', arms: ['lift'], kind },
    ];
  }),
];

// Relative to the bundle in dist/.
const projectFile = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'lift-ablation-'));
const model = values.model === undefined ? embeddedModelFolder() : resolve(values.model);
const chosen = values.only?.split(',').map((name) => name.trim());
try {
  const packages: FetchedRepository[] = [];
  for (const name of values.packages.split(',')) {
    const wanted = measuredPackages.find((one) => one.name === name);
    if (wanted === undefined) throw new Error(`there is no package ${name} in the set`);
    const fetched = await fetchRepository(wanted, projectFile('.cache/bench/packages'), scratch);
    if (typeof fetched === 'string') throw new Error(fetched);
    packages.push(fetched);
  }
  const measured: { part: AblationPart; results: EvalResult[] }[] = [];
  const ran: AblationRun = {
    command: thisCommand(),
    model: basename(model),
    packages: packages.map(({ name, version }) => `${name} ${version}`),
    steps: Number(values.steps),
    measured,
  };
  for (const part of parts) {
    if (chosen !== undefined && !chosen.includes(part.name)) continue;
    const results: EvalResult[] = [];
    for (const { folder } of packages) results.push(await evaluated(part, folder));
    measured.push({ part, results });
    console.log(ablationRows(ran).at(-1)!.join(' | '));
    // What was measured is on the page when it is stopped.
    await writeAblation(projectFile('bench/ABLATION.md'), ran);
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

/** Without the name of a folder, which says nothing elsewhere. */
function thisCommand(): string {
  const { model: named, steps, probes, only, packages } = values;
  const ofModel = named === undefined ? '' : ` --model models/${basename(named)}`;
  const some = only === undefined ? '' : ` --only '${only}'`;
  return `node dist/bench-ablation.js${ofModel} --packages ${packages} --steps ${steps} --probes ${probes}${some}`;
}

async function evaluated({ method, arms, kind, optimizer }: AblationPart, folder: string): Promise<EvalResult> {
  // AdamW's steps have one batch, Muon's two, and AdamW trains Gated Memory.
  const isAdamw = optimizer === 'adamw' || kind === 'gatedMemory';
  const steps = Number(values.steps) * (isAdamw ? 2 : 1);
  const output = await run(process.execPath, [
    projectFile('dist/cli.js'),
    ...['eval', folder, '--model', model, '--arms', arms.join(','), '--method', method],
    ...(kind === undefined ? [] : ['--adapter-kind', kind]),
    ...(optimizer === undefined ? [] : ['--optimizer', optimizer]),
    ...['--steps', String(steps), '--probes', values.probes, '--needles', '0'],
    ...['--store', join(scratch, 'store'), '--device', 'cpu', '--json'],
  ]);
  return lastLine(output) as EvalResult;
}
