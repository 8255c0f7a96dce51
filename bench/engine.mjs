// Measures the engine and writes the table into bench/RESULTS.md: `npm run bench`, or `node bench/engine.mjs --shapes nano`.
// Each measurement is a process of its own, one after another, so that none sees another's memory or threads.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine, replaceSection, table } from './results-file.mjs';

const root = new URL('../', import.meta.url);
const cli = fileURLToPath(new URL('dist/cli.js', root));
const pythonStep = 'scripts/reference/training_step.py';
const pythonConfig = 'test/fixtures/smollm2-tokenizer/config.json';
/** The shape that pythonConfig describes. */
const pythonShape = '135m';

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'nano,135m' },
    kinds: { type: 'string', default: 'train,decode,load,scan' },
    device: { type: 'string', default: 'cpu' },
    'dry-run': { type: 'boolean', default: false },
  },
});
if (!existsSync(cli)) {
  console.error('dist/cli.js is missing: run `npm run build` first');
  process.exit(1);
}

const kinds = options.kinds.split(',');
const shapes = options.shapes.split(',');
const parts = [];
for (const kind of kinds) {
  for (const shape of kind === 'scan' ? [null] : shapes) {
    const args = ['bench', kind, ...(shape === null ? [] : ['--shape', shape, '--device', options.device])];
    const output = await run(process.execPath, [cli, ...args, '--json']);
    const { rows } = JSON.parse(output.trim().split('\n').at(-1));
    const compared = kind === 'train' && shape === pythonShape ? await pytorchRows(rows) : [];
    parts.push(`\`lift ${args.join(' ')}\`\n\n${table([...rows, ...compared])}`);
  }
}

const text = [
  `Command: \`npm run bench\` (node bench/engine.mjs --shapes ${options.shapes} --kinds ${options.kinds} --device ${options.device}).`,
  machine(),
  ...parts,
].join('\n\n');
if (options['dry-run']) console.log(text);
else await replaceSection(new URL('bench/RESULTS.md', root), 'engine', text);

/** PyTorch doing the same step, and how many times as many tokens we trained in a second. */
async function pytorchRows(rows) {
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
  const hasTorch = await run(python, ['-c', 'import torch'], true).then(
    () => true,
    () => false,
  );
  if (!hasTorch) {
    console.error('PyTorch is not installed, so it is not compared with (Debian: apt-get install python3-torch)');
    return [{ name: 'PyTorch: not installed here', value: Number.NaN, unit: '' }];
  }
  // Where torch finds no settings it takes newer processors for old ones, and is 3–4 times slower.
  const environment = { OPENBLAS_CORETYPE: 'SKYLAKEX', OMP_NUM_THREADS: '2' };
  const output = await run(python, [pythonStep, '--config', pythonConfig, '--threads', '2'], false, environment);
  const step = JSON.parse(output.trim().split('\n').at(-1));
  const ours = rows.find(({ name }) => name === 'tokens a second, best step').value;
  return [
    { name: `PyTorch ${step.torch}: tokens a second, best step`, value: step.tokensPerSecond, unit: 'tokens/s' },
    { name: 'PyTorch: matrix products, best', value: step.matmulGflops, unit: 'GFLOP/s' },
    { name: 'PyTorch: peak memory', value: step.peakMemoryBytes / 1e6, unit: 'MB' },
    { name: 'ours ÷ PyTorch, tokens a second', value: ours / step.tokensPerSecond, unit: '×' },
  ];
}

/** Standard output of a command. Throws when it fails, with what it wrote to standard error. */
function run(command, args, quiet = false, environment = {}) {
  if (!quiet) console.error(`$ ${[command, ...args].join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? `status ${code}`}`));
    });
  });
}
