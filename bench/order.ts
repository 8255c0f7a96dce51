// `node dist/bench-order.js <folder>…`: what a budget that reaches a part of a folder's text reaches of its hubs, in the order
// that absorbing takes and in the one by paths alone. Prints a table; nothing is trained.
import { parseArgs } from 'node:util';
import { textTable } from '../native-host/cli/text-table.ts';
import { type Document, readCorpus } from '../native-host/corpus/documents.ts';
import { importRanks } from '../native-host/corpus/import-rank.ts';
import { byImportance, byUse, isGenerated, isTest } from '../native-host/corpus/importance.ts';
import { factsIn } from '../native-host/corpus/questions/facts.ts';
import { readRepository } from '../native-host/corpus/questions/repository.ts';

/** A hub is imported by so many other sources: counted, so that it is not what the order itself goes by. */
const importersOfHub = 5;
const parts = [1 / 10, 1 / 3];

const rows: string[][] = [];
for (const folder of parseArgs({ allowPositionals: true }).positionals) {
  const { documents } = await readCorpus(folder);
  const repository = await readRepository(documents);
  const facts = await factsIn(repository);
  const importers = new Map<string, Set<string>>();
  for (const { path, resolved } of repository.files) {
    if (isTest(path) || isGenerated(path)) continue;
    for (const target of resolved.values()) importers.set(target, (importers.get(target) ?? new Set()).add(path));
  }
  const isHub = (path: string) => (importers.get(path)?.size ?? 0) >= importersOfHub;
  const ofHubs = facts.filter(({ path }) => isHub(path));
  const ranks = importRanks(documents, repository.files);
  const orders = { 'by paths': byImportance(documents), 'by use': byUse(documents, { first: [], recent: [], ranks }) };
  for (const [order, ordered] of Object.entries(orders)) {
    const shares = parts.map((part) => {
      const reached = firstOf(ordered, part);
      const known = ofHubs.filter(({ path }) => reached.has(path)).length;
      return `${((100 * known) / ofHubs.length).toFixed(1)} %`;
    });
    rows.push([folder, order, String(ofHubs.length), ...shares]);
  }
}
const head = ['Folder', 'Order', 'Facts of hubs', 'In a tenth of the text', 'In a third of the text'];
console.log(textTable(head, rows, head.slice(2)).join('\n'));

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
