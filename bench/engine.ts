// `node dist/bench-engine.js [--shapes nano,135m,0.5b] [--kinds train,decode,load,scan]`: how fast the engine
// is, written to bench/RESULTS.md. Each measurement is a process of its own, one after another, so that none sees another's memory.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { BenchRow } from '../native-host/bench/bench-row.ts';
import { figure, lastLine, lift, run } from './command.ts';
import { writeSection } from './results.ts';

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'nano,135m' },
    kinds: { type: 'string', default: 'train,decode,load,scan' },
    device: { type: 'string', default: 'cpu' },
  },
});
const pythonStep = 'scripts/reference/training_step.py';
const pythonConfig = 'test/fixtures/smollm2-tokenizer/config.json';
/** The shape that pythonConfig describes. */
const pythonShape = '135m';

const lines = [
  `Command: \`node dist/bench-engine.js --shapes ${options.shapes} --kinds ${options.kinds} --device ${options.device}\`.`,
];
for (const kind of options.kinds.split(',')) {
  for (const shape of kind === 'scan' ? [null] : options.shapes.split(',')) {
    const args = ['bench', kind, ...(shape === null ? [] : ['--shape', shape, '--device', options.device])];
    const rows = await lift(args);
    lines.push('', `\`lift ${args.join(' ')}\``, '', table(rows));
    if (kind === 'train' && shape === pythonShape) lines.push('', ...(await compareWithPyTorch(rows)));
  }
}
await writeSection('engine', lines);

/** PyTorch doing the same step on this machine, and how many times as many tokens the engine trains in a second. */
async function compareWithPyTorch(rows: readonly BenchRow[]): Promise<string[]> {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  const installed = await run(python, ['-c', 'import torch'], { quiet: true }).then(
    () => true,
    () => false,
  );
  if (!installed) {
    const line =
      'PyTorch is not installed here, so nothing is compared with it (Debian: apt-get install python3-torch).';
    console.error(line);
    return [line];
  }
  // Left to itself OpenBLAS takes newer processors for old ones, and is 3 to 4 times slower.
  const environment = { OPENBLAS_CORETYPE: 'SKYLAKEX', OMP_NUM_THREADS: '2' };
  const output = await run(python, [pythonStep, '--config', pythonConfig, '--threads', '2', '--steps', '10'], {
    environment,
  });
  const step = lastLine(output) as {
    torch: string;
    tokensPerSecond: number;
    matmulGflops: number;
    peakMemoryBytes: number;
  };
  const ours = rows.find(({ name }) => name === 'tokens a second, best step')!.value;
  const compared = [
    { name: `PyTorch ${step.torch}: tokens a second, best step`, value: step.tokensPerSecond, unit: 'tokens/s' },
    { name: 'PyTorch: matrix products, best', value: step.matmulGflops, unit: 'GFLOP/s' },
    { name: 'PyTorch: peak memory', value: step.peakMemoryBytes / 1e6, unit: 'MB' },
    { name: 'engine ÷ PyTorch, tokens a second', value: ours / step.tokensPerSecond, unit: '×' },
  ];
  return ['The same step in PyTorch:', '', table(compared)];
}

function table(rows: readonly BenchRow[]): string {
  const cells = rows.map(({ name, value, unit }) => `| ${name} | ${figure(value)} | ${unit} |`);
  return ['| what | value | unit |', '| --- | ---: | --- |', ...cells].join('\n');
}
