// Makes all that pretraining reads: `node dist/pretrain/data.js`. Packages, then tokenizer, then tokens; what is already
// there is kept, so an interrupted run goes on where it was. `--tokenizer` trains the tokenizer anew.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emptyReport, pretrainingDocuments, type ShardIndex, tokenShards, writeTokenShards } from './corpus.ts';
import { excludedFingerprint } from './excluded.ts';
import { packageList } from './package-list.ts';
import { type TokenizerJson, trainTokenizer, writeTokenizer } from './tokenizer.ts';

/** Sampled evenly over all packages. */
const TOKENIZER_SAMPLE_BYTES = 15_000_000;

const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
const cacheFolder = join(projectFolder, '.cache', 'pretrain');
const modelFolder = join(projectFolder, 'models', 'lift-nano');
const places = { projectFolder, cacheFolder };
const say = (line: string) => console.log(line);

const packages = packageList();
say(`packages: ${packages.length} listed`);
const excluded = await excludedFingerprint(cacheFolder);
say(`excluded: ${excluded.packages.join(', ')}; ${excluded.files.size} files, ${excluded.shingles.size} shingles`);

const tokenizerFile = join(modelFolder, 'tokenizer.json');
let tokenizer: TokenizerJson | null = process.argv.includes('--tokenizer')
  ? null
  : await readFile(tokenizerFile, 'utf8').then(JSON.parse, () => null);
if (!tokenizer) {
  const texts: string[] = [];
  let total = 0;
  for await (const { text, validation } of pretrainingDocuments(packages, places, excluded, emptyReport())) {
    if (!validation) texts.push(text);
    total += text.length;
  }
  const keepEvery = Math.max(1, total / TOKENIZER_SAMPLE_BYTES);
  const sample = texts.filter((_, i) => Math.floor((i + 1) / keepEvery) > Math.floor(i / keepEvery));
  const started = Date.now();
  tokenizer = trainTokenizer(sample);
  await writeTokenizer(modelFolder, tokenizer);
  say(`tokenizer: trained on ${sample.length} documents in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

const key = createHash('sha256')
  .update(JSON.stringify([tokenizer, packages, excluded.packages]))
  .digest('hex')
  .slice(0, 16);
const stored = await tokenShards(cacheFolder, key);
if (stored) {
  printStatistics(stored.index);
} else {
  const report = emptyReport();
  const documents = pretrainingDocuments(packages, places, excluded, report);
  const index = await writeTokenShards(cacheFolder, key, documents, tokenizer);
  await writeFile(join(cacheFolder, 'report.json'), `${JSON.stringify(report, null, 1)}\n`);
  printStatistics(index);
  for (const { package: name, reason } of report.missing) say(`missing: ${name}: ${reason}`);
  say(`left out, too close to an excluded package: ${report.excluded.length} documents (report.json lists them)`);
  for (const [reason, count] of Object.entries(report.counts)) say(`left out, ${reason}: ${count}`);
}

function printStatistics(index: ShardIndex): void {
  say(`tokens: ${index.tokens} in ${index.documents.length} documents, ${join(cacheFolder, 'tokens.bin')}`);
  const share = (tokens: number) => `${((100 * tokens) / index.tokens).toFixed(2)} %`;
  for (const field of ['language', 'license', 'validation', 'package'] as const) {
    const sums = new Map<string, number>();
    for (const document of index.documents) {
      const name = String(document[field]);
      sums.set(name, (sums.get(name) ?? 0) + document.end - document.start);
    }
    const sorted = [...sums].sort((a, b) => b[1] - a[1]);
    const shown = field === 'package' ? sorted.slice(0, 12) : sorted;
    say(
      `by ${field} (${sums.size}): ${shown.map(([name, tokens]) => `${name} ${tokens} (${share(tokens)})`).join(', ')}`,
    );
  }
}
