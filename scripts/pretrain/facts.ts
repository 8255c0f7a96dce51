// Facts of the pretraining packages, each package a small repository of its own: `node dist/pretrain/facts.js` writes
// .cache/pretrain/facts.jsonl, one line a fact with an excerpt of its document that shows the answer, and explained.jsonl, one
// line for what a comment explains; the same of packages that are never trained on as held-out-facts.jsonl and
// held-out-explained.jsonl.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { uniformNumbers } from '../../native-host/model/random.ts';
import { emptyReport, type PretrainingDocument, pretrainingDocuments } from './corpus.ts';
import { excludedFingerprint } from './excluded.ts';
import type { Explained } from './explained.ts';
import { factsOfPackage, type PackageFact } from './package-facts.ts';
import { packageList } from './package-list.ts';

const largestDocument = 40_000;

const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
const cacheFolder = join(projectFolder, '.cache', 'pretrain');
const places = { projectFolder, cacheFolder };
const excluded = await excludedFingerprint(cacheFolder);
const packages = new Map<string, PretrainingDocument[]>();
for await (const document of pretrainingDocuments(packageList(), places, excluded, emptyReport())) {
  if (document.text.length > largestDocument) continue;
  const ofPackage = packages.get(document.package);
  if (ofPackage === undefined) packages.set(document.package, [document]);
  else ofPackage.push(document);
}
await mkdir(cacheFolder, { recursive: true });
const uniform = uniformNumbers(1);
await write('', false);
await write('held-out-', true);

async function write(prefix: string, isHeldOut: boolean): Promise<void> {
  const facts: PackageFact[] = [];
  const explained: Explained[] = [];
  const chosen = [...packages].filter(([, [first]]) => first!.validation === isHeldOut);
  for (const [name, all] of chosen) {
    const documents = all.map(({ path, text, language }) => ({ path, text, language, hash: `${name}/${path}` }));
    const found = await factsOfPackage(name, documents, uniform);
    facts.push(...found.facts);
    explained.push(...found.explained);
  }
  const save = (name: string, rows: readonly unknown[]) =>
    writeFile(join(cacheFolder, `${prefix}${name}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  await save('facts', facts);
  await save('explained', explained);
  const kinds = new Map<string, number>();
  for (const { kind } of facts) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const heldOut = isHeldOut ? ', held out' : '';
  console.log(`${facts.length} facts of ${chosen.length} packages${heldOut}`, Object.fromEntries(kinds));
  console.log(`${explained.length} explained pieces of code${heldOut}`);
}
