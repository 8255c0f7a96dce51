import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changes, factsOfChange } from '../../bench/repositories/changes.ts';
import { type AbsorptionRun, absorptionPage } from '../../bench/repositories/page.ts';
import { measuredPackages } from '../../bench/repositories/repositories.ts';
import { readCorpus } from '../../native-host/corpus/documents.ts';
import { type Fact, makeFact } from '../../native-host/corpus/questions/fact.ts';
import { allFactsIn, factsIn } from '../../native-host/corpus/questions/facts.ts';
import { readRepository } from '../../native-host/corpus/questions/repository.ts';
import { EXCLUDED_VERSIONS, isExcludedName } from '../../scripts/pretrain/excluded.ts';
import { evalResult } from '../cli/eval/eval-result-fixture.ts';

const semver = fileURLToPath(new URL('../../node_modules/semver', import.meta.url));

test('every measured package is one that the embedded model was kept from, in the very version', () => {
  expect(measuredPackages.length).toBeGreaterThanOrEqual(6);
  for (const { name, registry, version } of measuredPackages) {
    expect(isExcludedName(name), name).toBe(true);
    if (registry === 'npm') expect(EXCLUDED_VERSIONS[name], name).toContain(version);
  }
});

describe('what a change makes of facts', () => {
  const fact = (subject: string, answer: string, path = 'a.js'): Fact =>
    makeFact({
      kind: 'constant-value',
      stratum: 'identifiers',
      path,
      line: 1,
      subject,
      slots: { name: subject },
      answer,
    });

  test('is new, gone or kept', () => {
    const before = [fact('kept', '1'), fact('edited', '1'), fact('removed', '1'), fact('moved', '1', 'old.js')];
    const after = [fact('kept', '1'), fact('edited', '2'), fact('added', '1'), fact('moved', '1', 'new.js')];
    const { fresh, gone, kept } = factsOfChange({ asked: before, holding: before }, { asked: after, holding: after });
    expect(fresh).toEqual([after[1], after[2]]);
    expect(gone).toEqual([before[1], before[2]]);
    expect(kept).toEqual([after[0]]);
  });

  test('is neither where a fact holds and is asked before or after only', () => {
    const holding = [fact('first', '1'), fact('second', '2')];
    const { fresh, gone, kept } = factsOfChange({ asked: [holding[0]!], holding }, { asked: [holding[1]!], holding });
    expect([...fresh, ...gone, ...kept]).toEqual([]);
  });

  describe('in the sources of semver', () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'lift-changes-'));
      await cp(semver, folder, { recursive: true });
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));
    const factsNow = async () => {
      const symbols = await readRepository((await readCorpus(folder)).documents);
      return { asked: await factsIn(symbols), holding: await allFactsIn(symbols) };
    };

    test('each of the changes that are measured makes facts new or gone, and leaves most', async () => {
      expect((await readFile(join(folder, 'package.json'), 'utf8')).includes('"version": "7.8.6"')).toBe(true);
      for (const change of changes) {
        const before = await factsNow();
        await change.apply(folder);
        const { fresh, gone, kept } = factsOfChange(before, await factsNow());
        expect(fresh.length + gone.length, change.name).toBeGreaterThan(0);
        expect(kept.length, change.name).toBeGreaterThan(0.9 * before.asked.length);
      }
      const { asked: facts } = await factsNow();
      const answerOf = (subject: string) =>
        facts.find((one) => one.subject === subject && one.kind === 'constant-value');
      expect(answerOf('SEMVER_SPEC_VERSION')?.answer).toBe("'7.4.1'");
      expect(existsSync(join(folder, 'functions/truncate.js'))).toBe(false);
      await expect(changes[0]!.apply(folder)).rejects.toThrow(/is not what this benchmark edits/);
    });
  });
});

describe('the page of what absorbing gives', () => {
  const run: AbsorptionRun = {
    command: 'node dist/bench-repositories.js --steps 100',
    repositories: [{ name: 'semver', version: '7.8.6', result: evalResult }],
    missing: ['flask@3.1.3 could not be fetched: no network'],
    changeRuns: [],
  };
  const rows = (page: string) => page.split('\n').filter((line) => line.startsWith('|'));

  test('pools the questions of all repositories', () => {
    const question = evalResult.questions[0]!;
    const wrong = { ...question, answers: { base: '42', lift: 'none' } };
    const second = { ...evalResult, questions: [wrong, { ...question, set: 'needle' as const, stratum: 'needles' }] };
    const both = [...run.repositories, { name: 'tar', version: '7.5.22', result: second }];
    const page = absorptionPage({ ...run, repositories: both });
    // One of two probes each; the only needle is found by lift.
    expect(page).toMatch(/^\| base \| 50\.0 % \(0\.0 to 100\.0\) \| 52\.5 % \| 50\.0 % \| 0\.0 % \| 2\.950 \(6\) \|$/m);
    expect(page).toMatch(
      /^\| lift \| 50\.0 % \(0\.0 to 100\.0\) \| 80\.0 % \| 50\.0 % \| 100\.0 % \| 2\.400 \(6\) \|$/m,
    );
    expect(page).toMatch(/^\| lift − base \| 0\.0 \| -100\.0 to \+100\.0 \|$/m);
  });

  test('has tables whose rows are as long as their heads, and says what is missing', () => {
    const share = { facts: 3, trained: 1, heldBack: 0.5 };
    const none = { facts: 0, trained: 0, heldBack: 0 };
    const change = { name: 'edit', steps: 9, trainedTokens: 4000, seconds: 5.25, end: 'saturated' };
    const measured = { ...change, fresh: share, goneBefore: none, gone: none, keptBefore: share, keptAfter: share };
    const second = { ...measured, name: 'a | b', fresh: { facts: 1, trained: 0, heldBack: 0.5 }, keptAfter: none };
    const anew = { ...measured, name: 'everything anew', end: 'budget', steps: 70 };
    const changed = { name: 'semver 7.8.6', minutes: 1, steps: 100, seconds: 60, changes: [measured, second], anew };
    const page = absorptionPage({ ...run, changeRuns: [changed] });
    const tables = page
      .split('\n\n')
      .map(rows)
      .filter((table) => table.length > 0);
    expect(tables).toHaveLength(5);
    for (const table of tables) expect(new Set(table.map((row) => row.split(/(?<!\\)\|/).length)).size).toBe(1);
    expect(page).toContain(
      '| **all** | 18 | 8,000 | 10.5 | 75.0 % / 50.0 % of 4 | – | – | 100.0 % / 50.0 % of 3 | – |',
    );
    expect(page).toContain('| edit (saturated) | 9 | 4,000 | 5.3 | 100.0 % / 50.0 % of 3 | – | – |');
    expect(page).toContain('| everything anew (budget) | 70 | 4,000 | 5.3 |');
    expect(page).toContain('- flask@3.1.3 could not be fetched: no network');
    expect(page).toContain('`node dist/bench-repositories.js --steps 100`');
    expect(absorptionPage({ ...run, repositories: [], missing: [] })).not.toContain('|');
  });
});
