// `node dist/bench-order.js [folder…]`: what a budget that reaches a part of a folder's text reaches of its hubs, in the order that
// absorbing takes and in the one by paths alone. Nothing is trained. Without folders: this repository's own native host and
// a million tokens of installed packages, written to bench/RESULTS.md; otherwise a table is printed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { textTable } from '../native-host/cli/text-table.ts';
import { type Document, readCorpus } from '../native-host/corpus/documents.ts';
import { importRanks } from '../native-host/corpus/import-rank.ts';
import { byImportance, byUse, isGenerated, isTest } from '../native-host/corpus/importance.ts';
import { factsIn } from '../native-host/corpus/questions/facts.ts';
import { readRepository } from '../native-host/corpus/questions/repository.ts';
import { copyMillion } from './million-corpus.ts';
import { writeSection } from './results.ts';

/** A hub is imported by so many other sources: counted, so that it is not what the order itself goes by. */
const importersOfHub = 5;
const parts = [1 / 10, 1 / 3];

const head = ['Folder', 'Order', 'Facts of hubs', 'In a tenth of the text', 'In a third of the text'];

const { positionals } = parseArgs({ allowPositionals: true });
if (positionals.length > 0) {
  const rows: string[][] = [];
  for (const folder of positionals) rows.push(...(await rowsOf(folder, folder)));
  console.log(textTable(head, rows, head.slice(2)).join('\n'));
} else {
  const inRoot = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
  const million = await mkdtemp(join(tmpdir(), 'lift-order-'));
  try {
    await copyMillion(inRoot('node_modules'), million);
    const rows = [...(await rowsOf('native-host', inRoot('native-host'))), ...(await rowsOf('ten packages', million))];
    const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
    await writeSection('order', [
      'Command: `node dist/bench-order.js`: which of the facts about hubs, files that five others or more import, lie in the first',
      'part of the text, by the order that absorbing takes (by use) and by paths alone. The ten packages are those of Scaling.',
      '',
      line(head),
      '| --- | --- | ---: | ---: | ---: |',
      ...rows.map(line),
    ]);
  } finally {
    await rm(million, { recursive: true, force: true });
  }
}

async function rowsOf(name: string, folder: string): Promise<string[][]> {
  const { documents } = await readCorpus(folder);
  const repository = await readRepository(documents);
  const importers = new Map<string, Set<string>>();
  for (const { path, resolved } of repository.files) {
    if (isTest(path) || isGenerated(path)) continue;
    for (const target of resolved.values()) importers.set(target, (importers.get(target) ?? new Set()).add(path));
  }
  const ofHubs = (await factsIn(repository)).filter(({ path }) => (importers.get(path)?.size ?? 0) >= importersOfHub);
  const ranks = importRanks(documents, repository.files);
  const orders = { 'by paths': byImportance(documents), 'by use': byUse(documents, { first: [], recent: [], ranks }) };
  return Object.entries(orders).map(([order, ordered]) => {
    const shares = parts.map((part) => {
      const reached = firstOf(ordered, part);
      const known = ofHubs.filter(({ path }) => reached.has(path)).length;
      return `${((100 * known) / ofHubs.length).toFixed(1)} %`;
    });
    return [name, order, String(ofHubs.length), ...shares];
  });
}

/** Paths of the first documents, up to a part of all text. */
function firstOf(ordered: readonly Document[], part: number): Set<string> {
  const room = part * ordered.reduce((sum, { text }) => sum + text.length, 0);
  const reached = new Set<string>();
  let length = 0;
  for (const { path, text } of ordered) {
    length += text.length;
    if (length > room) break;
    reached.add(path);
  }
  return reached;
}
