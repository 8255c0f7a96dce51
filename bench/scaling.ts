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
import { copyMillion, packagesOfMillion } from './million-corpus.ts';
import { writeSection } from './results.ts';
import { measureStopped } from './stopped-share.ts';

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
  const probe = await services.probe(folder, { probes: 200 }, new AbortController().signal);
  const adapter = services.store.adapter(folder, (await services.adapters())[0]!.baseModelKey);
  const check = await measureStopped(embeddedModelFolder(), join(storeRoot, 'float32'), folder, adapter, half.version!);
  const seconds = half.wallSeconds + whole.wallSeconds;
  return {
    row: `| ${whole.tokens} | ${whole.documents} | ${seconds.toFixed(1)} | | ${percent(whole.absorbed)} | ${memory} |`,
    text: [
      `A million tokens: ${packagesOfMillion.map(([name]) => name).join(', ')}, none of which the embedded model was trained on;`,
      `${minutes} minutes of training, ${half.trainedTokens} and ${whole.trainedTokens} tokens before the stop and in all. Stopped at half, \`status\``,
      `told ${percent(stopped.absorbed)} absorbed and ${stopped.dirty} of ${check.documents} documents not reached; measuring all that was visited (${check.visited}`,
      `documents, the others counting nothing) gives ${percent(check.measured)}. At the end ${percent(status.absorbed)}, ${status.dirty} documents not reached yet.`,
      `Probes all over the corpus (${probe.probes}): next-token accuracy ${percent(probe.baseNextTokenAccuracy)} → ${percent(probe.nextTokenAccuracy)}, exact match in trained`,
      `wording ${percent(probe.baseTrainedExactMatch)} → ${percent(probe.trainedExactMatch)}, in new wording ${percent(probe.baseExactMatch)} → ${percent(probe.exactMatch)}.`,
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
