/**
 * `npm run peft:check`: whether adapters mean the same here and in Hugging Face PEFT. Prints a table, and writes it to
 * bench/RESULTS.md where all is right. Exit code 0: all is right; 1: something is not; 2: Python has no PEFT.
 *
 *   node dist/peft-check.js [--python python3] [--folder <scratch>]
 *
 * For the embedded model and random ones of every family, on the cpu backend in float32:
 *   export   an adapter that is trained here for some steps, by transformers and PEFT from the exported folder
 *   import   adapters that PEFT makes, here from the folder that PEFT writes
 *   refuse   what PEFT can make and this project cannot compute, by an error that names it
 * Compared are the logits of all positions of a text; the largest difference may be 1e-3, and the adapter has to change
 * them by a hundred times as much, or nothing would be shown.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeSection } from '../bench/results.ts';
import { textTable } from '../native-host/cli/text-table.ts';
import { embeddedModelFolder } from '../native-host/locations.ts';
import { openOnnxDevice } from '../native-host/runtime/onnx/onnx-device.ts';
import { Peft } from './peft-check/peft.ts';
import { roundTrips } from './peft-check/round-trips.ts';

const { values: options } = parseArgs({
  options: { python: { type: 'string', default: 'python3' }, folder: { type: 'string' } },
});
const inDist = (file: string) => fileURLToPath(new URL(file, import.meta.url));

const peft = new Peft(options.python, inDist('../scripts/reference/peft_adapter.py'));
const { versions, reason } = await peft.versions();
if (versions === null) {
  console.error(`Nothing was checked: ${options.python} has no PyTorch with transformers and PEFT (${reason}).`);
  process.exit(2);
}
console.log(versions);

const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), 'lift-peft-')));
const device = await openOnnxDevice('cpu', new URL('./worker.js', import.meta.url));
const head = ['Model', 'Adapter', 'Changes logits by', 'Largest difference', ''];
const rows: string[][] = [];
let failures = 0;
try {
  const trips = roundTrips(device, peft, embeddedModelFolder(), folder);
  for await (const { model, what, change, difference, problem } of trips) {
    if (problem !== null) failures += 1;
    const figure = (value: number | null) => value?.toExponential(1) ?? '';
    rows.push([model, what, figure(change), figure(difference), problem ?? 'right']);
  }
} finally {
  console.log(textTable(head, rows, head.slice(2, 4)).join('\n'));
  await device.close();
  if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
}
if (failures === 0) {
  const line = (cells: readonly string[]) => `| ${cells.slice(0, 4).join(' | ')} |`;
  await writeSection('PEFT', [
    `Command: \`npm run peft:check\`, with ${versions}: the logits of the same text here and in PEFT. An adapter that was`,
    'trained here is read there, and one that PEFT made is read here.',
    '',
    line(head),
    '| --- | --- | ---: | ---: |',
    ...rows.filter(([, , change]) => change !== '').map(line),
  ]);
}
console.log(failures === 0 ? 'All is right.' : `${failures} of these are wrong.`);
process.exit(failures === 0 ? 0 : 1);
