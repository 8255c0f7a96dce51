/**
 * `npm run gpu:check`: on a machine with an NVIDIA card, whether the kernels are right there and how fast they are. Prints
 * tables, and writes them to bench/RESULTS.md. Exit code 0: all is right; 1: something is not; 2: there is no card.
 *
 *   node dist/gpu-check.js [--only <parts>] [--shapes 0.5b,1.5b,3b,8b] [--python python3] [--folder <scratch>]
 *
 * What it does, in this order, so that what matters most comes first where time is short (minutes on a data-centre card):
 *   ops         each op and its gradients against the cpu backend, at sizes that fill tiles             1
 *   loss        200 steps of the embedded model beside the cpu backend; the same steps again, bit for bit   2
 *   products    matrix products at the models' shapes, beside PyTorch's (cuBLAS)                         1
 *   attention   forward and gradients, beside PyTorch's scaled_dot_product_attention                     1
 *   step        a LoRA step of 8 × 1024 tokens, beside Hugging Face PEFT                                3
 *   decode      tokens a second, beside the card's memory bandwidth                                      1
 *   answers     the wait for an answer's first token while training goes on                              1
 *   absorb      8k and 128k tokens absorbed by the largest shape, a refresh, and reading the same in context  4
 *
 * It needs this repository after `npm run build` (dist/, test/fixtures, models/), Node, and of node_modules only koffi,
 * @koromix and, for `ops` and `loss`, onnxruntime-node; no network. PyTorch, transformers and PEFT are used where
 * `--python` has them, and what cannot be compared is said. Random weights take 1 GB in the scratch folder.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fullSizes, gpuCheckParts, type PartName, toySizes } from '../bench/cuda/parts.ts';
import { Python } from '../bench/cuda/python.ts';
import { Report } from '../bench/cuda/report.ts';
import { writeSection } from '../bench/results.ts';
import { openCudaDevice } from '../native-host/runtime/cuda/cuda-device.ts';
import { Driver } from '../native-host/runtime/cuda/driver.ts';
import { CudaUnavailableError } from '../native-host/runtime/cuda/driver-error.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(gpuCheckParts).join(',') },
    shapes: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    folder: { type: 'string' },
    /** The emulated driver: to try this command itself, at toy sizes. */
    library: { type: 'string' },
  },
});
const { library: driverLibrary } = options;
const isTrial = driverLibrary !== undefined;
const shapes = options.shapes ?? (isTrial ? 'toy' : '0.5b,1.5b,8b');
const inDist = (file: string) => new URL(file, import.meta.url);

const card = findCard();
if (card === null) process.exit(2);
const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), 'lift-gpu-')));
const report = new Report();
const python = new Python(options.python, fileURLToPath(inDist('../scripts/reference/card.py')));
report.say(
  `${card.name}, compute capability ${card.capability / 10}, ${Math.round(card.totalBytes / 2 ** 30)} GiB, ` +
    `${card.multiprocessors} multiprocessors. ${await python.describe()}`,
);
try {
  for (const name of options.only.split(',') as PartName[]) {
    const part = gpuCheckParts[name];
    if (part === undefined)
      throw new Error(`there is no part '${name}'; choose of ${Object.keys(gpuCheckParts).join(', ')}`);
    const started = performance.now();
    const openCard = () =>
      openCudaDevice({
        workerFile: inDist('./cuda-worker.js'),
        kernelsFile: fileURLToPath(inDist('./cuda-kernels.fatbin')),
        ...(isTrial ? { driverLibrary } : {}),
      });
    try {
      await part({
        report,
        python,
        folder,
        shapes: shapes.split(','),
        sizes: isTrial ? toySizes : fullSizes,
        openCard,
        inDist,
      });
    } catch (error) {
      report.fail(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    report.say(`(${name} took ${Math.round((performance.now() - started) / 1000)} s)`);
  }
} finally {
  if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
}
const command = `npm run gpu:check -- --only ${options.only} --shapes ${shapes}`;
if (!isTrial) await writeSection('cuda', [`Command: \`${command}\`.`, '', ...report.lines]);
report.conclude();
process.exit(report.failures === 0 ? 0 : 1);

function findCard() {
  try {
    const [first] = new Driver(driverLibrary).cards();
    if (first !== undefined) return first;
    console.error('There is no NVIDIA card here: nothing was checked.');
  } catch (error) {
    if (!(error instanceof CudaUnavailableError)) throw error;
    console.error(`Nothing was checked: ${error.message}`);
  }
  return null;
}
