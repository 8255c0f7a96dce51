// `node dist/bench-scaling.js [--sizes 10000,20000,…] [--minutes 12]`: how time and memory grow with the corpus, written to
// bench/RESULTS.md. The corpora are sources of installed packages; one epoch of segments and one of segments and questions
// each. The last, of a million tokens, gets so many minutes, is stopped at half of them, and goes on.
import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { embeddedModelFolder } from '../native-host/locations.ts';
import { openServices } from '../native-host/open-services.ts';
import { measureVersion } from './measured-version.ts';
import { copyMillion, packagesOfMillion } from './million-corpus.ts';
import { writeSection } from './results.ts';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'lift-bench-'));
const storeRoot = join(scratch, 'store');
const services = await openServices({ storeRoot });
const bytesPerToken = 3.2;
const million = 1_000_000;
const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,20000,40000,80000,1000000' },
    minutes: { type: 'string', default: '12' },
  },
});
const minutes = Number(options.minutes);

/** Every readable source file of the installed packages with its size, in a fixed order. */
async function sourceFiles(folder: string): Promise<{ path: string; bytes: number }[]> {
  const found: { path: string; bytes: number }[] = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await sourceFiles(path)));
    else if (/\.(js|mjs|ts|md)$/.test(entry.name) && !/\.min\./.test(entry.name)) {
      const { size } = await stat(path);
      if (size > 500 && size < 40_000) found.push({ path, bytes: size });
    }
  }
  return found;
}

async function makeCorpus(folder: string, tokens: number): Promise<void> {
  const files = await sourceFiles(modules);
  let bytes = 0;
  // Spread over all packages, so that every size has the same kind of text.
  const every = Math.max(1, Math.floor(files.reduce((sum, file) => sum + file.bytes, 0) / (tokens * bytesPerToken)));
  for (let i = 0; i < files.length && bytes < tokens * bytesPerToken; i += every) {
    const { path, bytes: size } = files[i]!;
    const target = join(folder, path.slice(modules.length + 1).replace(/node_modules/g, 'modules'));
    await mkdir(join(target, '..'), { recursive: true });
    await cp(path, target);
    bytes += size;
  }
}

async function absorb(folder: string, budget: { epochs?: number; minutes?: number }, stopAfterSeconds?: number) {
  const stop =
    stopAfterSeconds === undefined ? new AbortController().signal : AbortSignal.timeout(1000 * stopAfterSeconds);
  const started = performance.now();
  let reported = started;
  const outcome = await services.absorb(folder, budget, {
    signal: stop,
    whileRunning: async () => {},
    onProgress: ({ phase, epoch, absorbed, documentsSeen, loss }) => {
      if (performance.now() - reported < 30_000) return;
      reported = performance.now();
      console.log(
        `  ${phase}: epoch ${epoch}, loss ${loss?.toFixed(2)}, ${documentsSeen} documents seen, absorbed ${absorbed.toFixed(3)}`,
      );
    },
  });
  return { ...outcome, wallSeconds: (performance.now() - started) / 1000 };
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const peakMegabytes = () => (process.resourceUsage().maxRSS / 1024).toFixed(0);

/** A million tokens: half of the minutes, a stop, the other half. */
async function measureMillion(): Promise<{ row: string; text: string[] }> {
  const folder = join(scratch, 'million');
  await copyMillion(modules, folder);
  const half = await absorb(folder, { minutes }, 30 * minutes);
  const stopped = await services.status(folder);
  const whole = await absorb(folder, { minutes });
  const memory = peakMegabytes();
  const status = await services.status(folder);
  const adapter = services.store.adapter(folder, (await services.adapters())[0]!.baseModelKey);
  const files = { model: embeddedModelFolder(), cache: join(storeRoot, 'float32'), folder };
  const first = await measureVersion(files, adapter, half.version!);
  const last = await measureVersion(files, adapter, whole.version!);
  const seconds = half.wallSeconds + whole.wallSeconds;
  const row = `| ${whole.tokens} | ${whole.documents} | ${seconds.toFixed(1)} | | ${percent(whole.absorbed)} | ${memory} |`;
  return {
    row,
    text: [
      `A million tokens: ${packagesOfMillion.map(([name]) => name).join(', ')};`,
      `the embedded model was trained on none of them. ${minutes} minutes; ${half.trainedTokens} tokens trained before the stop, ${whole.trainedTokens} in all.`,
      '',
      '| when | absorbed, by `status` | measured | documents visited | not learned yet, by `status` | exact match, trained wording | new wording |',
      '|---|---|---|---|---|---|---|',
      ...[
        { when: 'stopped at half', status: stopped, version: first },
        { when: 'at the end', status, version: last },
      ].map(({ when, status, version }) => {
        const { measured, visited, documents, trained, heldBack, baseTrained, baseHeldBack } = version;
        const matches = `${percent(trained)} (base ${percent(baseTrained)}) | ${percent(heldBack)} (base ${percent(baseHeldBack)})`;
        return `| ${when} | ${percent(status.absorbed)} | ${percent(measured)} | ${visited} of ${documents} | ${status.dirty} | ${matches} |`;
      }),
      '',
      `Measured: every document that was visited, whole; others count nothing. Exact match: ${last.probes} probes about documents that were visited.`,
    ],
  };
}

try {
  const rows: string[] = [];
  const text: string[] = [];
  let perToken = 0;
  for (const size of options.sizes.split(',').map(Number)) {
    if (size >= million) {
      const measured = await measureMillion();
      rows.push(measured.row);
      text.push('', ...measured.text);
    } else {
      const folder = join(scratch, `corpus-${size}`);
      await makeCorpus(folder, size);
      const { tokens, documents, absorbed, wallSeconds } = await absorb(folder, { epochs: 2 });
      if (perToken === 0) perToken = wallSeconds / tokens;
      const growth = (wallSeconds / tokens / perToken).toFixed(2);
      rows.push(
        `| ${tokens} | ${documents} | ${wallSeconds.toFixed(1)} | ${growth} | ${percent(absorbed)} | ${peakMegabytes()} |`,
      );
    }
    console.log([rows.at(-1), ...text].join('\n'));
  }
  await writeSection('scaling', [
    `Command: \`node dist/bench-scaling.js --sizes ${options.sizes} --minutes ${options.minutes}\`. Embedded model, cpu; one epoch of segments and`,
    `one with questions, from scan to saved version. A million tokens get ${minutes} minutes.`,
    '',
    '| tokens | documents | seconds | seconds a token, relative to the first row | absorbed | peak memory so far, MB |',
    '|---|---|---|---|---|---|',
    ...rows,
    ...text,
  ]);
} finally {
  await services.close();
  await rm(scratch, { recursive: true, force: true });
}
