// `node dist/bench-scaling.js [--sizes 10000,20000,…]`: how time and memory grow with the corpus, written to
// bench/RESULTS.md. The corpora are sources of installed packages; two epochs of segments and questions
// each.
import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openServices } from '../native-host/open-services.ts';
import { writeSection } from './results.ts';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'lift-bench-'));
const storeRoot = join(scratch, 'store');
const services = await openServices({ storeRoot });
const bytesPerToken = 3.2;
const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,20000,40000,80000' },
  },
});

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

async function absorb(folder: string) {
  const started = performance.now();
  let reported = started;
  const outcome = await services.absorb(
    folder,
    { epochs: 2 },
    {
      signal: new AbortController().signal,
      whileRunning: async () => {},
      onProgress: ({ phase, epoch, absorbed, documentsSeen, loss }) => {
        if (performance.now() - reported < 30_000) return;
        reported = performance.now();
        console.log(
          `  ${phase}: epoch ${epoch}, loss ${loss?.toFixed(2)}, ${documentsSeen} documents seen, absorbed ${absorbed.toFixed(3)}`,
        );
      },
    },
  );
  return { ...outcome, wallSeconds: (performance.now() - started) / 1000 };
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const peakMegabytes = () => (process.resourceUsage().maxRSS / 1024).toFixed(0);

try {
  const rows: string[] = [];
  let perToken = 0;
  for (const size of options.sizes.split(',').map(Number)) {
    const folder = join(scratch, `corpus-${size}`);
    await makeCorpus(folder, size);
    const { tokens, documents, absorbed, wallSeconds } = await absorb(folder);
    if (perToken === 0) perToken = wallSeconds / tokens;
    const growth = (wallSeconds / tokens / perToken).toFixed(2);
    rows.push(
      `| ${tokens} | ${documents} | ${wallSeconds.toFixed(1)} | ${growth} | ${percent(absorbed)} | ${peakMegabytes()} |`,
    );
    console.log(rows.at(-1));
  }
  await writeSection('scaling', [
    `Command: \`node dist/bench-scaling.js --sizes ${options.sizes}\`. Embedded model, cpu; two epochs of segments and`,
    'questions, from scan to saved version. What becomes of a million tokens: bench/SCALE.md.',
    '',
    '| tokens | documents | seconds | seconds a token, relative to the first row | absorbed | peak memory so far, MB |',
    '|---|---|---|---|---|---|',
    ...rows,
  ]);
} finally {
  await services.close();
  await rm(scratch, { recursive: true, force: true });
}
