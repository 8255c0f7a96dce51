// Makes the text that lift-base is pretrained on: `node dist/pretrain/base-data.js`. Fetches the packages, then writes
// .cache/lift-base/documents.jsonl, the tokenizer, and tokens.bin with index.json. What is there is kept; `--anew` begins again.
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { emptyReport, type PretrainingDocument, pretrainingDocuments, writeTokenShards } from '../corpus.ts';
import { fetchDebianArchives } from '../debian-archive.ts';
import { excludedFingerprint } from '../excluded.ts';
import { basePackageList } from '../package-list.ts';
import { trainTokenizer, writeTokenizer } from '../tokenizer.ts';
import { balanced } from './balance.ts';
import { withoutNearCopies } from './near-copies.ts';

const VOCABULARY_SIZE = 8192;
const TOKENIZER_SAMPLE_BYTES = 30_000_000;

const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
const cacheFolder = process.env.LIFT_BASE_CACHE ?? join(projectFolder, '.cache', 'lift-base');
const documentsFile = join(cacheFolder, 'documents.jsonl');
const say = (line: string) => console.log(line);

async function* readDocuments(): AsyncGenerator<PretrainingDocument> {
  for await (const line of createInterface({ input: createReadStream(documentsFile) })) yield JSON.parse(line);
}

const storedDocuments = () => balanced(readDocuments());

async function writeDocuments(): Promise<void> {
  const packages = basePackageList();
  const archives = packages.filter(({ from }) => from === 'debian-archive');
  say(`packages: ${packages.length} listed, ${archives.length} of them Debian's`);
  await fetchDebianArchives(archives, join(cacheFolder, 'debs'));
  const excluded = await excludedFingerprint(cacheFolder);
  say(`excluded: ${excluded.packages.join(', ')}; ${excluded.files.size} files, ${excluded.shingles.size} shingles`);
  const report = emptyReport();
  const countCopy = () => {
    report.counts['mostly in others'] = (report.counts['mostly in others'] ?? 0) + 1;
  };
  const part = createWriteStream(`${documentsFile}.part`);
  const documents = pretrainingDocuments(packages, { projectFolder, cacheFolder }, excluded, report);
  for await (const document of withoutNearCopies(documents, countCopy)) {
    if (!part.write(`${JSON.stringify(document)}\n`)) await once(part, 'drain');
  }
  part.end();
  await finished(part);
  await rename(`${documentsFile}.part`, documentsFile);
  await writeFile(join(cacheFolder, 'report.json'), `${JSON.stringify(report, null, 1)}\n`);
  say(
    `missing packages: ${report.missing.length}; too close to an excluded package: ${report.excluded.length} documents`,
  );
  for (const [reason, count] of Object.entries(report.counts)) say(`left out, ${reason}: ${count}`);
}

await mkdir(cacheFolder, { recursive: true });
const isThere = await access(documentsFile).then(
  () => !process.argv.includes('--anew'),
  () => false,
);
if (!isThere) await writeDocuments();

const sizes = new Map<string, number>();
let total = 0;
for await (const { text, language } of storedDocuments()) {
  sizes.set(language, (sizes.get(language) ?? 0) + text.length);
  total += text.length;
}
say(`characters: ${total}`);
for (const [language, size] of [...sizes].sort((a, b) => b[1] - a[1]))
  say(`  ${language}: ${((100 * size) / total).toFixed(1)} %`);

const sample: string[] = [];
const share = TOKENIZER_SAMPLE_BYTES / total;
let index = 0;
for await (const { text, validation } of storedDocuments()) {
  index += 1;
  if (!validation && Math.floor(index * share) > Math.floor((index - 1) * share)) sample.push(text);
}
const tokenizer = trainTokenizer(sample, VOCABULARY_SIZE);
await writeTokenizer(join(cacheFolder, 'tokenizer'), tokenizer);
say(`tokenizer: ${VOCABULARY_SIZE} tokens from ${sample.length} documents`);
const { tokens, documents } = await writeTokenShards(cacheFolder, 'lift-base', storedDocuments(), tokenizer);
const held = documents.filter(({ validation }) => validation).reduce((sum, { start, end }) => sum + end - start, 0);
say(
  `tokens: ${tokens} in ${documents.length} documents, ${held} of them held out; ${(total / tokens).toFixed(2)} characters each`,
);
