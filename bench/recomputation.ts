// `node dist/bench-recomputation.js [--shapes 135m,0.5b]`: what it costs and saves to compute each layer a second time
// for the gradient rather than keep it, written to bench/RESULTS.md.
import { parseArgs } from 'node:util';
import type { BenchRow } from '../native-host/bench/bench-row.ts';
import { figure, lift } from './command.ts';
import { writeSection } from './results.ts';

const { values: options } = parseArgs({
  options: { shapes: { type: 'string', default: '135m,0.5b' }, device: { type: 'string', default: 'cpu' } },
});

const measuredIn = (rows: readonly BenchRow[], name: string) => rows.find((row) => row.name === name)!.value;

const lines: string[] = [];
for (const shape of options.shapes.split(',')) {
  const args = ['bench', 'train', '--shape', shape, '--device', options.device];
  const [kept, again] = [await lift(args), await lift([...args, '--recompute'])];
  const cells = [
    ['step, best', 's'],
    ['step, median', 's'],
    ['peak memory', 'MB'],
    ['estimated for gradient and update', 'MB'],
  ].map(([name, unit]) => {
    const [before, after] = [measuredIn(kept, name!), measuredIn(again, name!)];
    return `| ${shape} | ${name} | ${figure(before)} ${unit} | ${figure(after)} ${unit} | ${figure(after / before)} |`;
  });
  lines.push(...cells);
}
await writeSection('recomputation', [
  `Command: \`node dist/bench-recomputation.js --shapes ${options.shapes} --device ${options.device}\`, which runs`,
  '`lift bench train` with and without `--recompute`: a LoRA step of rank 16 over 2 × 256 tokens. Both memory figures',
  'include the frozen weights, which are mapped from their file. The peak is of the whole process; the estimate, by which',
  'training decides when memory is short, leaves out Node itself and the vectors of the optimizer.',
  '',
  '| shape | what | layers kept | layers computed again | ratio |',
  '| --- | --- | ---: | ---: | ---: |',
  ...lines,
]);
