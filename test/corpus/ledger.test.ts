import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { factItem, type LedgerItem, openLedger, segmentItem } from '../../native-host/corpus/ledger.ts';
import { LedgerError } from '../../native-host/corpus/ledger-lines.ts';
import { factsOf } from '../../native-host/corpus/questions/facts.ts';
import { segmentsOf } from '../../native-host/corpus/segments.ts';
import { temporaryFolder } from './temporary-folder.ts';

const item = (hash: string, key = `key of ${hash}`): LedgerItem => ({ hash, path: 'a.ts', key });
const trained = (hash: string, version = 1, key?: string) => ({ ...item(hash, key), loss: 0.5, version });
const ledgerFile = () => join(temporaryFolder(), 'deep', 'ledger.jsonl');
const hashes = (items: LedgerItem[]) => items.map((one) => one.hash);

describe('plan', () => {
  it('knows what was trained, how often and how well', async () => {
    const ledger = await openLedger(ledgerFile());
    expect(ledger.plan([item('x')])).toEqual({ fresh: [item('x')], known: [], vanished: [] });
    await ledger.record([trained('x'), trained('y')]);
    await ledger.record([{ ...trained('x', 2), times: 3, loss: 0.1 }]);
    const plan = ledger.plan([item('x'), item('new')]);
    expect(hashes(plan.fresh)).toEqual(['new']);
    expect(plan.known).toEqual([{ ...item('x'), times: 4, loss: 0.1, version: 2 }]);
    expect(hashes(plan.vanished)).toEqual(['y']);
    await ledger.close();
  });

  it('trains again what was contradicted since: X, Y, X', async () => {
    const ledger = await openLedger(ledgerFile());
    await ledger.record([trained('X', 1, 'value of k')]);
    await ledger.record([trained('Y', 2, 'value of k')]);
    expect(hashes(ledger.plan([item('Y', 'value of k')]).known)).toEqual(['Y']);
    expect(hashes(ledger.plan([item('X', 'value of k')]).fresh)).toEqual(['X']);
    await ledger.record([trained('X', 3, 'value of k')]);
    expect(hashes(ledger.plan([item('X', 'value of k')]).known)).toEqual(['X']);
    expect(hashes(ledger.plan([item('Y', 'value of k')]).fresh)).toEqual(['Y']);
    // Both are still known to the versions of their time.
    expect(hashes(ledger.plan([item('X', 'value of k')], 1).known)).toEqual(['X']);
    expect(hashes(ledger.plan([item('Y', 'value of k')], 2).known)).toEqual(['Y']);
    await ledger.close();
  });

  it('counts only what the line of a version saw', async () => {
    const file = ledgerFile();
    const ledger = await openLedger(file);
    await ledger.record([trained('a', 1), trained('b', 2), trained('c', 3)]);
    // Rolled back to version 2, then trained on.
    await ledger.beginVersion(4, 2);
    await ledger.record([trained('d', 4)]);
    const items = ['a', 'b', 'c', 'd'].map((hash) => item(hash));
    expect(hashes(ledger.plan(items).known)).toEqual(['a', 'b', 'd']);
    expect(hashes(ledger.plan(items, 3).known)).toEqual(['a', 'b', 'c']);
    await ledger.beginVersion(5, 0);
    expect(hashes(ledger.plan(items).known)).toEqual([]);
    await ledger.close();
    const reopened = await openLedger(file);
    expect(reopened.latestVersion).toBe(5);
    expect(hashes(reopened.plan(items, 4).known)).toEqual(['a', 'b', 'd']);
    await expect(reopened.beginVersion(4, 4)).rejects.toThrow(LedgerError);
    await reopened.close();
  });

  it('never lists what is said about gone things as vanished', async () => {
    const ledger = await openLedger(ledgerFile());
    await ledger.record([trained('defined', 1, 'defined-in f')]);
    await ledger.record([{ ...trained('gone', 2, 'defined-in f'), farewell: true }]);
    expect(ledger.plan([]).vanished).toEqual([]);
    // When it comes back it is trained again.
    expect(hashes(ledger.plan([item('defined', 'defined-in f')]).fresh)).toEqual(['defined']);
    await ledger.close();
  });

  it('tells real segments and facts of an edited file apart', async () => {
    const before = [documentFrom('a.ts', 'export const LIMIT = 10;\nexport function run(a) {}\n')];
    const after = [documentFrom('a.ts', 'export const LIMIT = 20;\nexport function run(a) {}\n')];
    const tokensOf = (text: string) => [...text].map((character) => character.charCodeAt(0));
    const itemsOf = async (documents: typeof before) => [
      ...documents.flatMap((document) => segmentsOf(document, tokensOf(document.text), 24).map(segmentItem)),
      ...(await factsOf(documents)).map(factItem),
    ];
    const ledger = await openLedger(ledgerFile());
    const old = await itemsOf(before);
    await ledger.record(old.map((one) => ({ ...one, loss: 1, version: 1 })));
    expect(ledger.plan(old).fresh).toEqual([]);
    const edited = await itemsOf(after);
    const plan = ledger.plan(edited);
    expect(plan.fresh.map((one) => one.key)).toEqual([
      'segment a.ts 0',
      'segment a.ts 9',
      'segment a.ts 18',
      'constant-value LIMIT',
    ]);
    await ledger.record(plan.fresh.map((one) => ({ ...one, loss: 1, version: 2 })));
    expect(ledger.plan(edited).fresh).toEqual([]);
    expect(ledger.plan(old).fresh.map((one) => one.key)).toEqual(plan.fresh.map((one) => one.key));
    await ledger.close();
  });
});

describe('the file', () => {
  it('is the same after it is opened again', async () => {
    const file = ledgerFile();
    const ledger = await openLedger(file);
    await ledger.record([trained('a'), trained('b')]);
    await ledger.flush();
    expect(ledger.bytes).toBe(statSync(file).size);
    await ledger.close();
    const again = await openLedger(file);
    expect(again.cutBytes).toBe(0);
    expect(hashes(again.plan([item('a'), item('b'), item('c')]).known)).toEqual(['a', 'b']);
    await again.record([trained('c')]);
    await again.close();
    const third = await openLedger(file);
    expect(hashes(third.plan([item('c')]).known)).toEqual(['c']);
    await third.close();
  });

  it('loses at most the last line to a kill in the middle of a write', async () => {
    const file = ledgerFile();
    const ledger = await openLedger(file);
    await ledger.record([trained('a'), trained('b'), trained('c')]);
    await ledger.close();
    const whole = readFileSync(file);
    const secondEnd = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    for (const length of [whole.length - 1, secondEnd + 1, secondEnd + 20]) {
      writeFileSync(file, whole);
      truncateSync(file, length);
      const opened = await openLedger(file);
      expect(opened.cutBytes).toBe(length - secondEnd);
      expect(hashes(opened.plan(['a', 'b', 'c'].map((hash) => item(hash))).known)).toEqual(['a', 'b']);
      await opened.record([trained('d')]);
      await opened.close();
      const again = await openLedger(file);
      expect(hashes(again.plan([item('d')]).known)).toEqual(['d']);
      await again.close();
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.alloc(512)]));
    const zeros = await openLedger(file);
    expect(zeros.cutBytes).toBe(512);
    await zeros.close();
  });

  it('names the line that is damaged, lost or swapped', async () => {
    const file = ledgerFile();
    const ledger = await openLedger(file);
    await ledger.record(['a', 'b', 'c', 'd'].map((hash) => trained(hash)));
    await ledger.close();
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, 4);
    const [first, second, third, fourth] = lines as [string, string, string, string];
    const write = (all: string[]) => writeFileSync(file, `${all.join('\n')}\n`);
    write([first, second.replace('0.5', '0.6'), third, fourth]);
    await expect(openLedger(file)).rejects.toThrow(/^Line 2 of the ledger .* is damaged\. Delete/);
    write([first, third, fourth]);
    await expect(openLedger(file)).rejects.toThrow(LedgerError);
    write([first, third, second, fourth]);
    await expect(openLedger(file)).rejects.toThrow(LedgerError);
    write(['', first, second, third]);
    await expect(openLedger(file)).rejects.toThrow(/Line 1/);
  });

  it('goes back to the place that a checkpoint remembers', async () => {
    const file = ledgerFile();
    const ledger = await openLedger(file);
    await ledger.record([trained('a')]);
    const keepBytes = ledger.bytes;
    await ledger.record([trained('b')]);
    await ledger.close();
    appendFileSync(file, 'torn');
    const back = await openLedger(file, { keepBytes });
    expect(back.bytes).toBe(keepBytes);
    expect(hashes(back.plan([item('a'), item('b')]).fresh)).toEqual(['b']);
    await back.close();
    expect(statSync(file).size).toBe(keepBytes);
    await expect(openLedger(file, { keepBytes: keepBytes + 1 })).rejects.toThrow(/checkpoint/);
  });

  it('shrinks without forgetting', async () => {
    const file = ledgerFile();
    const ledger = await openLedger(file);
    for (let round = 0; round < 20; round++)
      await ledger.record([trained('a', 1, 'k'), trained('b', 1, 'k'), trained('c', 2)]);
    await ledger.beginVersion(5, 1);
    const items = [item('a', 'k'), item('b', 'k'), item('c'), item('d')];
    const plans = [1, 2, 5].map((version) => ledger.plan(items, version));
    const before = ledger.bytes;
    await ledger.compact();
    expect(ledger.bytes).toBeLessThan(before / 5);
    expect(ledger.bytes).toBe(statSync(file).size);
    await ledger.record([trained('d', 5)]);
    await ledger.close();
    const again = await openLedger(file);
    expect([1, 2].map((version) => again.plan(items, version))).toEqual(plans.slice(0, 2));
    expect(plans[0]?.known).toMatchObject([{ hash: 'b', times: 20 }]);
    expect(hashes(again.plan(items, 5).known)).toEqual(['b', 'd']);
    await again.close();
  });
});
