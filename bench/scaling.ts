// `node dist/bench-scaling.js [--sizes 10000,20000,…]`: how time and memory grow with the corpus, written to bench/RESULTS.md. The corpora are sources
// of installed packages; one epoch of segments and one of segments and questions each. The last has a million tokens and
// is stopped after a few minutes.
import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openServices } from '../native-host/open-services.ts';
import { writeSection } from './results.ts';

const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'lift-bench-'));
const services = await openServices({ storeRoot: join(scratch, 'store') });
const bytesPerToken = 3.2;
const minutesForMillion = 3;
const { values: options } = parseArgs({
  options: { sizes: { type: 'string', default: '10000,20000,40000,80000,1000000' } },
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

async function makeCorpus(
  name: string,
  files: readonly { path: string; bytes: number }[],
  tokens: number,
): Promise<string> {
  const folder = join(scratch, name);
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
  return folder;
}

try {
  const files = await sourceFiles(modules);
  const rows: string[] = [];
  let perToken = 0;
  for (const tokens of options.sizes.split(',').map(Number)) {
    const folder = await makeCorpus(`corpus-${tokens}`, files, tokens);
    const budget = tokens < 1_000_000 ? { epochs: 2 } : { minutes: minutesForMillion };
    const started = performance.now();
    const outcome = await services.absorb(folder, budget, {
      signal: new AbortController().signal,
      whileRunning: async () => {},
      onProgress: () => {},
    });
    const seconds = (performance.now() - started) / 1000;
    if (perToken === 0) perToken = seconds / outcome.tokens;
    const growth = tokens < 1_000_000 ? (seconds / outcome.tokens / perToken).toFixed(2) : '';
    const memory = (process.resourceUsage().maxRSS / 1024).toFixed(0);
    rows.push(
      `| ${outcome.tokens} | ${outcome.documents} | ${seconds.toFixed(1)} | ${growth} | ${(100 * outcome.absorbed).toFixed(1)} % | ${memory} |`,
    );
    console.log(rows.at(-1));
  }
  await writeSection('scaling', [
    `Command: \`node dist/bench-scaling.js --sizes ${options.sizes}\`. Embedded model, cpu; one epoch of segments and one with`,
    `questions, from scan to saved version. A million tokens are stopped after ${minutesForMillion} minutes.`,
    '',
    '| tokens | documents | seconds | seconds a token, relative to the first row | absorbed | peak memory so far, MB |',
    '|---|---|---|---|---|---|',
    ...rows,
  ]);
} finally {
  await services.close();
  await rm(scratch, { recursive: true, force: true });
}
